"""Lists as one parameter: JSON, where the database has no arrays."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import CoreType


class ListParameter(sa.types.TypeDecorator[Any]):
    """A list of values of one type."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, item: CoreType) -> None:
        super().__init__()
        self.item = item

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        process = self.item.dialect_impl(dialect).bind_processor(dialect)
        if process is None:
            return _as_json
        return lambda values: _as_json([process(value) for value in values])


class RowsParameter(sa.types.TypeDecorator[Any]):
    """A list of rows, the values of each of these types."""

    impl = sa.Text
    cache_ok = False

    def __init__(self, items: Sequence[CoreType]) -> None:
        super().__init__()
        self.items = items

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        found = [item.dialect_impl(dialect).bind_processor(dialect) for item in self.items]
        processors = [_unchanged if process is None else process for process in found]

        def process_rows(rows: list[Any]) -> str:
            return _as_json(
                [[process(item) for process, item in zip(processors, row, strict=True)] for row in rows]
            )

        return process_rows


def _unchanged(value: object) -> Any:
    return value


_encode = json.JSONEncoder(allow_nan=False).encode  # which `json.dumps` makes anew for each call


def _as_json(values: list[Any]) -> str:
    """Return a list as JSON for SQLite, to which NaN is NULL, and a number beyond its range infinity."""
    try:
        return _encode(values)
    except ValueError:
        return f"[{','.join(map(_item_as_json, values))}]"


def _item_as_json(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_item_as_json, value))}]"
    if value != value:  # noqa: PLR0124 - only NaN is unequal to itself
        return "null"
    return json.dumps(value).replace("Infinity", "1e999") if isinstance(value, float) else json.dumps(value)


class KeyList(sa.types.TypeDecorator[Any]):
    """A list of keys of documents; other letters than those of ASCII are escaped, or not."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, ascii_only: bool = True) -> None:
        super().__init__()
        self.ascii_only = ascii_only

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return partial(json.dumps, ensure_ascii=self.ascii_only)


__all__ = ["KeyList", "ListParameter", "RowsParameter"]
