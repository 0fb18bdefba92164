"""Streams: async iteration over sync generators, and the other way round."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

from facade.bridge.workers import creator, named, wait

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable

T = TypeVar("T")


def iterate(generator: Generator[T, Any, Any]) -> AsyncGenerator[T, None]:
    """Iterate with ``async for`` over a sync generator that waits; the operation belongs to the caller's task.

    The generator is closed, in a worker, when the iteration ends, fails or is left (through ``aclose()``, which the
    event loop calls for an iterator that was dropped).
    """
    return _iterate(creator(), _singly(generator))


def _singly(generator: Generator[T, Any, Any]) -> Generator[tuple[T], None, None]:
    with closing(generator):
        for item in generator:
            yield (item,)


_drive_next = named("iterate", "iterate")
_closing: set[asyncio.Task[Any]] = set()  # tasks that close a generator now, of all event loops


async def closings(seconds: float) -> None:
    """Wait, at the end of an event loop, for the streams that are being closed: the loop itself does not.

    A task that ends inside ``async for`` leaves its generator to a task that nobody waits for.
    """
    for _ in range(3):
        await asyncio.sleep(0)  # such a task may not have begun
    loop = asyncio.get_running_loop()
    if tasks := {task for task in _closing if task.get_loop() is loop and task is not asyncio.current_task()}:
        await asyncio.wait(tasks, timeout=seconds)


def iterate_chunks(chunks: Generator[Iterable[T], Any, Any]) -> AsyncGenerator[T, None]:
    """Iterate over the items of a generator of chunks: the bridge is crossed once per chunk."""
    return _iterate(creator(), chunks)


async def _iterate(owner: object, chunks: Generator[Iterable[T], Any, Any]) -> AsyncGenerator[T, None]:
    # One async generator, around no other: an event loop that ends closes all at once, an inner one under the outer.
    end: Any = object()
    try:
        while (chunk := await _drive_next(owner, next, (chunks, end), {})) is not end:
            for item in chunk:
                yield item
    finally:
        await _close(owner, chunks)


async def _close(owner: object, generator: Generator[Any, Any, Any]) -> None:
    task = asyncio.current_task()
    if task is None:  # some other library's event loop
        await _drive_next(owner, generator.close, (), {})
        return
    _closing.add(task)
    try:
        await _drive_next(owner, generator.close, (), {})
    finally:
        _closing.discard(task)


def wait_for_chunks(source: AsyncIterable[T], size: int) -> Generator[list[T], None, None]:
    """Yield the items of an async iterable, `size` at a time, in a worker: the bridge is crossed once per chunk."""
    iterator = aiter(source)
    while chunk := wait(_take(iterator, size)):
        yield chunk


async def _take(iterator: AsyncIterator[T], size: int) -> list[T]:
    items: list[T] = []
    async for item in iterator:
        items.append(item)
        if len(items) == size:
            break
    return items
