"""Columns that carry their fields' defaults for statements of SQLAlchemy's; facade's own know them already."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.fields.columns import DialectView

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.schema import DefaultGenerator

    from facade.fields import Field

__all__ = ["FieldColumn", "FieldValue", "PreparedFieldValue", "knowing_values", "values_left_out"]


class _Compiling(threading.local):
    knows_values = False


_compiling = _Compiling()


@contextmanager
def knowing_values() -> Iterator[None]:
    """Compile a statement of facade's own: what it leaves out is left out on purpose, or made by the database."""
    before, _compiling.knows_values = _compiling.knows_values, True
    try:
        yield
    finally:
        _compiling.knows_values = before


class _Hidden:
    """An attribute of a column that is None while facade compiles a statement of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, column: object, owner: object = None) -> Any:
        return self if column is None else None if _compiling.knows_values else column.__dict__.get(self.name)

    def __set__(self, column: object, value: object) -> None:
        column.__dict__[self.name] = value


class FieldColumn(sa.Column[Any]):
    """The column of a field: INSERTs and UPDATEs of Core's and of SQLAlchemy's ORM find the field's defaults."""

    inherit_cache = True

    if not TYPE_CHECKING:
        default: DefaultGenerator | None = _Hidden("default")
        onupdate: DefaultGenerator | None = _Hidden("onupdate")


class FieldValue:
    """Makes a field's value where a statement of SQLAlchemy's gives none: `get_default` or `present` says which."""

    def __init__(self, field: Field[Any], source: str) -> None:
        self.field, self.source, self.__name__ = field, source, source

    def __repr__(self) -> str:
        return f"<{self.source} of {self.field}>"

    def __call__(self) -> Any:
        return self.field.get_prep_value(getattr(self.field, self.source)())


class PreparedFieldValue(FieldValue):
    """The same for a field of one's own that asks the database how values are stored: SQLAlchemy tells which it is."""

    def __call__(self, context: Executing) -> Any:  # type: ignore[override]
        return self.field.stored(getattr(self.field, self.source)(), DialectView(context.dialect))


class Executing:
    """What SQLAlchemy's Column defaults may ask of the statement that is executed."""

    def __init__(self, dialect: Dialect, parameters: Mapping[str, Any]) -> None:
        self.dialect, self.current_parameters = dialect, parameters

    def get_current_parameters(self, isolate_multiinsert_params: bool = True) -> Mapping[str, Any]:
        """Return the statement's parameters."""
        return self.current_parameters


def values_left_out(compiled: SQLCompiler, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the columns' defaults make for an INSERT or UPDATE with these values, by their parameters' names."""
    made: list[tuple[Any, Any]] = [(column, column.default) for column in compiled.insert_prefetch]
    made += [(column, column.onupdate) for column in compiled.update_prefetch]
    context = Executing(compiled.dialect, values)
    return {
        compiled._within_exec_param_key_getter(column): default.arg(context)
        if default.is_callable
        else default.arg
        for column, default in made
    }
