"""A query as a Core select of its own, with its values in it: for sessions, connections and other Core statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import EmptyResultSet
from facade.sql.core.layout import Binds, given_value
from facade.sql.core.select import Compiler

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.expressions.contracts import Convert, CoreType
    from facade.sql.query.query import Query


class _Valued(Binds):
    """Parameters that hold their values. Their names are SQLAlchemy's affair: other statements have parameters, too."""

    varies = False

    def __init__(self, args: tuple[Any, ...]) -> None:
        super().__init__()
        self.args = args

    def add(self, index: int | None, type_: CoreType | None, convert: Convert | None, **options: Any) -> Any:
        value = given_value(self.args, index, convert)
        return sa.bindparam(None, value, type_, unique=True, **options)


def exported(query: Query, database: Database, args: tuple[Any, ...]) -> Any:
    """Return a query with its arguments as a select for `database`, one that finds no row where facade would not ask."""
    query.asks_when_empty = True
    compiler = Compiler(query, database.compile_dialect)
    compiler.binds = _Valued(args)
    try:
        statement = compiler.statement()
    except EmptyResultSet:
        statement = sa.select(sa.null()).where(sa.false())
    compiler.binds.check_database(database)
    return statement
