"""Defaults of existing columns that are made of a row's other values: `default=lambda context: ...`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from facade.expressions.freezing import EXPRESSIONS
from facade.sql.core.defaults import Executing

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.fields import Field
    from facade.fields.contracts import Instance

__all__ = ["filled_in"]


@contextmanager
def filled_in(objs: Sequence[Any], fields: Sequence[Field[Any]], dialect: Dialect) -> Iterator[None]:
    """Give instances the values of these fields that they lack; take them back if they are not stored."""
    made: list[tuple[Instance, str]] = []
    try:
        for obj in objs if fields else ():
            made += ((obj, field.attname) for field in _fill_in(obj, fields, dialect))
        yield
    except BaseException:
        for obj, attname in made:
            setattr(obj, attname, None)
        raise


def _fill_in(obj: Instance, fields: Sequence[Field[Any]], dialect: Dialect) -> Iterator[Field[Any]]:
    """Set the values that an instance lacks, in the order of the columns; yield their fields."""
    missing = [field for field in fields if obj.__dict__.get(field.attname) is None]
    values = _values(obj, missing) if missing else {}
    for field in missing:
        made = field.default_in_context(Executing(dialect, values))  # type: ignore[misc]  # one of `in_context`
        setattr(obj, field.attname, made)
        values[field.column_key] = made
        yield field


def _values(obj: Instance, missing: Sequence[Field[Any]]) -> dict[str, Any]:
    """Return what an INSERT gives, by the names of the parameters in SQLAlchemy's: expressions are none."""
    given = {}
    for field in obj._meta.concrete_model._meta.local_concrete_fields:
        value = obj.__dict__.get(field.attname)
        left_out = field in missing or field.generated or (value is None and field.primary_key)
        if not left_out and not isinstance(value, EXPRESSIONS):
            given[field.column_key] = value
    return given
