"""Twins keep whole signatures, for mypy and for pyright."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from facade import bridge

if TYPE_CHECKING:
    from collections.abc import Generator


class Shelf:
    def find(self, title: str, *, limit: int = 1) -> list[str]:
        return [title] * limit

    def rows(self) -> Generator[int, None, None]:
        yield 1

    afind = bridge.twin(find)


def count(shelf: Shelf, start: int = 0) -> int:
    return start


acount = bridge.function_twin(count)


async def uses() -> None:
    shelf = Shelf()
    assert_type(await shelf.afind("Emma"), list[str])
    assert_type(await shelf.afind("Emma", limit=2), list[str])
    assert_type(await acount(shelf, start=1), int)
    assert_type(await bridge.run(shelf.find, "Emma", limit=2), list[str])
    assert_type(await bridge.spawn(count, shelf), int)
    assert_type([row async for row in bridge.iterate(shelf.rows())], list[int])
    await shelf.afind(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    await shelf.afind("Emma", limits=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await acount()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await bridge.run(count, shelf, "one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def sync_uses(shelf: Shelf) -> None:
    assert_type(bridge.wait(shelf.afind("Emma")), list[str])
    assert_type(bridge.finish(acount(shelf), 5), int)
    assert_type(bridge.complete(acount(shelf)), int)
