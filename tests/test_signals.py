"""Signals: who is called, in which order, and what becomes of errors and of coroutine functions."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from facade import bridge
from facade.dispatch import Signal, receiver
from facade.exceptions import SynchronousOnlyOperation


@pytest.fixture(params=[False, True], ids=["plain", "caching"])
def signal(request):
    return Signal(use_caching=request.param)


class Sender:
    pass


def echo(val, **kwargs):
    return val


def test_a_signal_without_receivers_returns_nothing(signal):
    assert signal.send(sender=Sender, val=1) == []
    assert signal.send_robust(sender=Sender, val=1) == []
    assert not signal.has_listeners()


def test_receivers_hear_their_own_sender_and_those_of_none_hear_all(signal):
    def one(sender, **kwargs):
        return "one"

    def all_of_them(sender, **kwargs):
        return "all"

    signal.connect(one, sender=Sender)
    signal.connect(all_of_them)
    assert [answer for _, answer in signal.send(sender=Sender)] == ["one", "all"]
    assert signal.send(sender=Signal) == [(all_of_them, "all")]
    assert signal.has_listeners(Signal)


def test_a_sender_may_be_none(signal):
    signal.connect(echo)
    assert signal.send(sender=None, val="x") == [(echo, "x")]
    assert signal.has_listeners(None)


def test_a_receiver_is_connected_once(signal):
    signal.connect(echo)
    signal.connect(echo)
    assert len(signal.send(sender=Sender, val=1)) == 1


def test_dispatch_uid_identifies_a_receiver(signal):
    def other(**kwargs):
        return None

    signal.connect(echo, dispatch_uid="uid")
    signal.connect(other, dispatch_uid="uid")
    assert len(signal.receivers) == 1
    assert signal.disconnect(dispatch_uid="uid")
    assert signal.receivers == []


def test_disconnect_says_whether_there_was_anything(signal):
    signal.connect(echo, sender=Sender)
    assert not signal.disconnect(echo)
    assert signal.disconnect(echo, sender=Sender)
    assert not signal.has_listeners(Sender)


def test_receivers_are_held_weakly(signal):
    class Listener:
        def hear(self, **kwargs):
            return "heard"

    listener = Listener()
    signal.connect(listener.hear)
    assert [answer for _, answer in signal.send(sender=Sender)] == ["heard"]
    del listener
    gc.collect()
    assert signal.send(sender=Sender) == []
    assert signal.receivers == []


def test_receivers_can_be_held_strongly(signal):
    signal.connect(lambda **kwargs: "kept", weak=False)
    gc.collect()
    assert [answer for _, answer in signal.send(sender=Sender)] == ["kept"]


def test_a_collected_sender_takes_its_connections_along(signal):
    class Passing:
        pass

    reference = weakref.ref(Passing)
    signal.connect(echo, sender=Passing)
    signal.send(sender=Passing, val=1)
    del Passing
    gc.collect()
    assert reference() is None
    assert not signal.has_listeners(Sender)
    assert signal.receivers == []


def test_receivers_must_accept_keywords(signal):
    with pytest.raises(ValueError, match="must accept keyword arguments"):
        signal.connect(lambda sender: None)
    with pytest.raises(TypeError, match="must be callable"):
        signal.connect(object())


def test_an_error_ends_the_round(signal):
    called = []

    def fails(**kwargs):
        raise LookupError("no")

    def later(**kwargs):
        called.append(1)

    signal.connect(fails)
    signal.connect(later)
    with pytest.raises(LookupError):
        signal.send(sender=Sender)
    assert called == []


def test_send_robust_returns_errors_and_logs_them(signal, caplog):
    def fails(**kwargs):
        raise LookupError("no")

    signal.connect(fails)
    signal.connect(echo)
    with caplog.at_level(logging.ERROR, logger="facade.dispatch"):
        (_, error), answer = signal.send_robust(sender=Sender, val=3)
    assert isinstance(error, LookupError)
    assert answer == (echo, 3)
    assert "fails in Signal.send_robust() (no)" in caplog.text


def test_receiver_decorates_for_one_or_several_signals():
    first, second = Signal(), Signal()

    @receiver([first, second])
    def both(**kwargs):
        return "both"

    @receiver(first, sender=Sender)
    def single(**kwargs):
        return "single"

    assert len(first.send(sender=Sender)) == 2
    assert second.send(sender=Sender) == [(both, "both")]


# -- coroutine functions ------------------------------------------------------------------------------


def test_send_completes_coroutine_functions_after_the_plain_ones(signal):
    order = []

    async def coroutine(**kwargs):
        await asyncio.sleep(0)
        order.append("coroutine")
        return "awaited"

    def plain(**kwargs):
        order.append("plain")

    signal.connect(coroutine)
    signal.connect(plain)
    assert signal.send(sender=Sender) == [(plain, None), (coroutine, "awaited")]
    assert order == ["plain", "coroutine"]


async def test_asend_calls_both_kinds_in_the_senders_task(signal):
    tasks = []

    async def coroutine(**kwargs):
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())
        return "awaited"

    def plain(**kwargs):
        tasks.append(asyncio.current_task())
        return bridge.in_worker()

    signal.connect(plain)
    signal.connect(coroutine)
    assert await signal.asend(sender=Sender) == [(plain, True), (coroutine, "awaited")]
    assert tasks == [asyncio.current_task()] * 2


async def test_asend_robust_returns_the_errors_of_coroutine_functions(signal):
    async def fails(**kwargs):
        raise LookupError("no")

    signal.connect(fails)
    ((_, error),) = await signal.asend_robust(sender=Sender)
    assert isinstance(error, LookupError)


async def test_send_with_coroutine_functions_refuses_to_block_the_loop(signal):
    async def coroutine(**kwargs):
        return None

    signal.connect(coroutine)
    with pytest.raises(SynchronousOnlyOperation, match="asend"):
        signal.send(sender=Sender)
