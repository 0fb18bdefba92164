"""Values for the rows that are there, of columns that may not be NULL."""

from __future__ import annotations

import ast
import datetime as dt
import decimal
import re
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic.operations import ops
from alembic.util import CommandError
from sqlalchemy.exc import CompileError

from facade import timezone
from facade.meta import registry
from facade.migrations.texts import SQLText
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.runtime.migration import MigrationContext

    from facade.fields import Field
    from facade.migrations.revisions.questions import Questions

__all__ = ["ONE_WAY", "FillIn", "NoLongerDefault", "NoLongerNull", "fill"]

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class NoLongerDefault(ops.AlterColumnOp):
    """Takes the default away that a new column had for the rows that were there; there is nothing to undo then."""


class FillIn(ops.ExecuteSQLOp):
    """Gives rows a value instead of NULL; what they held before is lost, so nothing undoes it."""


class _Nullable(ops.AddColumnOp):
    """Adds a column that is to be NOT NULL, where that takes a value; with the column goes this, too."""

    @classmethod
    def bundle(cls, one: ops.AddColumnOp) -> ops.ModifyTableOps:
        column = one.column._copy()
        column.nullable = True
        return ops.ModifyTableOps(
            one.table_name, [cls(one.table_name, column, schema=one.schema)], schema=one.schema
        )


class NoLongerNull(ops.AlterColumnOp):
    """Makes a column NOT NULL whose rows have got their values; what undoes it drops the column."""

    added: ops.AddColumnOp

    @classmethod
    def of(cls, one: ops.AddColumnOp) -> NoLongerNull:
        made = cls(
            one.table_name,
            one.column.name,
            schema=one.schema,
            existing_type=one.column.type,
            existing_nullable=True,
            modify_nullable=False,
        )
        made.added = one
        return made

    def reverse(self) -> ops.DropColumnOp:  # type: ignore[override]
        return self.added.reverse()


#: What is left out of a downgrade.
ONE_WAY = (FillIn, NoLongerDefault, _Nullable)


def fill(
    operations: list[ops.MigrateOperation], context: MigrationContext, questions: Questions
) -> list[ops.MigrateOperation]:
    """Return the operations with values for the rows that are there: the field's default, or what the user says.

    A new column gets it as a default of the database's, which is taken away again, or by an UPDATE where a table would be
    made anew for that; a column that becomes NOT NULL by an UPDATE.
    """
    filler = _Filler(context, questions)
    return [part for one in operations for part in filler.filled(one)]


class _Filler:
    def __init__(self, context: MigrationContext, questions: Questions) -> None:
        self.dialect = context.dialect
        self.alters = vendor_of(context.dialect).alters_tables
        self.questions = questions

    def filled(self, one: ops.MigrateOperation) -> Iterator[ops.MigrateOperation]:
        if not isinstance(one, ops.ModifyTableOps):
            yield one
            return
        after: list[ops.MigrateOperation] = []
        for number, part in enumerate(one.ops):
            if isinstance(part, ops.AddColumnOp) and _needs_value(part.column):
                value = self._value(one, part.column)
                if self.alters:
                    after.append(self._with_default(part, value))
                else:
                    one.ops[number] = NoLongerNull.of(part)
                    yield _Nullable.bundle(part)
                    yield self._update(part, part.column.name, value)
            elif isinstance(part, ops.AlterColumnOp) and part.modify_nullable is False:
                yield from self._no_null(part)
        yield one
        if after:
            yield ops.ModifyTableOps(one.table_name, after, schema=one.schema)

    def _value(self, one: ops.ModifyTableOps, column: sa.Column[Any]) -> str:
        value = self._known(one.table_name, column.name)
        if value is None:
            text = self.questions.default(_full(one, column.name))
            value = self._literal(text, column.type, column.name)
        return value

    def _known(self, table: str, column: str) -> str | None:
        field = _field(table, column)
        return None if field is None else self._value_of(field)

    def _with_default(self, one: ops.AddColumnOp, value: str) -> NoLongerDefault:
        """Let the database give the value to its rows, and to no others."""
        one.column = one.column._copy()
        one.column.server_default = sa.DefaultClause(value if _NUMBER.fullmatch(value) else SQLText(value))
        return NoLongerDefault(
            one.table_name,
            one.column.name,
            schema=one.schema,
            existing_type=one.column.type,
            existing_nullable=False,
            modify_server_default=None,
        )

    def _no_null(self, one: ops.AlterColumnOp) -> Iterator[FillIn]:
        value = self._known(one.table_name, one.column_name)
        if value is None:
            text = self.questions.value_for_null(_full(one, one.column_name))
            if text is None:
                return
            value = self._literal(
                text, one.modify_type or one.existing_type or sa.types.NullType(), one.column_name
            )
        yield self._update(one, one.column_name, value)

    def _update(self, one: ops.AlterTableOp, name: str, value: str) -> FillIn:
        prepared = self.dialect.identifier_preparer
        table = prepared.format_table(sa.table(one.table_name, schema=one.schema))
        column = prepared.quote(name)
        return FillIn(SQLText(f"UPDATE {table} SET {column} = {value} WHERE {column} IS NULL").source)

    def _value_of(self, field: Field[Any]) -> str | None:
        """Return the default that objects get, as the database writes it; None where there is none."""
        if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
            value: object = _now(field)
        elif field.has_default():
            value = field.get_default()
        elif field.blank and field.empty_strings_allowed:
            value = ""
        else:
            return None
        if value is None or hasattr(value, "resolve_expression"):
            return None
        return self._rendered(value, field.column_type, f"{field.model._meta.label}.{field.name}")

    def _literal(self, text: str, kind: sa.types.TypeEngine[Any], name: str) -> str:
        """Return what the user typed as the database writes it."""
        return self._rendered(_read(text, kind), kind, name)

    def _rendered(self, value: object, kind: sa.types.TypeEngine[Any], name: str) -> str:
        try:
            literal = sa.literal(value, kind).compile(
                dialect=self.dialect, compile_kwargs={"literal_binds": True}
            )
        except (CompileError, TypeError, ValueError, ArithmeticError) as error:
            raise CommandError(f"{value!r} is no value for {name} ({kind!r}): {error}") from error
        return str(literal)


def _full(one: ops.ModifyTableOps | ops.AlterColumnOp, column: str) -> str:
    """Return how the options name a column."""
    return ".".join(filter(None, (one.schema, one.table_name, column)))


def _needs_value(column: sa.Column[Any]) -> bool:
    return (
        not column.nullable
        and column.server_default is None
        and column.computed is None
        and column.identity is None
        and not column.primary_key
    )


def _field(table: str, column: str) -> Field[Any] | None:
    """Return the field behind a column."""
    for model in registry.apps.get_models(include_auto_created=True):
        if model._meta.db_table == table:
            for field in model._meta.local_concrete_fields:
                if field.column == column:
                    return field  # type: ignore[no-any-return]
    return None


def _now(field: Field[Any]) -> object:
    now = timezone.now()
    kind = field.get_internal_type()
    return {"DateField": now.date(), "TimeField": now.time()}.get(kind, now)


def _read(text: str, kind: sa.types.TypeEngine[Any]) -> object:
    """Return the value that the user means: a literal of Python's, or text that says one of the column's type."""
    python = _python_type(kind)
    if python is str:
        return _unquoted(text)
    reader = _READERS.get(python) if python is not None else None
    try:
        if reader is not None:
            return reader(_unquoted(text))
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, ArithmeticError) as error:
        raise CommandError(f"{text!r} is no value for a column of {kind!r}.") from error


def _python_type(kind: sa.types.TypeEngine[Any]) -> type | None:
    try:
        return kind.python_type
    except NotImplementedError:
        return None


def _unquoted(text: str) -> str:
    """Take off the quotes of a text that is written as Python writes it."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, str) else text


def _truth(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _moment(text: str) -> dt.datetime:
    return timezone.now() if text in ("now", "timezone.now") else dt.datetime.fromisoformat(text)


_READERS: dict[type, Callable[[str], object]] = {
    int: int,
    float: float,
    bool: _truth,
    decimal.Decimal: decimal.Decimal,
    dt.datetime: _moment,
    dt.date: dt.date.fromisoformat,
    dt.time: dt.time.fromisoformat,
    uuid.UUID: uuid.UUID,
}
