"""Rows as they are read: lines of JSON, and CSV, of lists of any length."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from facade.contrib.service.evaluation import as_queryset
from facade.foundation.imports import later
from facade.models import Model, QuerySet
from facade.parsing.dates import duration_string

if TYPE_CHECKING:
    import msgspec
else:
    msgspec = later("msgspec")

T = TypeVar("T")

BATCH: Final = 100
"""How many rows are sent at a time."""

_STREAMED = "Rows are streamed"
_NO_ROW = "A {model} is no JSON: row=… says what is told of it, as in row=BookOut.from_instance, or use queryset.values(…)."


def json_lines(
    queryset: QuerySet[Any, T], row: Callable[[T], object] | None = None, chunk_size: int = 2000
) -> AsyncGenerator[bytes, None]:
    """Yield the rows of a queryset as JSON, one a line, while they are read from a cursor of the database's.

    ``row`` makes of an object what is told of it: a dict, a model of pydantic, a Struct of msgspec, bytes of JSON. Rows of `values()` need
    none. Closing the generator frees the connection.
    """
    return _batches(
        queryset, chunk_size, lambda rows: b"".join(_line(one if row is None else row(one)) for one in rows)
    )


def csv_lines(
    queryset: QuerySet[Any, Any], columns: Sequence[str] | Mapping[str, str], chunk_size: int = 2000
) -> AsyncGenerator[bytes, None]:
    """Yield a CSV table of a queryset: a line of titles, then the rows, while they are read.

    ``columns``: paths, as for `values_list()`, or a mapping of paths to titles. None is an empty cell.
    """
    titles = list(columns.values()) if isinstance(columns, Mapping) else list(columns)
    rows = as_queryset(queryset, _STREAMED).values_list(*columns)
    return _with_titles(_table([titles]), _batches(rows, chunk_size, _table))


def attachment(filename: str) -> str:
    """Return the header Content-Disposition of an answer that browsers store under a name.

    >>> attachment("Bücher.csv")
    "attachment; filename*=UTF-8''B%C3%BCcher.csv"
    """
    return f"attachment; filename*=UTF-8''{quote(filename, safe='')}"


async def _with_titles(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for batch in rest:
            yield batch


async def _batches(
    queryset: QuerySet[Any, Any], chunk_size: int, write: Callable[[list[Any]], bytes]
) -> AsyncGenerator[bytes, None]:
    rows: AsyncGenerator[Any, None] = as_queryset(queryset, _STREAMED).aiterator(chunk_size=chunk_size)
    async with aclosing(rows):
        batch: list[Any] = []
        async for one in rows:
            batch.append(one)
            if len(batch) == BATCH:
                yield write(batch)
                batch = []
        if batch:
            yield write(batch)


def _line(value: object) -> bytes:
    if isinstance(value, bytes):
        return value + b"\n"
    if isinstance(value, Model):
        raise TypeError(_NO_ROW.format(model=type(value).__name__))
    if hasattr(value, "model_dump_json"):
        return value.model_dump_json().encode() + b"\n"  # type: ignore[no-any-return]
    if hasattr(value, "__struct_fields__"):
        return msgspec.json.encode(value) + b"\n"
    return json.dumps(value, default=plain, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def plain(value: object) -> object:
    """Return what JSON has of a value that it does not know; raises TypeError."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, dt.timedelta):
        return duration_string(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is no JSON: row=… says what is told of it.")


def _table(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.datetime | dt.date | dt.time) else value
