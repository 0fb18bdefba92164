"""The ``face`` fixture: one test body for sync code and for asyncio."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from contextlib import contextmanager

import pytest

from facade import bridge
from facade.db.connection import close_all_async


class Face:
    """How a test reaches methods that touch a database.

    On the sync face, ``face(qs.get, pk=1)`` is ``qs.get(pk=1)``. On the async face the whole test body runs in one
    task of one event loop, inside a worker of the bridge, and ``face(qs.get, pk=1)`` finds the twin ``aget`` by name
    and awaits it. So the same lines test both faces, and ``pytest.raises`` works around them as ever.
    Whatever the test calls directly (``author.save()``) runs as ``facade.run`` runs sync code: on the async drivers.

    =======================================  ===========================  ===========================================
    in the test                              sync                         async
    =======================================  ===========================  ===========================================
    ``face(qs.get, pk=1)``                   ``qs.get(pk=1)``             ``await qs.aget(pk=1)``
    ``face(prefetch_related_objects, ...)``  the function                 ``await aprefetch_related_objects(...)``
    ``face.list(qs)``                        ``list(qs)``                 ``[row async for row in qs]``
    ``face.iterate(qs)``                     ``iter(qs)``                 ``aiter(qs)``; leaving the loop closes it
    ``face.iterate(qs.iterator, 10)``        ``qs.iterator(10)``          ``qs.aiterator(10)``
    ``with face.block(atomic()): ...``       ``with``                     ``async with``
    ``face.wait(awaitable)``                 fails                        ``await awaitable``
    ``face.is_async``                        False                        True
    =======================================  ===========================  ===========================================
    """

    def __init__(self, name):
        self.name = name
        self.is_async = name == "async"

    def __repr__(self):
        return f"<Face {self.name}>"

    def __call__(self, fn, *args, **kwargs):
        return self.wait(twin_of(fn)(*args, **kwargs)) if self.is_async else fn(*args, **kwargs)

    def wait(self, awaitable):
        assert self.is_async, "the sync face has nothing to wait for"
        return bridge.wait(awaitable)

    def list(self, iterable):
        return list(self.iterate(iterable))

    def iterate(self, source, *args, **kwargs):
        """Iterate over an object, or over what the method ``source``, or its twin, returns for the arguments."""
        if self.is_async:
            return self._drain(twin_of(source)(*args, **kwargs) if callable(source) else source)
        return iter(source(*args, **kwargs) if callable(source) else source)

    def _drain(self, iterable):
        iterator = aiter(iterable)
        end = object()
        try:
            while (item := self.wait(anext(iterator, end))) is not end:
                yield item
        finally:
            if hasattr(iterator, "aclose"):
                self.wait(iterator.aclose())

    @contextmanager
    def block(self, manager):
        """Enter a context manager that has both forms."""
        if not self.is_async:
            with manager as entered:
                yield entered
            return
        entered = self.wait(manager.__aenter__())
        try:
            yield entered
        except BaseException:
            if not self.wait(manager.__aexit__(*sys.exc_info())):
                raise
        else:
            self.wait(manager.__aexit__(None, None, None))


def twin_of(fn):
    """Find ``aget`` for the bound method ``get``, and ``ahealth_check`` for the function ``health_check``."""
    home = fn.__self__ if hasattr(fn, "__self__") else sys.modules[fn.__module__]
    return getattr(home, f"a{fn.__name__}")


@pytest.fixture
def face(request):
    return Face(request.param)


def pytest_generate_tests(metafunc):
    if "face" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("faces")
        metafunc.parametrize("face", marker.args if marker else ["sync", "async"], indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a test of the async face in a worker."""
    face = pyfuncitem.funcargs.get("face")
    if face is None or not face.is_async:
        return None
    assert not inspect.iscoroutinefunction(pyfuncitem.obj), "`face` is for plain `def` tests"
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(_run_and_close(bridge.run, pyfuncitem.obj, **arguments))
    return True


def pytest_itemcollected(item):
    """Let ``async def`` tests close their connections while their event loop still runs."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.obj = closing_afterwards(item.obj)


def closing_afterwards(test):
    @functools.wraps(test)
    async def closing(**arguments):
        await _run_and_close(test, **arguments)

    return closing


async def _run_and_close(fn, *args, **kwargs):
    try:
        await fn(*args, **kwargs)
    finally:
        await close_all_async()
