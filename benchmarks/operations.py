"""What is measured: the operations, the arguments they are called with, and what they must return."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, Literal

from benchmarks import schema

Kind = Literal["read", "write", "build"]

BOOK = tuple(schema.BOOK_COLUMNS)
AUTHOR = tuple(schema.AUTHOR_COLUMNS)
TAGS = ("tags", tuple(schema.TAG_COLUMNS))
BOOK_WITH_AUTHOR = BOOK + tuple(f"author.{name}" for name in schema.AUTHOR_COLUMNS)
LISTED = ("id", "title", "price", "published")
PAGE = 20


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that programs do with a database, called with each of ``arguments`` in turn."""

    name: str
    """The name of the contenders' method."""
    title: str
    arguments: Callable[[], Sequence[Any]]
    kind: Kind = "read"
    columns: tuple[str, ...] = BOOK
    """What a returned record holds: a tuple's items in this order, or an instance's attributes."""
    related: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The to-many relations that come along, each beyond the one before: its attribute, and the columns there."""
    checked_calls: int = 3

    @property
    def checked_columns(self) -> tuple[str, ...]:
        return self.columns + tuple(f"{name}.{column}" for name, names in self.related for column in names)


def _dice() -> random.Random:
    return random.Random(2013)


def _keys() -> list[int]:
    return _dice().choices(range(1, schema.BOOKS + 1), k=1_000)


def _authors() -> list[int]:
    return _dice().choices(range(1, schema.AUTHORS + 1), k=200)


def _new_books() -> list[dict[str, Any]]:
    return [schema.book_values(schema.BOOKS + number) for number in range(1, 1_001)]


def _twenty() -> list[int]:
    return [20]


def _thousand() -> list[int]:
    return [1_000]


def _ten_thousand() -> list[int]:
    return [10_000]


def _batch() -> list[list[dict[str, Any]]]:
    return [_new_books()]


def _new_prices() -> list[tuple[int, Decimal]]:
    dice = _dice()
    return [(dice.randint(1, schema.DRAFTS), Decimal(dice.randrange(100, 10_000)) / 100) for _ in range(500)]


OPERATIONS = (
    Operation("get", "get by pk", _keys, checked_calls=20),
    Operation("page", "filter, order, limit 20", _authors, checked_calls=20),
    Operation("list_some", "list 1,000 instances", _thousand),
    Operation("list_all", "list 10,000 instances", _ten_thousand, checked_calls=1),
    Operation("values_list", "values_list 10,000", _ten_thousand, columns=LISTED, checked_calls=1),
    Operation("select_related", "select_related 1,000", _thousand, columns=BOOK_WITH_AUTHOR),
    Operation("prefetch_many", "prefetch many-to-many", _thousand, related=(TAGS,)),
    Operation(
        "prefetch_nested", "prefetch nested", _twenty, columns=AUTHOR, related=(("book_set", BOOK), TAGS)
    ),
    Operation("insert", "insert one", _new_books, "write"),
    Operation("insert_many", "bulk insert 1,000", _batch, "write", checked_calls=1),
    Operation("update", "update one", _new_prices, "write"),
    Operation("build", "build queryset + plan", _authors, "build"),
)


def find(names: Iterable[str]) -> tuple[Operation, ...]:
    """The operations with these names; ``ValueError`` names the ones there are."""
    by_name = {operation.name: operation for operation in OPERATIONS}
    wanted = list(names) or list(by_name)
    if unknown := [name for name in wanted if name not in by_name]:
        raise ValueError(f"No operation {unknown[0]!r}. There are: {', '.join(by_name)}")
    return tuple(by_name[name] for name in wanted)


def _decimal(value: Any) -> str:
    return str(Decimal(str(value)).quantize(Decimal("0.01")))


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


def _day(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else value


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "decimal": _decimal,
    "datetime": _moment,
    "date": _day,
    "bool": bool,
}
_KINDS = {
    **schema.AUTHOR_COLUMNS,
    **schema.BOOK_COLUMNS,
    **{f"author.{name}": kind for name, kind in schema.AUTHOR_COLUMNS.items()},
    **{f"book_set.{name}": kind for name, kind in schema.BOOK_COLUMNS.items()},
    **{f"tags.{name}": kind for name, kind in schema.TAG_COLUMNS.items()},
}


@dataclass(frozen=True, slots=True)
class Returned:
    """What an operation returned, reduced to what can be compared between processes."""

    count: int
    checksum: str
    types: tuple[str, ...]
    """The Python types met in each column."""


def digest(records: Iterable[Any], columns: Sequence[str]) -> Returned:
    """Reduce records to a checksum that is the same for a driver's raw values and for converted ones."""
    total, count = hashlib.sha256(), 0
    types: list[set[str]] = [set() for _ in columns]
    conversions = [_PLAIN.get(_KINDS[name], lambda value: value) for name in columns]
    for record in records:
        count += 1
        values = _values(record, columns)
        plain = [convert(value) for convert, value in zip(conversions, values, strict=True)]
        total.update(repr(plain).encode())
        for seen, value in zip(types, values, strict=True):
            seen.add(_type_name(value))
    return Returned(count, total.hexdigest(), tuple("|".join(sorted(seen)) for seen in types))


def flattened(records: Iterable[Any], operation: Operation) -> Iterator[Any]:
    """The records; where others come along, the values of one of each, as an outer join has them."""
    if not operation.related:
        yield from records
        return
    levels = (operation.columns, *[columns for _, columns in operation.related])
    names = [name for name, _ in operation.related]
    for record in records:
        yield from _joined(record, names, levels)


def _joined(record: Any, names: Sequence[str], levels: Sequence[Sequence[str]]) -> Iterator[tuple[Any, ...]]:
    columns, *below = levels
    if record is None:
        yield (None,) * sum(map(len, levels))
    elif not below:
        yield _values(record, columns)[: len(columns)]
    else:
        own, related = _with_related(record, names[0])
        values = _values(own, columns)[: len(columns)]
        for item in sorted(related, key=_key_of) or [None]:
            for rest in _joined(item, names[1:], below):
                yield values + rest


def _with_related(record: Any, name: str) -> tuple[Any, Any]:
    """A record and the list of those that belong to it: a pair of them, or an instance and its attribute."""
    if type(record) is tuple:
        return record
    related = getattr(record, name)
    return record, list(related.all() if hasattr(related, "all") else related)


def _key_of(record: Any) -> Any:
    if type(record) is tuple and isinstance(record[1], list):
        record = record[0]
    return record[0] if isinstance(record, Sequence) or hasattr(record, "keys") else record.id


def _values(record: Any, columns: Sequence[str]) -> tuple[Any, ...]:
    if isinstance(record, Sequence) or hasattr(record, "keys"):  # a tuple, a Row or asyncpg's Record
        return tuple(record)
    return tuple(attrgetter(name)(record) for name in columns)


def _type_name(value: Any) -> str:
    if isinstance(value, datetime):
        return "aware datetime" if value.tzinfo else "naive datetime"
    return type(value).__name__
