"""The contenders: each module knows one way of doing the operations, on every road that it has.

What the methods take and give back, where ``Operation`` does not say it:

- Readers return one record or a list of them: instances, rows, dicts or tuples with the operation's columns in order.
- ``stream`` goes through all of ``event``, without holding it, and returns ``(number of rows, sum of number)``;
  ``exists`` asks whether the author has a book of more than 1,100 pages; ``count`` how many books the author has;
  ``aggregate`` gives their number, the sum of their pages and the highest price.
- ``group_by`` gives for each author, in the order of their keys, the number of their books and the sum of the pages.
- ``complex_filter`` takes a tag's slug: the books with this tag whose author's name begins with A or whose editor is
  active, but none of fewer than 100 pages; ordered by key, the first 50.
- ``insert`` takes the values of a draft, ``inserts`` a hundred of them for one transaction, one statement each,
  ``insert_many`` a thousand for as few statements as the contender likes; the instances know their keys afterwards.
- ``save``, ``save_field``, ``delete_instance`` get what ``prepare`` made of the argument: a loaded draft (and a price to
  be set first). ``save`` writes all columns where the contender can, ``save_field`` the price alone.
- ``update_f`` adds 1 to the pages of the drafts with ``start < id <= start + 20``; ``update_many`` gets all drafts, loaded,
  sets the pages of each to 60 more than its key, and writes that column in as few statements as the contender likes.
- ``get_or_create`` looks a draft up by its isbn, and makes it with the values where there is none.
- ``transaction`` inserts a draft; in a savepoint, it sets the price of another one by its key; in a second savepoint it
  adds 1 to that one's pages.
- ``gets_10``, ``gets_50``, ``gets_100`` are ``get`` for several keys at once, ``build`` makes the SQL of ``page`` without running it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.roads import Place, Road

POOL_SIZE = 10


class Absent(Exception):
    """A contender that cannot run here, or not on this road; the text says why."""


class Contender:
    """One way of doing the operations on one road.

    A subclass defines a method for each operation that it offers, named as the operation, a coroutine
    function on async roads, and ``open``, ``close`` likewise.
    """

    def __init__(self, road: Road, place: Place) -> None:
        self.road, self.place = road, place

    def prepare(self, operation: str, argument: Any) -> Any:
        """An operation's argument in the form that this contender takes; not measured, may be a coroutine."""
        return argument

    def open(self) -> Any: ...

    def close(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender's name in the tables and the module that has its ``contender(road, place)``."""

    name: str
    title: str
    module: str
    imports: str = ""
    """What a program imports to use it."""
    exact_types: bool = True
    """Whether its records are meant to hold the floor's Python types: rows of drivers and of Core are not."""
    requires: tuple[str, ...] = ()
    """The packages, as pip knows them; where they are not installed, an environment of its own is made with them."""
    is_orm: bool = True

    def make(self, road: Road, place: Place) -> Contender:
        """The contender for a road; raises ``Absent`` when it, or its driver, is not installed."""
        try:
            make: Callable[[Road, Place], Contender] = importlib.import_module(self.module).contender
        except ImportError as error:
            raise Absent(f"not installed: {error}") from error
        return make(road, place)


HERE = "benchmarks.contenders"
SQLALCHEMY = "import sqlalchemy.ext.asyncio"
DRIVERS = ("psycopg[binary]>=3.2", "asyncpg>=0.32", "aiosqlite>=0.20")

CONTENDERS = (
    Entry("bare", "bare driver", f"{HERE}.bare", exact_types=False, is_orm=False),
    Entry("floor", "floor", f"{HERE}.floor", is_orm=False),
    Entry("core", "SQLAlchemy Core", f"{HERE}.core", SQLALCHEMY, exact_types=False, is_orm=False),
    Entry("orm", "SQLAlchemy ORM", f"{HERE}.orm", f"{SQLALCHEMY}, sqlalchemy.orm"),
    Entry(
        "sqlmodel",
        "SQLModel",
        f"{HERE}.sqlmodel",
        "import sqlmodel",
        requires=("sqlmodel>=0.0.50", "greenlet", *DRIVERS),
    ),
    Entry(
        "django",
        "Django",
        f"{HERE}.django",
        "from django.db import models",
        requires=("django>=6.0", *DRIVERS),
    ),
    Entry(
        "django_async",
        "django-async-backend",
        f"{HERE}.django_async",
        "from django.db import models; import django_async_backend",
        requires=("django-async-backend[binary,pool]", "django>=6.1", *DRIVERS),
    ),
    Entry(
        "tortoise",
        "Tortoise",
        f"{HERE}.tortoise",
        "import tortoise",
        requires=("tortoise-orm>=1.1", "psycopg-pool", *DRIVERS),
    ),
    Entry(
        "piccolo", "Piccolo", f"{HERE}.piccolo", "import piccolo.table", requires=("piccolo>=1.38", *DRIVERS)
    ),
    Entry(
        "peewee",
        "Peewee",
        f"{HERE}.peewee",
        "import peewee",
        requires=("peewee[asyncpg,aiosqlite,psycopg3]>=4.5", *DRIVERS),
    ),
    Entry("pony", "Pony", f"{HERE}.pony", "import pony.orm", requires=("pony", "psycopg2-binary", *DRIVERS)),
    Entry(
        "ormar",
        "ormar",
        f"{HERE}.ormar",
        "import ormar",
        requires=("ormar>=0.26", *DRIVERS[::2], "asyncpg<0.32"),
    ),
    Entry("dorm", "dorm", f"{HERE}.dorm", "import dorm", requires=("djanorm>=4.5", "psycopg-pool", *DRIVERS)),
    Entry("oxyde", "oxyde", f"{HERE}.oxyde", "import oxyde", requires=("oxyde>=0.8", *DRIVERS)),
    Entry(
        "sqlobjects",
        "SQLObjects",
        f"{HERE}.sqlobjects",
        "import sqlobjects",
        requires=("sqlobjects>=2.1", "sqlalchemy[asyncio]<2.1", *DRIVERS),
    ),
    Entry("facade", "facade", f"{HERE}.facade", "import facade.models"),
)


def find(names: list[str]) -> tuple[Entry, ...]:
    """The contenders with these names, all of them without names; ``ValueError`` names the ones there are."""
    by_name = {entry.name: entry for entry in CONTENDERS}
    if unknown := [name for name in names if name not in by_name]:
        raise ValueError(f"No contender {unknown[0]!r}. There are: {', '.join(by_name)}")
    return tuple(by_name[name] for name in names) or CONTENDERS
