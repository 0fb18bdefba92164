"""Reduces what contenders return, or leave in the table, to what can be compared between processes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from benchmarks import schema
from benchmarks.operations import Operation

SCALARS = (bool, int, float, Decimal, str)


@dataclass(frozen=True, slots=True)
class Returned:
    """What an operation returned, reduced to what can be compared between processes."""

    count: int
    checksum: str
    types: tuple[str, ...]
    """The Python types met in each column."""


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
    "int": int,
}
_KINDS = {
    **schema.AUTHOR_COLUMNS,
    **schema.BOOK_COLUMNS,
    **schema.WIDE_COLUMNS,
    **{f"author.{name}": kind for name, kind in schema.AUTHOR_COLUMNS.items()},
    **{f"book_set.{name}": kind for name, kind in schema.BOOK_COLUMNS.items()},
    **{f"tags.{name}": kind for name, kind in schema.TAG_COLUMNS.items()},
    **{f"review_set.{name}": kind for name, kind in schema.REVIEW_COLUMNS.items()},
    "count": "int",
    "total": "int",
    "exists": "bool",
}


def returned(results: Sequence[Any], operation: Operation) -> Returned:
    """Reduce the results of an operation's calls."""
    records = (result if isinstance(result, list) else [result] for result in results)
    found = _flattened((record for several in records for record in several), operation)
    return digest(found, operation.checked_columns)


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


def _flattened(records: Iterable[Any], operation: Operation) -> Iterator[Any]:
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
    """A record and the list of those that belong to it: a pair of them, or a dict or an instance that has them."""
    if type(record) is tuple:
        return record
    related = record[name] if isinstance(record, dict) else getattr(record, name)
    return record, list(related if hasattr(related, "__iter__") else related.all())


def _key_of(record: Any) -> Any:
    if type(record) is tuple and isinstance(record[1], list):
        record = record[0]
    if isinstance(record, dict):
        return record["id"]
    return record[0] if isinstance(record, Sequence) or hasattr(record, "keys") else record.id


def _values(record: Any, columns: Sequence[str]) -> tuple[Any, ...]:
    if isinstance(record, SCALARS):
        return (record,)
    if isinstance(record, dict):
        return tuple(record[name] for name in columns)
    if isinstance(record, Sequence) or hasattr(record, "keys"):  # a tuple, a Row or asyncpg's Record
        return tuple(record)
    return tuple(attrgetter(name)(record) for name in columns)


def _type_name(value: Any) -> str:
    if isinstance(value, datetime):
        return "aware datetime" if value.tzinfo else "naive datetime"
    return type(value).__name__
