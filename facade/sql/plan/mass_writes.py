"""QuerySet.update() and QuerySet.delete(): one UPDATE or DELETE with the query's conditions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import EmptyResultSet
from facade.expressions.comparisons import check_durations
from facade.expressions.freezing import Arg
from facade.expressions.functions.comparison import as_column
from facade.expressions.subquery import Embedded
from facade.fields import Field
from facade.fields.columns import DialectView
from facade.fields.relations.reverse import final_target
from facade.sql.core.select import Compiler
from facade.sql.core.simultaneous import update_statement
from facade.sql.plan.plan import Beyond, EmptyPlan, Plan, compile_plan
from facade.sql.query.depth import refusing_deep_query
from facade.sql.values import Fitting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Dialect

    from facade.db.database import Database
    from facade.expressions.contracts import Valued
    from facade.sql.plan.shape import Shape
    from facade.sql.query.query import Query as SQLQuery


def update_plan(shape: Shape, database: Database) -> Plan:
    """Return the plan of the UPDATE that the shape's last step asks for."""
    key = ("update", database.plan_key)
    if (plan := shape.plans.get(key)) is None:
        plan = shape.plans[key] = _make_plan(shape.query, database.compile_dialect, _update)
    return plan


def delete_plan(shape: Shape, database: Database) -> Plan:
    """Return the plan of a DELETE of the shape's rows."""
    key = ("delete", database.plan_key)
    if (plan := shape.plans.get(key)) is None:
        plan = shape.plans[key] = _make_plan(shape.query, database.compile_dialect, _delete)
    return plan


def _make_plan(
    query: SQLQuery, dialect: Dialect, make: Callable[..., Any], beyond: Beyond | None = None
) -> Plan:
    query.opts.check_writable()
    compiler = Compiler(query, dialect, beyond=beyond)
    again = functools.partial(_make_plan, query, dialect, make)
    try:
        with refusing_deep_query(query):
            return compile_plan(make(compiler), compiler, _count, again, reads=False, returns=False)
    except EmptyResultSet:
        return EmptyPlan()


def _count(rows: Iterable[Any], alias: str) -> list[Any]:
    return list(rows)


def _update(compiler: Compiler) -> Any:
    query = compiler.query
    table = compiler.table(query.initial_alias())
    values = {}
    for field, value in query.updates:
        values[field.column_in(table)] = stored_value(compiler, field, value)
    if not values:
        raise EmptyResultSet
    restricted = functools.partial(_where, compiler, table)
    keys = [field.column_in(table) for field in query.opts.pk_fields]
    order = functools.partial(_order, compiler)
    return update_statement(table, values, keys, restricted, compiler.dialect, order)


def _order(compiler: Compiler) -> list[Any]:
    """Return the terms of the order that was asked for, if it is one of columns of the table."""
    terms = compiler._order() if compiler.query.order.order_by else []
    return [] if any(join.parent is not None for join in compiler.query.joins.active()) else terms


def _delete(compiler: Compiler) -> Any:
    table = compiler.table(compiler.query.initial_alias())
    return _where(compiler, table, table.delete())


def stored_value(compiler: Compiler, field: Field[Any], value: Arg | Valued | None) -> Any:
    """Return the Core form of what a column is assigned."""
    if isinstance(value, Arg):
        return compiler.bind(value, field.column_type, _fitted(field, DialectView(compiler.dialect)))
    if value is None:
        return sa.null()
    core = as_column(compiler, value, field)
    if field.existing is not None:
        check_durations(compiler, field, field.existing, core)
    return core


def _fitted(field: Field[Any], view: DialectView) -> Callable[[Any], Any] | None:
    """Return what is left to be done with a value of update() where its database is known."""
    target = final_target(field)
    if target.prepares_itself(for_save=True):
        return lambda given: field.stored(given, view)
    if type(target).storable is Field.storable:
        return None

    def fit(prepared: object) -> Any:
        return target.storable(prepared, prepared, view)

    plain = field.unprepared(view.vendor)
    return fit if plain is None else Fitting(fit, plain)


def _where(compiler: Compiler, table: sa.Table, statement: sa.Select[Any] | sa.Update | sa.Delete) -> Any:
    """Restrict a statement on one table to the query's rows; other tables are reached through a subquery."""
    query = compiler.query
    joined = [join for join in query.joins.active() if join.parent is not None]
    if not joined and not query.where.contains_aggregate and not query.where.contains_over_clause:
        criteria = compiler._criteria(query.where)
        return statement if criteria is None else statement.where(criteria)
    inner = query.clone()
    inner.clear_ordering(force=True)
    inner.updates = ()
    inner.select_only("pk")
    keys = compiler.words.listed(compiler.subquery(Embedded(inner, 0)), apart=True)
    columns = [field.column_in(table) for field in query.opts.pk_fields]
    return statement.where((columns[0] if len(columns) == 1 else sa.tuple_(*columns)).in_(keys))
