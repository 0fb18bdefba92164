"""What an interrupted revision leaves where each DDL statement commits: a mark on the version table says how far it came."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa
from alembic.util import CommandError
from sqlalchemy.schema import SetTableComment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

__all__ = ["UNMARKED", "Mark", "Marks"]

#: An execution option of statements that may be left behind: they do no harm when the revision is run again.
UNMARKED = "facade_unmarked"

_TEXT = re.compile(
    r"facade: (?P<way>upgrade|downgrade) (?P<revision>\S+) reached statement (?P<number>\d+): (?P<sql>.*)",
    re.DOTALL,
)
_DDL = re.compile(r"\s*(ALTER|CREATE|DROP|RENAME|TRUNCATE)\b", re.IGNORECASE)
_READS = re.compile(r"\s*(SELECT|SHOW|SET|DESCRIBE|EXPLAIN)\b", re.IGNORECASE)
_LONGEST = 1500


class Mark(NamedTuple):
    """The statement that a revision came to."""

    way: str
    revision: str
    number: int
    sql: str

    def __str__(self) -> str:
        return f"facade: {self.way} {self.revision} reached statement {self.number}: {self.sql[:_LONGEST]}"


class Marks:
    """Writes the marks of one run, as the comment of the version table: there is no other table to compare and to drop.

    The mark is written before each DDL statement, which commits what came before anyway.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._context: MigrationContext | None = None
        self._may_go_on = True
        self._way, self._revision = "upgrade", ""
        self._number = 0
        self._writing = False
        self._looked = False

    @contextmanager
    def watching(self, context: MigrationContext, *, again: bool) -> Iterator[None]:
        """Mark what the revisions of the block do; nothing where a transaction holds a revision whole."""
        if context.impl.transactional_ddl or not self.connection.dialect.supports_comments:
            yield
            return
        self._context, self._may_go_on = context, again
        sa.event.listen(self.connection, "before_cursor_execute", self._before)
        try:
            yield
        except Exception:
            self._fail()
            raise
        finally:
            sa.event.remove(self.connection, "before_cursor_execute", self._before)

    @property
    def _table(self) -> sa.Table:
        assert self._context is not None
        return sa.Table(self._context.version_table, sa.MetaData(), schema=self._context.version_table_schema)

    def _check(self) -> None:
        """Refuse to go on behind a revision that was interrupted, unless it was undone by hand.

        Raises CommandError, which says what to look at.
        """
        mark = self._left()
        if mark is None:
            return
        done = (mark.revision in self._applied()) == (mark.way == "upgrade")
        if self._may_go_on or done:
            self._write(None)
            return
        raise CommandError(
            f"The last run was interrupted in the {mark.way} of {mark.revision}, at its statement {mark.number}: "
            f"{' '.join(mark.sql.split())} - This database commits each of them, so those before it are done. Look whether "
            "this one is, then undo them by hand and run migrate with --again, or do the rest by hand and run "
            f"migrate with --fake {mark.revision}."
        )

    def _left(self) -> Mark | None:
        try:
            table = self._table
            comment = sa.inspect(self.connection).get_table_comment(table.name, schema=table.schema)["text"]
        except sa.exc.NoSuchTableError:
            comment = None
        finally:
            self.connection.rollback()
        found = _TEXT.fullmatch(comment or "")
        return found and Mark(found["way"], found["revision"], int(found["number"]), found["sql"])

    def _applied(self) -> set[str]:
        assert self._context is not None
        heads, scripts = self._context.get_current_heads(), self._context.script
        self.connection.rollback()
        return (
            {one.revision for one in scripts.iterate_revisions(heads, "base")} if heads and scripts else set()
        )

    def begin(self, way: str, revision: str) -> None:
        """The statements that follow are a revision's; before the first one it is looked what the last run has left."""
        if self._context is not None and not self._looked:
            self._looked = True
            self._check()
        self._way, self._revision, self._number = way, revision, 0

    def end(self) -> None:
        """The revision is committed."""
        if self._number:
            self._write(None)
        self._revision = ""

    def _fail(self) -> None:
        """The revision has failed; what its first statement did not do needs no mark."""
        if self._number == 1:
            self.connection.rollback()
            self._write(None)

    def _write(self, mark: Mark | None) -> None:
        table = self._table
        table.comment = "" if mark is None else str(mark)
        self._writing = True
        try:
            self.connection.execute(SetTableComment(table))
            self.connection.commit()
        finally:
            self._writing = False

    def _before(
        self,
        connection: Connection,
        cursor: object,
        sql: str,
        parameters: object,
        context: object,
        many: bool,
    ) -> None:
        options = getattr(context, "execution_options", {})
        if self._writing or not self._revision or _READS.match(sql) or UNMARKED in options:
            return
        self._number += 1
        if _DDL.match(sql):
            self._mark(sql)

    def _mark(self, sql: str) -> None:
        """Write the mark inside the revision's transaction: the DDL that follows ends it all the same."""
        table = self._table
        table.comment = str(Mark(self._way, self._revision, self._number, sql))
        self._writing = True
        try:
            self.connection.execute(SetTableComment(table))
        finally:
            self._writing = False
