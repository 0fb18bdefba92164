"""Expressions outside querysets: the values that save() stores, and those that belong to a table's definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.expressions.base import Expression
from facade.expressions.freezing import Values, freeze, showing
from facade.expressions.q import Q
from facade.expressions.subquery import columns_read
from facade.sql.core.constants import same_type, same_value
from facade.sql.core.layout import Binds
from facade.sql.core.select import Compiler
from facade.sql.plan.mass_writes import stored_value
from facade.sql.plan.shape import root
from facade.sql.query.depth import refusing_depth
from facade.sql.query.query import Query
from facade.sql.tables import elements
from facade.sql.writes import table_writer

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.db.database import Database
    from facade.expressions.contracts import Convert, CoreType
    from facade.fields import Field


def table_expression(expression: Q | Expression, model: type[Any], dialect: Dialect) -> Any:
    """Return the Core form of a check, a generated column, an index or a default of a table."""
    query = Query(model)
    compiler = Compiler(query, dialect)
    compiler.binds = BoundValues(())
    with refusing_depth(f"An expression in the definition of {model.__name__}"):
        if isinstance(expression, Q):
            return compiler.condition(compiler.query.resolve_condition(expression, allow_joins=False))
        return compiler.process(expression.resolve_expression(compiler.query, allow_joins=False))


class BoundValues(Binds):
    """The parameters of a statement that is written for these values alone: one for all that are equal."""

    varies = False

    def __init__(self, values: Sequence[Any]) -> None:
        super().__init__()
        self.values = values

    def add(self, index: int | None, type_: CoreType | None, convert: Convert | None, **options: Any) -> Any:
        value = None if index is None else self.values[index]
        value = value if convert is None else convert(value)
        key = convert if index is None else same_value(value), same_type(type_), *options
        if (known := self._known.get(key)) is None:
            known = self._known[key] = sa.bindparam(None, value, type_=type_, unique=True, **options)
        return known


def stored_expression(
    expression: Expression, model: type[Any], field: Field[Any], database: Database, new: bool
) -> Any:
    """Return the Core form of an expression that a row's field is assigned; `new` tells that the row is being inserted."""
    with refusing_depth(f"What is stored in {field}"):
        return _stored_expression(expression, model, field, database, new)


def _stored_expression(
    expression: Expression, model: type[Any], field: Field[Any], database: Database, new: bool
) -> Any:
    values = Values()
    key = ("store", ((field.attname, freeze(expression, values)),))
    shape, bound = root(model).advance(key, values, values.keyed)
    compiler = Compiler(shape.query, database.compile_dialect)
    compiler.binds = BoundValues(bound)
    ((_, resolved),) = shape.query.updates
    if new and isinstance(resolved, Expression) and any(True for _ in columns_read(resolved)):
        with showing(0, bound):
            raise ValueError(
                f'Failed to insert expression "{resolved}" on {field}. F() expressions can only be used to update, not to insert.'
            )
    return stored_value(compiler, field, resolved)


elements.table_expression.fill(table_expression)
table_writer.stored_expression.fill(stored_expression)
