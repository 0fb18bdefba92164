"""What fills columns in that a write leaves out: a Column's `default`, `server_default`, `onupdate` and the like."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import UnsupportedFeature
from facade.expressions.base import Expression
from facade.expressions.core.clauses import CoreExpression
from facade.expressions.functions.comparison import Coalesce
from facade.expressions.references import F
from facade.foundation.imports import later
from facade.meta.versions import Version
from facade.orm.existing.tables import refuse

if TYPE_CHECKING:
    from sqlalchemy import orm
    from sqlalchemy.sql.schema import ColumnDefault, FetchedValue

    from facade.expressions.contracts import Compiler
    from facade.fields import Field
    from facade.meta.options import Options
    from facade.orm.existing.tables import Existing
else:
    orm = later("sqlalchemy.orm")

__all__ = ["take_defaults", "take_version"]

_OF_SQLALCHEMY = sa.sql.schema.__file__


class MadeByDatabase(Expression):
    """Stands for a value that only the database knows how to make, by a trigger or by counting."""

    def __init__(self, field: Field[Any]) -> None:
        super().__init__(field)
        self.of = field

    def __repr__(self) -> str:
        return f"MadeByDatabase({self.of})"

    def as_core(self, compiler: Compiler) -> Any:
        raise UnsupportedFeature(
            f"The database makes the value of {self.of} where an INSERT leaves the column out, and SQLite has no other word "
            "for it: insert the rows that give it a value apart from those that leave it out."
        )


def take_defaults(opts: Options, field: Field[Any], column: sa.Column[Any], table: Existing) -> None:
    """Let a field do what its column says of values that are left out; what the field itself says goes first."""
    field.generated = field.generated or column.computed is not None
    if field.generated:
        field.editable, field.blank = False, True
        return
    if not field.has_default() and not field.has_db_default():
        _take_default(opts, field, column, table)
    if column.onupdate is not None:
        _take_on_update(opts, field, column, column.onupdate)
    field.made_on_update = field.made_on_update or column.server_onupdate is not None
    if field.inferred and (field.has_default() or field.has_db_default() or field.on_update):
        field.blank = True


def take_version(
    opts: Options, fields: Mapping[sa.Column[Any], Field[Any]], table: Existing
) -> Version | None:
    """Let a model tell versions of its rows as the mapped class does (`version_id_col`)."""
    mapper = table.mapper
    column: Any = None if mapper is None else mapper.version_id_col
    if mapper is None or column is None:
        return None
    field, following = fields[column], mapper.version_id_generator or None
    if field.inferred:
        field.blank = True
    counted = None
    if following is None:
        if column.server_default is None and column.server_onupdate is None:
            opts.read_only = (
                f"{mapper.class_.__name__} leaves the versions of its rows to the program (version_id_generator=False), and the "
                f"column {column.name!r} has neither a server_default nor a server_onupdate"
            )
            return None
        field.made_on_update = True
    elif getattr(following, "__module__", None) == orm.Mapper.__module__:  # its own, which counts
        counted = partial(_next_number, field.name, bool(column.nullable))
    opts.version = Version(field, following, counted)
    return opts.version


def _next_number(name: str, nullable: bool) -> Expression:
    return (Coalesce(F(name), 0) if nullable else F(name)) + 1


def _take_default(opts: Options, field: Field[Any], column: sa.Column[Any], table: Existing) -> None:
    default: Any = column.default
    if default is not None:
        if default.is_sequence:
            if field is not opts.auto_field:
                field.db_default = CoreExpression(default.next_value())
        elif default.is_clause_element:
            field.db_default = CoreExpression(default.arg)
        elif default.is_callable and _asks_for_a_context(default.arg):
            field.default, field.default_in_context = None, default.arg
        else:
            field.default = python_value(opts, column, default)
    elif field is opts.auto_field:
        return
    elif column.server_default is not None:
        field.db_default = _server_expression(field, column.server_default)
    else:
        _take_mapped_default(field, column, table)
    field.__dict__.pop("_get_default", None)


def python_value(opts: Options, column: sa.Column[Any], default: ColumnDefault) -> Any:
    """Return a default or an `onupdate` of Python's: a constant, or a function without parameters."""
    if default.is_scalar:
        return default.arg
    function = default.arg  # takes a context, whatever it was made of
    if _asks_for_a_context(function):
        raise refuse(
            opts,
            f"the column {column} has an onupdate that is called with SQLAlchemy's context of the statement "
            f"({function.__name__}), which facade has for defaults only. Declare the field beside it, and set it in save().",
        )
    given: Callable[[], Any] = getattr(function, "__wrapped__", None) or (lambda: function(None))
    return given


def _asks_for_a_context(function: Callable[..., Any]) -> bool:
    code = getattr(function, "__code__", None)
    return (
        code is None or code.co_filename != _OF_SQLALCHEMY
    )  # which puts the parameter before functions without one


def _server_expression(field: Field[Any], default: FetchedValue) -> Expression:
    """Return what stands for a server default: where it is an expression, what it computes."""
    given = getattr(default, "arg", None)
    if isinstance(given, str):
        return CoreExpression(sa.literal(given))
    if isinstance(given, sa.TextClause):
        return CoreExpression(sa.literal_column(given.text))
    return MadeByDatabase(field) if given is None else CoreExpression(given)


def _take_mapped_default(field: Field[Any], column: sa.Column[Any], table: Existing) -> None:
    """Take what a mapped class gives its instances without telling the Column."""
    mapper = table.mapper
    if mapper is None:
        return
    if mapper.polymorphic_on is column:  # what tells the rows of its subclasses apart
        field.default = mapper.polymorphic_identity
    elif dataclasses.is_dataclass(mapper.class_):
        for item in dataclasses.fields(mapper.class_):
            if item.name == table.name_of(column) and item.default_factory is not dataclasses.MISSING:
                field.default = item.default_factory


def _take_on_update(opts: Options, field: Field[Any], column: sa.Column[Any], given: object) -> None:
    default: Any = given
    if default.is_scalar or default.is_callable:
        value = python_value(opts, column, default)
        field.on_update = value if callable(value) else lambda: value
    else:
        field.made_on_update = True
