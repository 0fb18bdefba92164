"""Objects from a statement of SQLAlchemy Core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.db.channels.channel import Statement
from facade.orm.querysets.raw import RawQuerySet
from facade.sql.core.defaults import values_left_out
from facade.sql.core.parameters import compile_given, written_out
from facade.sql.values import type_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

    from facade.db.database import Database


class StatementQuerySet(RawQuerySet):
    """The rows of a Core statement as objects of a model; columns that are no fields become attributes."""

    def __init__(
        self,
        statement: sa.ClauseElement,
        model: type[Any],
        using: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        super().__init__("", model, using=using, hints=hints)
        self.statement = statement

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.statement}>"

    def _copy(self) -> StatementQuerySet:
        clone = StatementQuerySet(self.statement, self.model, self._db, self._hints)
        clone._prefetch_related_lookups = self._prefetch_related_lookups
        return clone

    def _rows(self, database: Database) -> tuple[list[str], Iterable[Sequence[Any]]]:
        dialect = database.compile_dialect
        compiled = compile_given(self.statement, dialect)
        sql, params = written_out(compiled, {}, values_left_out(compiled))
        outcome = database.perform(Statement(sql), params)
        columns = list(outcome.columns or ())
        types = {column.keyname: column.type for column in compiled._result_columns}
        readers = [
            None if name not in types or self._field(name) else type_reader(types[name], dialect)
            for name in columns
        ]
        if not any(readers):
            return columns, outcome.rows
        return columns, [
            [value if read is None else read(value) for read, value in zip(readers, row, strict=True)]
            for row in outcome.rows
        ]
