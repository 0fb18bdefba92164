"""Rows as they are read: lines of JSON, and CSV, of lists of any length."""

from __future__ import annotations

import csv
import decimal
import io
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, TypeVar
from urllib.parse import quote

from facade.contrib.service.evaluation import as_queryset
from facade.contrib.service.serialization import as_json, plain
from facade.models import Model, QuerySet

T = TypeVar("T")

BATCH: Final = 100
"""How many rows are sent at a time."""

_STREAMED = "Rows are streamed"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

_NO_COLUMNS = "The columns of a table are a list of paths, or a mapping of paths to titles, and not {columns!r}: without any, all would be sent."
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
    queryset: QuerySet[Any, Any],
    columns: Sequence[str] | Mapping[str, str],
    chunk_size: int = 2000,
    *,
    spreadsheet: bool = False,
) -> AsyncGenerator[bytes, None]:
    """Yield a CSV table of a queryset: a line of titles, then the rows, while they are read.

    ``columns``: paths, as for `values_list()`, or a mapping of paths to titles. None is an empty cell, a document its JSON,
    bytes are base 64. ``spreadsheet``: write an apostrophe before texts that a spreadsheet would take for a formula, and run.
    """
    if isinstance(columns, str) or not columns:
        raise TypeError(_NO_COLUMNS.format(columns=columns))
    titles = list(columns.values()) if isinstance(columns, Mapping) else list(columns)
    rows = as_queryset(queryset, _STREAMED).values_list(*columns)
    write = partial(_table, cell=_cell_of_spreadsheet if spreadsheet else _cell)
    return _with_titles(write([titles]), _batches(rows, chunk_size, write))


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
    return as_json(value) + b"\n"


def _table(rows: Iterable[Iterable[object]], cell: Callable[[object], object]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[cell(value) for value in row] for row in rows])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if value is None or isinstance(value, str | int | float | decimal.Decimal):
        return value
    return as_json(value).decode() if isinstance(value, dict | list | tuple) else plain(value)


def _cell_of_spreadsheet(value: object) -> object:
    """Return a cell whose text no spreadsheet takes for a formula. See https://owasp.org/www-community/attacks/CSV_Injection"""
    shown = _cell(value)
    return f"'{shown}" if isinstance(shown, str) and shown.startswith(_FORMULA) else shown
