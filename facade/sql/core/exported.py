"""A query as a Core select of its own, with its values in it: for sessions, connections and other Core statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import EmptyResultSet
from facade.expressions.references import Col
from facade.fields import Field
from facade.sql.core.layout import Binds, given_value
from facade.sql.core.select import Compiler
from facade.sql.values import converter, reader_there

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

    from facade.db.database import Database
    from facade.expressions.contracts import Convert, Core, CoreType, Valued
    from facade.sql.query.query import Query
    from facade.types.base import Processor


class ValuedBinds(Binds):
    """Parameters that hold their values. Their names are SQLAlchemy's affair: other statements have parameters, too."""

    varies = False

    def __init__(self, args: tuple[Any, ...], database: Database) -> None:
        super().__init__()
        self.args, self.database = args, database

    def add(self, index: int | None, type_: CoreType | None, convert: Convert | None, **options: Any) -> Any:
        value = given_value(self.args, index, convert)
        return sa.bindparam(None, value, type_, unique=True, **options)


class _Read(sa.types.TypeDecorator[Any]):
    """The type of a column whose values the queryset makes of what the driver gives."""

    impl: Any = sa.types.NullType
    cache_ok = True

    def __init__(self, type_: TypeEngine[Any], source: Field[Any] | Valued, database: Database) -> None:
        super().__init__()
        self.type_, self.source, self.database = type_, source, database
        self.impl = type_

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        return reader_there(converter(self.source, dialect), self.database)


class Exporter(Compiler):
    """Compiles a query for whoever runs it: the values of the rows are those that the queryset has."""

    binds: ValuedBinds

    def _read(self, core: Core, source: Field[Any] | Valued) -> Any:
        if self.form is None or (isinstance(source, Col | Field) and not _reads(source)):
            return core
        read = _Read(core.type, source, self.binds.database)
        if not isinstance(core, sa.Label):
            return sa.type_coerce(core, read)
        core.type = read  # the same label, which the order may name
        return core


def _reads(source: Col | Field[Any]) -> bool:
    """Return whether the values of a column are made by the field, and not by its type alone."""
    field = source if isinstance(source, Field) else source.output_field
    return getattr(field, "from_db_value", None) is not None


def exported(query: Query, database: Database, args: tuple[Any, ...], dialect: Dialect | None = None) -> Any:
    """Return a query with its arguments as a select for `database`, one that finds no row where facade would not ask.

    It is in the words of the database, or of another `dialect`.
    """
    query.asks_when_empty = True
    compiler = Exporter(query, database.compile_dialect if dialect is None else dialect)
    compiler.binds = ValuedBinds(args, database)
    try:
        statement = compiler.statement()
    except EmptyResultSet:
        statement = sa.select(sa.null()).where(sa.false())
    compiler.binds.check_database(database)
    return statement
