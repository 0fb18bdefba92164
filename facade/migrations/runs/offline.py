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
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationContext, RevisionStep
    from sqlalchemy.engine import Connection

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
        running: object,
        many: bool,
    ) -> None:
        if not _LOOKS.match(sql):
            self.say(f"{sql.strip()};{f' -- {parameters!r}' if parameters else ''}")

    def say(self, text: str) -> None:
        self.output.write(f"{text}\n\n")
