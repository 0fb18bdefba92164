"""The contenders: each module finds and changes the rows of the pages in one library's way."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.roads import Place


class Absent(Exception):
    """A contender that cannot run here; the text says why."""


class Numbered(NamedTuple):
    """A row of ``world`` with its new number, where rows of the library cannot be changed."""

    id: int
    randomnumber: int


class Service:
    """What the application asks for. Rows have attributes: ``id`` and ``randomnumber``, or ``message``."""

    middleware: Sequence[Any] = ()
    """What the library wants around each request."""

    def __init__(self, place: Place, pool_size: int) -> None:
        self.place, self.pool_size = place, pool_size

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        """Open what the library wants opened when the application starts, and close it at its end."""
        yield

    async def one(self, key: int) -> Any:
        """A row of ``world``."""
        raise NotImplementedError

    async def several(self, keys: Sequence[int]) -> Sequence[Any]:
        """These rows of ``world``, by one query each, as TechEmpower's rules want it."""
        raise NotImplementedError

    async def fortunes(self) -> Sequence[Any]:
        """All rows of ``fortune``."""
        raise NotImplementedError

    async def change(self, numbers: Mapping[int, int]) -> Sequence[Any]:
        """Read these rows of ``world``, by one query each, and give them new numbers, in bulk if that is the way."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender's name, its module, and the function there that makes its ``Service``."""

    name: str
    title: str
    driver: str
    module: str
    function: str = "service"
    reference: bool = False
    """Shown to compare with: no ORM, and not in the race."""

    def make(self, place: Place, pool_size: int) -> Service:
        """The contender's service; raises ``Absent`` when it, or its driver, is not installed."""
        try:
            module = importlib.import_module(self.module)
            found: Service = getattr(module, self.function)(place, pool_size)
        except ImportError as error:
            raise Absent(f"not installed: {error}") from error
        return found


_HERE = "benchmarks.service.contenders"
CONTENDERS = (
    Entry("bare", "bare driver", "asyncpg", f"{_HERE}.bare", reference=True),
    Entry("facade", "facade", "asyncpg", f"{_HERE}.facade"),
    Entry("facade-psycopg", "facade on psycopg", "psycopg", f"{_HERE}.facade", "service_on_psycopg"),
    Entry("core", "SQLAlchemy Core", "asyncpg", f"{_HERE}.core"),
    Entry("orm", "SQLAlchemy ORM", "asyncpg", f"{_HERE}.orm"),
    Entry("tortoise", "Tortoise", "asyncpg", f"{_HERE}.tortoise"),
    Entry("django", "Django", "psycopg", f"{_HERE}.django"),
    Entry(
        "django-async-backend",
        "django-async-backend",
        "psycopg",
        f"{_HERE}.django",
        "service_on_async_backend",
    ),
)


def find(names: list[str]) -> tuple[Entry, ...]:
    """The contenders with these names, all of them without names; ``ValueError`` names the ones there are."""
    by_name = {entry.name: entry for entry in CONTENDERS}
    if unknown := [name for name in names if name not in by_name]:
        raise ValueError(f"No contender {unknown[0]!r}. There are: {', '.join(by_name)}")
    return tuple(by_name[name] for name in names) or CONTENDERS
