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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alembic.runtime.migration import MigrationContext

    from facade.fields import Field
    from facade.migrations.revisions.questions import Questions

__all__ = ["ONE_WAY", "FillIn", "NoLongerDefault", "fill"]

# What text() would take for a parameter, first when Alembic writes it, then when the script is run.
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")


class NoLongerDefault(ops.AlterColumnOp):
    """Takes the default away that a new column had for the rows that were there; there is nothing to undo then."""


class FillIn(ops.ExecuteSQLOp):
    """Gives rows a value instead of NULL; what they held before is lost, so nothing undoes it."""


#: What is left out of a downgrade.
ONE_WAY = (FillIn, NoLongerDefault)


def fill(
    operations: list[ops.MigrateOperation], context: MigrationContext, questions: Questions
) -> list[ops.MigrateOperation]:
    """Return the operations with values for the rows that are there: the field's default, or what the user says.

    A new column gets it as a default of the database's, which is taken away again; a column that becomes NOT NULL by an
    UPDATE.
    """
    filler = _Filler(context, questions)
    return [part for one in operations for part in filler.filled(one)]


class _Filler:
    def __init__(self, context: MigrationContext, questions: Questions) -> None:
        self.dialect = context.dialect
        self.questions = questions

    def filled(self, one: ops.MigrateOperation) -> Iterator[ops.MigrateOperation]:
        if not isinstance(one, ops.ModifyTableOps):
            yield one
            return
        after: list[ops.MigrateOperation] = []
        for part in one.ops:
            if isinstance(part, ops.AddColumnOp) and _needs_value(part.column):
                after.append(self._add(part))
            elif isinstance(part, ops.AlterColumnOp) and part.modify_nullable is False:
                yield from self._no_null(part)
        yield one
        if after:
            yield ops.ModifyTableOps(one.table_name, after, schema=one.schema)

    def _add(self, one: ops.AddColumnOp) -> NoLongerDefault:
        column = one.column
        one.column = column = column._copy()
        field = _field(one.table_name, column.name)
        literal = self._value_of(field) if field is not None else None
        if literal is None:
            text = self.questions.default(f"{one.table_name}.{column.name}")
            literal = self._literal(text, column)
        column.server_default = self._clause(literal)
        return NoLongerDefault(
            one.table_name,
            column.name,
            schema=one.schema,
            existing_type=column.type,
            existing_nullable=False,
            modify_server_default=None,
        )

    def _no_null(self, one: ops.AlterColumnOp) -> Iterator[FillIn]:
        field = _field(one.table_name, one.column_name)
        literal = self._value_of(field) if field is not None else None
        if literal is None:
            text = self.questions.value_for_null(f"{one.table_name}.{one.column_name}")
            if text is None:
                return
            literal = self._literal(text, sa.Column(one.column_name, one.modify_type or one.existing_type))
        prepared = self.dialect.identifier_preparer
        table = prepared.format_table(sa.table(one.table_name, schema=one.schema))
        column = prepared.quote(one.column_name)
        yield FillIn(f"UPDATE {table} SET {column} = {literal} WHERE {column} IS NULL")

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
        if value is None:
            return None
        return self._rendered(value, field.column_type, f"{field.model._meta.label}.{field.name}")

    def _literal(self, text: str, column: sa.Column[Any]) -> str:
        """Return what the user typed as the database writes it."""
        value = _read(text, column.type)
        return self._rendered(value, column.type, column.name)

    def _rendered(self, value: object, kind: sa.types.TypeEngine[Any], name: str) -> str:
        try:
            literal = sa.literal(value, kind).compile(
                dialect=self.dialect, compile_kwargs={"literal_binds": True}
            )
        except (CompileError, TypeError, ValueError, ArithmeticError) as error:
            raise CommandError(f"{value!r} is no value for {name} ({kind!r}): {error}") from error
        return str(literal)

    def _clause(self, literal: str) -> sa.DefaultClause:
        """Return a default that a script's text() or string gives back as it is."""
        if re.fullmatch(r"'(?:[^']|'')*'", literal):
            text = literal[1:-1].replace("''", "'")
            escapes = getattr(self.dialect, "_backslash_escapes", False)
            return sa.DefaultClause(text.replace("\\\\", "\\") if escapes else text)
        return sa.DefaultClause(sa.text(_PARAMETER.sub(r"\\\\:\1", literal)))


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
