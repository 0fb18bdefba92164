"""SQL that stands in a table's definition, and in a script as it is written there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ColumnClause, TextClause

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import Compiled

__all__ = ["IndexSQL", "SQLText"]

_NAMES = re.compile(r"(?<![:\w\\]):(?=\w)")


class SQLText(TextClause):
    """A text of SQL as `sa.text()` takes it: what looks like the name of a parameter is none."""

    inherit_cache = False

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.source = _NAMES.sub(r"\\:", sql.replace("\\:", "\\\\:"))
        super().__init__(self.source)

    def compile(self, *args: Any, **options: Any) -> Compiled:  # type: ignore[override]
        """Give what a script has to say: Alembic writes what it has compiled so into `sa.text('…')`."""
        compiled = super().compile(*args, **options)
        compiled.string = self.source
        return compiled


class IndexSQL(ColumnClause[Any]):
    """What an index holds beside plain columns, as `sa.literal_column()` takes it."""

    inherit_cache = False

    def __init__(self, sql: str) -> None:
        self.sql = sql
        super().__init__(sql, type_=sa.types.NullType(), is_literal=True)

    def compile(self, *args: Any, **options: Any) -> Compiled:  # type: ignore[override]
        """Give what a script has to say: Alembic writes what it has compiled so into `sa.literal_column('…')`."""
        compiled = super().compile(*args, **options)
        compiled.string = self.sql
        return compiled
