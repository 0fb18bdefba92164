"""What tables are made of and Core has no element for: it is written when the dialect is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors

from facade.exceptions import UnsupportedFeature
from facade.expressions.sqltext.fragments import Fragment
from facade.foundation.seams import Seam
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import DDLCompiler, SQLCompiler

    from facade.expressions.contracts import Compiler
    from facade.expressions.freezing import Frozen
    from facade.fields import Field

__all__ = [
    "Counted",
    "DefaultExpression",
    "DefaultValue",
    "Generated",
    "IndexExpression",
    "ModelExpression",
    "PrimaryKey",
    "Reference",
    "add_sequence",
    "table_expression",
]

# (expression, model, dialect) -> a Core element that names columns without their table.
table_expression: Seam[[Any, type[Any], Dialect], sa.ColumnElement[Any]] = Seam(
    "how an expression in a table's definition becomes SQL", filled_by="facade.sql.writes.standalone"
)


class ModelExpression(sa.ColumnElement[Any]):
    """A condition or expression of a model, made SQL when the dialect is known."""

    __visit_name__ = "model_expression"
    inherit_cache = False

    def __init__(self, model: type[Any], expression: Frozen) -> None:
        self.model, self.source = model, expression


@compiles(ModelExpression)
def _compile_expression(element: ModelExpression, compiler: Compiler, **options: Any) -> str:
    return _as_text(_core_of(element, compiler), compiler, options)


def _core_of(element: ModelExpression, compiler: Compiler) -> sa.ColumnElement[Any]:
    return table_expression(element.source, element.model, compiler.dialect)


def _as_text(core: sa.ColumnElement[Any], compiler: Compiler, options: Mapping[str, Any]) -> str:
    return str(compiler.process(core, **{**options, "literal_binds": True, "include_table": False}))


class IndexExpression(ModelExpression):
    """An expression that an index holds: it stands in parentheses, as MySQL and PostgreSQL ask."""

    inherit_cache = False


@compiles(IndexExpression)
def _compile_index_expression(element: IndexExpression, compiler: Compiler, **options: Any) -> str:
    return f"({_compile_expression(element, compiler, **options)})"


class DefaultExpression(ModelExpression):
    """An expression as ``db_default``. MariaDB takes one that asks a query, and keeps none."""

    inherit_cache = False

    def __init__(self, model: type[Any], field: Field[Any], expression: Frozen) -> None:
        super().__init__(model, expression)
        self.field = field


@compiles(DefaultExpression)
def _compile_default_expression(element: DefaultExpression, compiler: Compiler, **options: Any) -> str:
    core = _core_of(element, compiler)
    if not vendor_of(compiler.dialect).asks_in_defaults and any(map(_asks_a_query, visitors.iterate(core))):
        raise UnsupportedFeature(
            f"The db_default of {element.field} asks a query on MySQL and MariaDB, which have none in a default: a moment is "
            "converted to the time zone by one. Give the field a default in Python, or a constant as db_default."
        )
    return _as_text(core, compiler, options)


def _asks_a_query(item: object) -> bool:
    return isinstance(item, sa.SelectBase) or (isinstance(item, Fragment) and item.has_query)


class DefaultValue(sa.ColumnElement[Any]):
    """A plain ``db_default``, written as the column's type writes it."""

    __visit_name__ = "default_value"
    inherit_cache = False

    def __init__(self, field: Field[Any], value: object) -> None:
        self.field, self.value = field, value


@compiles(DefaultValue)
def _compile_default(element: DefaultValue, compiler: SQLCompiler, **options: Any) -> str:
    value = element.field.get_prep_value(element.value)
    column_type = element.field.column_type.dialect_impl(compiler.dialect)
    process = column_type.bind_processor(compiler.dialect)
    return _literal(value if process is None else process(value), compiler.dialect)


def _literal(value: object, dialect: Dialect) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return ("true" if value else "false") if dialect.supports_native_boolean else str(int(value))
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (bytes, memoryview)):
        return vendor_of(dialect).binary_literal.format(bytes(value).hex())
    text = str(value).replace("'", "''")
    if dialect.identifier_preparer._double_percents:
        text = text.replace("%", "%%")
    if vendor_of(dialect).reads_backslashes and "\\" in text:
        # Whether a backslash escapes what follows is up to the session; digits are read alike by all.
        return f"CONVERT(x'{str(value).encode().hex()}' USING utf8mb4)"
    return f"'{text}'"


class Reference(sa.ForeignKeyConstraint):
    """A foreign key that is checked at the end of the transaction, where the database can wait that long."""

    def __init__(self, columns: Sequence[str], targets: Sequence[str], ondelete: str | None) -> None:
        super().__init__(columns, targets, ondelete=ondelete, deferrable=True, initially="DEFERRED")


@compiles(Reference)
def _compile_reference(element: Reference, compiler: DDLCompiler, **options: Any) -> str:
    vendor, written = vendor_of(compiler.dialect), element
    if not vendor.can_defer_constraint_checks:
        written = sa.ForeignKeyConstraint.__new__(sa.ForeignKeyConstraint)  # type: ignore[assignment]
        written.__dict__.update(element.__dict__, deferrable=None, initially=None)
    return str(compiler.visit_foreign_key_constraint(written, **options))


class Counted(sa.Identity):
    """Makes the keys of new rows: an IDENTITY, or the default by a sequence where a database has none."""

    def __init__(self, sequence: str) -> None:
        super().__init__(always=False)
        self.sequence = sequence

    def _copy(self, **options: Any) -> Counted:
        return Counted(self.sequence)


@compiles(Counted)
def _compile_counted(element: Counted, compiler: DDLCompiler, **options: Any) -> str:
    if vendor_of(compiler.dialect).counts_by_sequence:
        return f"DEFAULT nextval({_literal(element.sequence, compiler.dialect)})"
    return str(compiler.visit_identity_column(element, **options))  # type: ignore[no-untyped-call]


class Generated(sa.Computed):
    """What the database computes of a row's other columns."""


@compiles(Generated, "duckdb")
def _compile_generated(element: Generated, compiler: DDLCompiler, **options: Any) -> str:
    if element.persisted:
        raise UnsupportedFeature("DuckDB stores no generated columns: give the field db_persist=False.")
    text = compiler.sql_compiler.process(element.sqltext, include_table=False, literal_binds=True)
    return f"GENERATED ALWAYS AS ({text}) VIRTUAL"


def add_sequence(table: sa.Table, name: str) -> None:
    """Make, and drop, the sequence of a table's keys with it where keys are counted by one."""
    sequence = sa.Sequence(name, schema=table.schema)

    def create(target: object, connection: sa.Connection, **details: Any) -> None:
        if vendor_of(connection.dialect).counts_by_sequence:
            connection.execute(sa.schema.CreateSequence(sequence))

    def drop(target: object, connection: sa.Connection, **details: Any) -> None:
        if vendor_of(connection.dialect).counts_by_sequence:
            connection.execute(sa.schema.DropSequence(sequence))

    sa.event.listen(table, "before_create", create)
    sa.event.listen(table, "after_drop", drop)


class PrimaryKey(sa.PrimaryKeyConstraint):
    """A primary key that has a name where databases keep it: MySQL warns that it does not."""


@compiles(PrimaryKey, "mysql")
@compiles(PrimaryKey, "mariadb")
def _compile_nameless(element: object, compiler: DDLCompiler, **options: Any) -> str:
    plain = sa.PrimaryKeyConstraint.__new__(sa.PrimaryKeyConstraint)
    plain.__dict__.update(element.__dict__, name=None)
    return str(compiler.visit_primary_key_constraint(plain, **options))
