"""The bridge: sync code runs under asyncio without threads, and nothing gets lost on the way."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
import time
import traceback
import weakref
from contextlib import suppress

import pytest
from greenlet import getcurrent, settrace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.util import await_only

from facade import bridge
from facade.bridge import workers
from facade.exceptions import SynchronousOnlyOperation

request_id = contextvars.ContextVar("request_id", default="none")


@pytest.fixture(autouse=True)
def own_parking():
    """Start with no parked worker, whatever ran before."""
    workers._thread.parked.clear()


async def later(value):
    await asyncio.sleep(0)
    return value


async def failing(error):
    await asyncio.sleep(0)
    raise error


async def ticks(until):
    """Count how often the event loop comes around until the future is done."""
    count = 0
    while not until.done():
        await asyncio.sleep(0.005)
        count += 1
    return count


def lookup(name):
    return bridge.wait(later(name))


class TestSpawn:
    async def test_returns_what_the_function_returns(self):
        assert await bridge.spawn(divmod, 7, 2) == (3, 1)

    async def test_passes_keyword_arguments(self):
        assert await bridge.spawn(sorted, [1, 3, 2], key=abs, reverse=True) == [3, 2, 1]

    async def test_waits_for_as_many_awaitables_as_the_function_meets(self):
        assert await bridge.spawn(lambda: [bridge.wait(later(n)) for n in range(100)]) == list(range(100))

    async def test_waits_for_futures_and_tasks_too(self):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(future.set_result, 1)
        task = asyncio.create_task(later(2))
        assert await bridge.spawn(lambda: (bridge.wait(future), bridge.wait(task))) == (1, 2)

    async def test_does_not_block_the_event_loop(self):
        task = asyncio.create_task(bridge.run(bridge.sleep, 0.1))
        assert await ticks(task) > 5

    async def test_uses_no_other_thread(self):
        here, others = threading.get_ident(), threading.active_count()
        assert await bridge.spawn(threading.get_ident) == here
        assert threading.active_count() == others

    async def test_nested_spawn_inside_an_awaitable(self):
        def outer():
            return bridge.wait(bridge.spawn(inner)) + 1

        def inner():
            return bridge.wait(later(1)) + 1

        assert await bridge.spawn(outer) == 3

    async def test_deep_nesting(self):
        def down(depth):
            return depth if depth == 30 else bridge.wait(bridge.spawn(down, depth + 1))

        assert await bridge.spawn(down, 0) == 30

    async def test_errors_reach_the_caller(self):
        with pytest.raises(ZeroDivisionError):
            await bridge.spawn(divmod, 1, 0)

    async def test_errors_of_an_awaitable_reach_the_function(self):
        def catching():
            try:
                bridge.wait(failing(LookupError("lost")))
            except LookupError as error:
                return f"caught {error}"

        assert await bridge.spawn(catching) == "caught lost"

    async def test_waiting_for_something_else_is_an_error_where_it_happens(self):
        def confused():
            with pytest.raises(TypeError, match="await"):
                bridge.wait(42)
            return "went on"

        assert await bridge.spawn(confused) == "went on"

    async def test_a_wrong_call_is_a_type_error(self):
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            await bridge.spawn(lookup, loud=True)
        assert await bridge.spawn(divmod, 7, 2) == (3, 1)

    async def test_results_are_not_kept_alive(self):
        class Result:
            pass

        argument = Result()
        alive = weakref.ref(argument)
        result = await bridge.spawn(lambda given: given, argument)
        assert result is argument
        del argument, result
        assert alive() is None

    async def test_errors_are_not_kept_alive_and_make_no_cycle(self):
        class Lost(Exception):
            pass

        def lose():
            raise Lost

        gc.collect()
        gc.disable()
        try:
            try:
                await bridge.spawn(lose)
            except Lost as error:
                alive = weakref.ref(error)
            assert alive() is None
        finally:
            gc.enable()

    async def test_five_thousand_at_once(self):
        def work(number):
            first = bridge.wait(later(number))
            return first + bridge.wait(later(number))

        results = await asyncio.gather(*(bridge.spawn(work, number) for number in range(5000)))
        assert results == [2 * number for number in range(5000)]


class TestParking:
    async def test_a_finished_worker_is_used_again(self):
        first = await bridge.spawn(getcurrent)
        second = await bridge.spawn(getcurrent)
        assert first is second

    async def test_a_worker_that_failed_is_used_again(self):
        first = await bridge.spawn(getcurrent)
        with pytest.raises(ZeroDivisionError):
            await bridge.spawn(divmod, 1, 0)
        assert await bridge.spawn(getcurrent) is first

    async def test_parking_is_bounded(self):
        await asyncio.gather(*(bridge.spawn(lookup, "x") for _ in range(3 * workers.PARKED_MAX)))
        assert len(workers._thread.parked) == workers.PARKED_MAX

    async def test_workers_beyond_the_bound_end(self):
        def work():
            bridge.wait(later(None))

        alive = weakref.WeakSet()
        for _ in range(3):
            await asyncio.gather(
                *(bridge.spawn(lambda: (alive.add(getcurrent()), work())) for _ in range(500))
            )
            assert len(alive) <= workers.PARKED_MAX

    @pytest.mark.parametrize("fails", [False, True])
    def test_workers_end_with_their_thread(self, fails):
        def work():
            alive.add(getcurrent())
            bridge.wait(later(None))
            if fails:
                raise LookupError

        async def many():
            await asyncio.gather(*(bridge.spawn(work) for _ in range(100)), return_exceptions=True)

        alive = weakref.WeakSet()
        for _ in range(5):
            thread = threading.Thread(target=asyncio.run, args=(many(),))
            thread.start()
            thread.join()
            assert len(alive) == 0

    async def test_a_worker_is_not_held_by_what_it_runs(self):
        """What nobody can wake any more goes with its last reference."""
        alive = weakref.WeakSet()

        def work():
            alive.add(getcurrent())
            bridge.wait(asyncio.get_running_loop().create_future())

        coroutine = bridge.spawn(work)
        coroutine.send(None)
        assert len(alive) == 1
        del coroutine
        await asyncio.sleep(0)
        assert len([worker for worker in alive if worker not in workers._thread.parked]) == 0

    async def test_calls_one_after_another_create_one_worker(self, monkeypatch):
        created = []
        monkeypatch.setattr(
            workers, "_hire", lambda parent, hire=workers._hire: created.append(1) or hire(parent)
        )
        for _ in range(100):
            await bridge.spawn(lookup, "x")
        assert len(created) == 1

    async def test_a_call_switches_as_little_as_possible(self):
        """Once in, once out, and the same for each wait: the guard of the bridge's speed."""
        await bridge.spawn(lookup, "warm")
        switches = []
        previous = settrace(lambda event, _greenlets: switches.append(event))
        try:
            await bridge.spawn(lookup, "x")
        finally:
            settrace(previous)
        assert len(switches) == 4

    async def test_a_parked_worker_keeps_no_context(self):
        await bridge.spawn(lookup, "x")
        (parked,) = workers._thread.parked
        assert parked.gr_context is None
        assert parked.owner is None
        assert parked.failure is None

    def test_each_thread_parks_its_own(self):
        def in_thread():
            seen.append(asyncio.run(bridge.run(getcurrent)))

        seen = [asyncio.run(bridge.run(getcurrent))]
        for _ in range(3):
            thread = threading.Thread(target=in_thread)
            thread.start()
            thread.join()
        assert len({id(worker) for worker in seen}) == 4
        assert all(worker is not seen[0] for worker in seen[1:])


class TestContext:
    async def test_the_function_sees_the_callers_context(self):
        request_id.set("r1")
        assert await bridge.spawn(request_id.get) == "r1"

    async def test_the_caller_sees_what_the_function_sets(self):
        await bridge.spawn(request_id.set, "r2")
        assert request_id.get() == "r2"

    async def test_awaitables_share_the_context_both_ways(self):
        async def change():
            seen.append(request_id.get())
            request_id.set("outside")

        def work():
            request_id.set("inside")
            bridge.wait(change())
            return request_id.get()

        seen = []
        assert await bridge.spawn(work) == "outside"
        assert seen == ["inside"]

    async def test_concurrent_tasks_keep_their_contexts_apart(self):
        def work(number):
            request_id.set(number)
            bridge.wait(later(None))
            return request_id.get()

        assert await asyncio.gather(*(bridge.spawn(work, n) for n in range(200))) == list(range(200))
        assert request_id.get() == "none"

    async def test_a_worker_forgets_the_context_of_its_last_job(self):
        async def task(number):
            request_id.set(number)
            await bridge.spawn(lookup, "x")

        await asyncio.create_task(task(1))
        assert await bridge.spawn(request_id.get) == "none"


class TestCancellation:
    async def test_reaches_the_function_where_it_waits(self):
        def work():
            try:
                bridge.wait(asyncio.sleep(60))
            except bridge.CancelledError:
                seen.append("cancelled")
                raise
            finally:
                seen.append(bridge.wait(later("cleaned up")))

        seen = []
        task = asyncio.create_task(bridge.spawn(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen == ["cancelled", "cleaned up"]

    async def test_time_limits_work_around_the_call(self):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bridge.spawn(bridge.sleep, 60), 0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await bridge.spawn(bridge.sleep, 60)

    async def test_a_function_may_handle_it(self):
        def stubborn():
            try:
                bridge.sleep(60)
            except bridge.CancelledError:
                return bridge.wait(later("done nevertheless"))

        task = asyncio.create_task(bridge.spawn(stubborn))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "done nevertheless"

    async def test_before_the_first_step_nothing_runs(self):
        task = asyncio.create_task(bridge.spawn(pytest.fail, "it ran"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_five_hundred_at_random_moments_leave_no_worker_behind(self):
        def work():
            for _ in range(10):
                bridge.wait(later(None))

        async def one(number):
            task = asyncio.create_task(bridge.spawn(work))
            for _ in range(number % 12):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        await asyncio.gather(*(one(number) for number in range(500)))
        assert len(workers._thread.parked) <= workers.PARKED_MAX
        assert all(parked.failure is None and parked.owner is None for parked in workers._thread.parked)
        assert await bridge.spawn(lookup, "right") == "right"


class TestTracebacks:
    async def test_show_the_sync_frames_and_the_awaitables(self):
        def business():
            queries()

        def queries():
            bridge.wait(failing(LookupError("lost")))

        with pytest.raises(LookupError) as caught:
            await bridge.spawn(business)
        names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert [name for name in names if name in {"business", "queries", "failing"}] == [
            "business",
            "queries",
            "failing",
        ]

    async def test_do_not_show_the_workers_loop(self):
        with pytest.raises(ZeroDivisionError) as caught:
            await bridge.spawn(lambda: 1 / 0)
        assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-2:] == [
            "_drive",
            "<lambda>",
        ]

    async def test_keep_the_cause_and_the_context(self):
        def work():
            try:
                bridge.wait(failing(LookupError("lost")))
            except LookupError as error:
                raise ValueError("bad") from error

        with pytest.raises(ValueError, match="bad") as caught:
            await bridge.spawn(work)
        assert isinstance(caught.value.__cause__, LookupError)

    async def test_an_error_of_one_job_is_no_context_of_the_next(self):
        with pytest.raises(ZeroDivisionError):
            await bridge.spawn(divmod, 1, 0)
        with pytest.raises(LookupError) as caught:
            await bridge.spawn({}.pop, "missing")
        assert caught.value.__context__ is None


class TestClosing:
    """A coroutine that is closed in the middle: its loop ended, or nobody wants it any more."""

    def run_until_suspended(self, work):
        coroutine = bridge.spawn(work)
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._step(coroutine))
        finally:
            loop.close()
        return coroutine

    async def _step(self, coroutine):
        coroutine.send(None)

    def test_the_function_unwinds(self):
        def work():
            try:
                bridge.sleep(60)
            finally:
                seen.append(sys.exc_info()[0])

        seen = []
        self.run_until_suspended(work).close()
        assert seen == [GeneratorExit]

    def test_waiting_while_unwinding_is_refused_and_does_not_hang(self):
        def work():
            try:
                bridge.sleep(60)
            finally:
                try:
                    bridge.wait(later(None))
                except BaseException as error:
                    seen.append(type(error).__name__)
                    raise

        seen = []
        self.run_until_suspended(work).close()
        assert seen == ["GreenletExit"]

    def test_code_that_has_both_roads_does_not_take_the_sync_one(self):
        def work():
            try:
                bridge.sleep(60)
            finally:
                seen.append(bridge.in_worker())

        seen = []
        self.run_until_suspended(work).close()
        assert seen == [True]

    def test_sqlalchemys_own_waiting_is_refused_too(self):
        def work():
            try:
                bridge.sleep(60)
            finally:
                try:
                    await_only(later(None))
                except Exception as error:
                    seen.append(type(error).__name__)

        seen = []
        self.run_until_suspended(work).close()
        assert seen == ["MissingGreenlet"]

    def test_errors_while_unwinding_reach_whoever_closes(self):
        def work():
            try:
                bridge.sleep(60)
            finally:
                raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            self.run_until_suspended(work).close()

    def test_a_function_that_goes_on_does_not_stop_the_closing(self):
        def work():
            for _ in range(3):
                try:
                    bridge.sleep(60)
                except BaseException:
                    seen.append("again")

        seen = []
        self.run_until_suspended(work).close()
        assert seen == ["again"] * 3

    def test_a_dropped_coroutine_unwinds_too(self):
        def work():
            try:
                bridge.sleep(60)
            finally:
                seen.append("unwound")

        seen = []
        coroutine = self.run_until_suspended(work)
        del coroutine
        gc.collect()
        assert seen == ["unwound"]

    def test_closing_in_another_thread_neither_fails_nor_runs_the_function_there(self):
        def work():
            try:
                bridge.sleep(60)
            finally:
                seen.append(threading.get_ident())

        seen = []
        coroutine = self.run_until_suspended(work)
        thread = threading.Thread(target=coroutine.close)
        thread.start()
        thread.join()
        del coroutine
        asyncio.run(
            bridge.run(lookup, "x")
        )  # greenlet ends what other threads dropped when this thread switches
        assert seen in ([], [threading.get_ident()])

    def test_the_next_loop_works(self):
        self.run_until_suspended(lambda: bridge.sleep(60)).close()
        assert asyncio.run(bridge.run(lookup, "right")) == "right"

    def test_a_job_that_ends_its_greenlet_is_reported_and_its_worker_not_used_again(self):
        def work():
            raise workers.GreenletExit("the end")

        async def main():
            with pytest.raises(workers.GreenletExit, match="the end"):
                await bridge.spawn(work)
            assert not workers._thread.parked
            return await bridge.spawn(lookup, "right")

        assert asyncio.run(main()) == "right"


class TestWaiting:
    def test_outside_a_worker_it_is_refused(self, recwarn):
        with pytest.raises(SynchronousOnlyOperation, match=r"facade\.run\(\)"):
            bridge.wait(later(None))
        gc.collect()
        assert not recwarn, "the coroutine was closed"

    async def test_in_worker(self):
        assert not bridge.in_worker()
        assert await bridge.spawn(bridge.in_worker)
        assert not bridge.in_worker()

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
    async def test_a_task_started_eagerly_in_a_worker_may_outlive_it(self):
        def starter():
            task = asyncio.Task(bridge.spawn(slow), loop=bridge.running_loop(), eager_start=True)
            bridge.wait(later(None))
            return task

        def slow():
            return [bridge.wait(later(number)) for number in range(5)]

        task = await bridge.spawn(starter)
        assert await bridge.spawn(lookup, "meanwhile") == "meanwhile"
        assert await task == list(range(5))

    async def test_sleep_does_not_block(self):
        task = asyncio.create_task(bridge.spawn(bridge.sleep, 0.05))
        assert await ticks(task) > 2

    def test_sleep_in_sync_code(self):
        before = time.monotonic()
        bridge.sleep(0.01)
        assert time.monotonic() - before >= 0.01


class TestComplete:
    def test_runs_a_coroutine_in_a_loop_of_its_own(self):
        assert bridge.complete(later(1)) == 1

    async def test_runs_a_coroutine_in_the_loop_around_the_worker(self):
        async def loop():
            return asyncio.get_running_loop()

        assert await bridge.spawn(lambda: bridge.complete(loop())) is asyncio.get_running_loop()

    async def test_is_refused_in_a_running_loop(self):
        with pytest.raises(SynchronousOnlyOperation):
            bridge.complete(later(1))


def seen_through(awaitable, grace):
    return bridge.see_through(lambda: bridge.wait(awaitable), grace)


class TestFinish:
    @pytest.fixture(autouse=True, params=[bridge.finish, seen_through])
    def way(self, request):
        """In a task of its own, and in the worker that began it: the same promises."""
        self.finish = request.param

    async def finishing(self, work, limit=5.0, finish=None):
        """Start ``finish(work())`` in a worker; return the task, at its first wait."""
        way = finish or self.finish
        task = asyncio.create_task(bridge.spawn(lambda: way(work(), limit)))
        await asyncio.sleep(0.01)
        return task

    @pytest.mark.parametrize("work", [lambda: later(1), lambda: asyncio.ensure_future(later(1))])
    async def test_returns_the_result(self, work):
        assert await (await self.finishing(work)) == 1

    async def test_returns_the_result_of_something_that_does_not_wait(self):
        async def at_once():
            return 1

        assert await (await self.finishing(at_once)) == 1

    async def test_raises_the_failure(self):
        with pytest.raises(LookupError, match="lost"):
            await (await self.finishing(lambda: failing(LookupError("lost"))))

    async def test_survives_repeated_cancellation_and_raises_it_at_the_end(self):
        async def work():
            await asyncio.sleep(0.05)
            seen.append("finished")

        seen = []
        task = await self.finishing(work)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.005)
        assert not seen
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert seen == ["finished"]
        assert caught.value.__cause__ is None

    async def test_a_cancellation_carries_the_failure_as_its_cause(self):
        async def work():
            await asyncio.sleep(0.02)
            raise LookupError("lost")

        def finish():
            try:
                self.finish(work(), 5)
            except bridge.CancelledError as error:
                seen.append(error.__cause__)
                raise

        seen = []
        task = asyncio.create_task(bridge.spawn(finish))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(seen[0], LookupError)

    async def test_takes_the_time_it_needs_where_nothing_is_cancelled(self):
        assert await (await self.finishing(lambda: asyncio.sleep(0.1, "done"), 0.01)) == "done"

    async def test_the_grace_begins_with_the_cancellation(self):
        task = await self.finishing(lambda: asyncio.sleep(60), 0.05)
        await asyncio.sleep(0.1)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.wait_for(task, 1)
        assert isinstance(caught.value.__cause__, TimeoutError)

    async def test_a_task_that_is_being_cancelled_has_the_grace_from_the_start(self):
        async def clean_up():
            try:
                await asyncio.sleep(60)
            finally:
                await bridge.spawn(lambda: self.finish(asyncio.sleep(60), 0.02))

        task = asyncio.create_task(clean_up())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(TimeoutError, match=r"0\.02 seconds"):
            await asyncio.wait_for(task, 1)

    async def test_gives_up_at_the_limit(self):
        with pytest.raises(TimeoutError, match=r"0\.02 seconds"):
            await (await self.finishing(lambda: asyncio.sleep(60), 0.02, bridge.finish_within))

    async def test_gives_up_at_the_limit_on_something_that_will_not_stop(self):
        async def stubborn():
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    seen.append("cancelled")

        seen = []
        released = asyncio.Event()
        with pytest.raises(TimeoutError):
            await (await self.finishing(stubborn, 0.02, bridge.finish_within))
        await asyncio.sleep(0)
        assert seen == ["cancelled"]
        released.set()
        await asyncio.sleep(0.01)

    async def test_the_limit_holds_in_spite_of_cancellation(self):
        task = await self.finishing(lambda: asyncio.sleep(60), 0.05)
        before = time.monotonic()
        for _ in range(4):
            task.cancel()
            await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - before < 1

    async def test_a_time_limit_around_it_is_still_one(self):
        async def work():
            await asyncio.sleep(0.05)
            seen.append("finished")

        seen = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await bridge.spawn(lambda: self.finish(work(), 5))
        assert seen == ["finished"]
        await asyncio.sleep(0)  # no cancellation is left over

    async def test_an_awaitable_that_cancels_itself(self):
        with pytest.raises(asyncio.CancelledError):
            await (await self.finishing(lambda: failing(asyncio.CancelledError())))

    async def test_all_of_it_reaches_its_end(self):
        def work():
            for step in range(3):
                bridge.wait(asyncio.sleep(0))
                bridge.see_through(lambda: bridge.wait(asyncio.sleep(0.01)), 5)
                seen.append(step)

        seen = []
        task = asyncio.create_task(bridge.spawn(bridge.see_through, work, 5))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert seen == [0, 1, 2]
        assert caught.value.__cause__ is None

    async def test_nothing_more_is_waited_for_when_the_grace_is_over(self):
        def work():
            for step in range(3):
                with suppress(Exception):
                    bridge.wait(asyncio.sleep(60))
                seen.append(step)

        seen = []
        task = asyncio.create_task(bridge.spawn(bridge.see_through, work, 0.02))
        await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.wait_for(task, 5)
        assert isinstance(caught.value.__cause__, TimeoutError)
        assert not seen

    async def test_needs_a_worker(self):
        with pytest.raises(SynchronousOnlyOperation):
            bridge.see_through(lambda: None, 5)


class TestIterate:
    @staticmethod
    def rows(count, closed=None):
        try:
            for number in range(count):
                yield bridge.wait(later(number))
        finally:
            if closed is not None:
                closed.append(bridge.wait(later("closed")))

    async def test_yields_what_the_generator_yields(self):
        assert [row async for row in bridge.iterate(self.rows(5))] == [0, 1, 2, 3, 4]

    async def test_none_is_a_row(self):
        assert [row async for row in bridge.iterate(row for row in [None, 1, None])] == [None, 1, None]

    async def test_is_lazy(self):
        def rows():
            for number in range(3):
                seen.append(number)
                yield number

        seen = []
        stream = bridge.iterate(rows())
        assert seen == []
        assert await anext(stream) == 0
        assert seen == [0]
        await stream.aclose()

    async def test_closes_the_generator_at_the_end(self):
        closed = []
        assert len([row async for row in bridge.iterate(self.rows(2, closed))]) == 2
        assert closed == ["closed"]

    async def test_aclose_closes_the_generator_in_a_worker(self):
        closed = []
        stream = bridge.iterate(self.rows(5, closed))
        await anext(stream)
        await stream.aclose()
        assert closed == ["closed"]

    async def test_leaving_the_loop_closes_the_generator(self):
        closed = []
        async for _ in bridge.iterate(self.rows(5, closed)):
            break
        await asyncio.sleep(0.01)  # the event loop closes iterators that were dropped
        assert closed == ["closed"]

    async def test_an_error_in_the_generator_ends_it(self):
        def rows():
            yield 1
            bridge.wait(failing(LookupError("lost")))

        stream = bridge.iterate(rows())
        assert await anext(stream) == 1
        with pytest.raises(LookupError, match="lost"):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    async def test_cancellation_reaches_the_generator(self):
        def rows():
            try:
                yield bridge.wait(asyncio.sleep(60))
            finally:
                closed.append(bridge.wait(later("closed")))

        async def consume():
            async for _ in bridge.iterate(rows()):
                pass

        closed = []
        task = asyncio.create_task(consume())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed == ["closed"]

    async def test_the_loop_body_may_use_the_bridge(self):
        found = [await bridge.spawn(lookup, row) async for row in bridge.iterate(self.rows(3))]
        assert found == [0, 1, 2]

    async def test_chunks_are_flattened(self):
        def chunks():
            yield [1, 2]
            yield []
            yield [bridge.wait(later(3))]

        assert [row async for row in bridge.iterate_chunks(chunks())] == [1, 2, 3]

    async def test_closing_between_two_rows_of_a_chunk_closes_the_generator(self):
        def chunks():
            try:
                yield [1, 2]
            finally:
                closed.append(bridge.wait(later("closed")))

        closed = []
        stream = bridge.iterate_chunks(chunks())
        assert await anext(stream) == 1
        await stream.aclose()
        assert closed == ["closed"]

    async def test_chunks_cross_the_bridge_once_each(self, monkeypatch):
        crossed = []
        monkeypatch.setattr(workers, "getcurrent", lambda: crossed.append(1) or getcurrent())
        assert [row async for row in bridge.iterate_chunks(iter_chunks(10, 100))] == list(range(1000))
        assert len(crossed) < 30


def iter_chunks(count, size):
    for number in range(count):
        yield range(number * size, (number + 1) * size)


class TestSQLAlchemy:
    @pytest.fixture
    async def engine(self, tmp_path):
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'db.sqlite3'}")
        yield engine
        await engine.dispose()

    async def test_third_party_sync_code_runs_on_an_async_engine(self, engine):
        def sync_code():
            with engine.sync_engine.begin() as connection:
                connection.execute(text("CREATE TABLE t (n INTEGER)"))
                connection.execute(text("INSERT INTO t VALUES (1), (2)"))
                return connection.execute(text("SELECT sum(n) FROM t")).scalar()

        assert await bridge.run(sync_code) == 3

    async def test_its_errors_come_through(self, engine):
        def sync_code():
            with engine.sync_engine.begin() as connection:
                connection.execute(text("SELECT * FROM missing"))

        with pytest.raises(Exception, match="no such table: missing"):
            await bridge.run(sync_code)
        assert engine.pool.checkedout() == 0

    async def test_await_only_works_in_our_worker(self):
        assert await bridge.run(lambda: await_only(later(1))) == 1

    async def test_wait_works_in_run_sync(self, engine):
        async with AsyncSession(engine) as session:
            assert await session.run_sync(lambda _session: bridge.wait(later(1))) == 1
            assert await session.run_sync(lambda _session: bridge.in_worker())

    async def test_a_worker_inside_run_sync_inside_a_worker(self, engine):
        async def session_work():
            async with AsyncSession(engine) as session:
                return await session.run_sync(lambda _session: bridge.wait(bridge.spawn(lookup, "deep")))

        assert await bridge.spawn(lambda: bridge.wait(session_work())) == "deep"

    async def test_a_cancelled_call_gives_its_connection_back(self, engine):
        task = asyncio.create_task(bridge.spawn(self.hold_a_connection, engine))
        await asyncio.sleep(0.05)
        assert engine.pool.checkedout() == 1
        task.cancel()
        await asyncio.wait([task])
        assert engine.pool.checkedout() == 0

    @staticmethod
    def hold_a_connection(engine):
        with engine.sync_engine.connect() as connection:
            connection.execute(text("SELECT 1"))
            bridge.sleep(60)


def test_another_kind_of_event_loop_is_refused_with_a_way_out():
    """Under trio, for instance: whoever drives the coroutine, it is not asyncio."""
    for coroutine in (bridge.spawn(int), bridge.run(int)):
        with pytest.raises(RuntimeError, match=r"a running asyncio event loop.*trio\.to_thread\.run_sync"):
            coroutine.send(None)
