"""Streams: async iteration over sync generators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from facade.bridge.workers import creator, named

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterable

T = TypeVar("T")


def iterate(generator: Generator[T, Any, Any]) -> AsyncGenerator[T, None]:
    """Iterate with ``async for`` over a sync generator that waits; the operation belongs to the caller's task.

    The generator is closed, in a worker, when the iteration ends, fails or is left (through ``aclose()``, which the
    event loop calls for an iterator that was dropped).
    """
    return _iterate(creator(), generator)


_drive_next = named("iterate", "iterate")


async def _iterate(owner: object, generator: Generator[T, Any, Any]) -> AsyncGenerator[T, None]:
    end: Any = object()
    try:
        while (item := await _drive_next(owner, next, (generator, end), {})) is not end:
            yield item
    finally:
        await _drive_next(owner, generator.close, (), {})


def iterate_chunks(generator: Generator[Iterable[T], Any, Any]) -> AsyncGenerator[T, None]:
    """Iterate over the items of a generator of chunks: the bridge is crossed once per chunk."""
    return _flatten(iterate(generator))


async def _flatten(chunks: AsyncGenerator[Iterable[T], None]) -> AsyncGenerator[T, None]:
    try:
        async for chunk in chunks:
            for item in chunk:
                yield item
    finally:
        await chunks.aclose()
