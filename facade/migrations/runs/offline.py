"""SQL that is written instead of run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import context
from alembic.runtime.migration import MigrationStep
from alembic.util import to_tuple

from facade.db.database import Database
from facade.db.settings import config
from facade.migrations.runs import dialects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.default import DefaultExecutionContext
    from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["REPLAYED", "write"]

#: An option of the context in which revisions run for their SQL alone: functions of theirs are not called.
REPLAYED = "facade_replayed"

_LOOKS = re.compile(r"\s*(SELECT|PRAGMA)\b", re.IGNORECASE)


def write(database: Database, settings: dict[str, Any]) -> None:
    """Write the SQL of the revisions that are asked for."""
    context.configure(
        dialect_name=database.settings.dialect_name,
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        **settings,
    )
    asked = context.get_context()
    dialects.checked(asked.opts["fn"], asked.get_current_heads(), asked)
    if database.features.alters_tables:
        with context.begin_transaction():
            context.run_migrations()
    else:
        _replay(asked, settings)


def _replay(asked: MigrationContext, settings: dict[str, Any]) -> None:
    """Run the history in memory, and write what the last revisions send: a table is made anew from what it was."""
    heads = to_tuple(asked.opts.pop("starting_rev", None), ())
    work = asked.opts["fn"]
    place = Database("memory", config.read("memory", "sqlite://"))
    with place.engine.connect() as connection:
        sent = _Sent(connection, asked)

        def steps(_: tuple[str, ...], running: MigrationContext) -> Iterator[RevisionStep]:
            scripts = running.script
            assert scripts is not None
            before = [*scripts.iterate_revisions(heads, (), implicit_base=True)][::-1] if heads else []
            dialects.check(before, running.dialect)
            for one in before:
                yield MigrationStep.upgrade_from_script(scripts.revision_map, one)
            sent.listen()
            for step in work(heads, running):
                sent.say(f"-- Running {step.short_log}")
                yield step

        context.configure(
            connection=connection,
            **{**settings, "as_sql": False, "dont_mutate": False, "fn": steps, REPLAYED: True},
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.rollback()
    place.dispose()


class _Sent:
    """Writes the statements that a connection sends, from when it listens."""

    def __init__(self, connection: Connection, asked: MigrationContext) -> None:
        self.connection, self.output = connection, asked.output_buffer

    def listen(self) -> None:
        sa.event.listen(self.connection, "before_cursor_execute", self._take)

    def _take(
        self,
        connection: Connection,
        cursor: object,
        sql: str,
        parameters: object,
        running: DefaultExecutionContext,
        many: bool,
    ) -> None:
        if _LOOKS.match(sql):
            return
        for text in _with_values(sql, parameters, running) if parameters else [f"{sql.strip()};"]:
            self.say(text)

    def say(self, text: str) -> None:
        self.output.write(f"{text}\n\n")


def _with_values(sql: str, parameters: object, running: DefaultExecutionContext) -> list[str]:
    """Return a statement as one text for each row of values, which stand in it; behind it where they cannot."""
    compiled: Any = running.compiled
    if compiled is None:  # SQL by hand, whose values the driver has
        return [f"{sql.strip()}; -- {parameters!r}"]
    try:
        return [f"{_literal(compiled, values, running.dialect)};" for values in running.compiled_parameters]
    except sa.exc.SQLAlchemyError:  # a type that has no literals
        return [f"{sql.strip()}; -- {parameters!r}"]


def _literal(compiled: SQLCompiler, values: Mapping[str, Any], dialect: sa.Dialect) -> str:
    statement: Any = compiled.statement
    if compiled.column_keys:  # the values were given with the statement, and are not in it
        statement = statement.values({key: values[key] for key in compiled.column_keys})
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).strip()
