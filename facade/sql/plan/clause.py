"""A condition or an expression as a clause of Core, for statements of one's own on the table of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.db.connection import connections
from facade.db.routing import router
from facade.db.scopes.binding import Using, alias_of
from facade.exceptions import FieldError
from facade.expressions import base
from facade.expressions.freezing import Values, freeze
from facade.expressions.q import Q, freeze_condition
from facade.sql.core.exported import Exporter, ValuedBinds
from facade.sql.plan.shape import root

if TYPE_CHECKING:
    from facade.expressions.base import Expression
    from facade.sql.query.joins import Join
    from facade.sql.query.query import Query

_NAME = "resolve()"  # no field is called so


def clause(expression: Q | Expression, model: type[Any], using: Using | None = None) -> Any:
    """Return what an expression is in a statement on the table of `model`, its constants bound parameters.

    Raises TypeError for what is no model, FieldError for names over a relation.
    """
    given: object = model
    opts: Any = getattr(given, "_meta", None)
    if not isinstance(given, type) or opts is None or opts.abstract:
        raise TypeError(
            f"resolve() takes a model that has a table, not {getattr(model, '__name__', model)!r}."
        )
    values = Values()
    key: tuple[Any, ...]
    if isinstance(expression, Q):
        condition = freeze_condition(expression, values)
        key = ("condition", (condition,), False)
    else:
        key = ("annotate", ((_NAME, freeze(expression, values)),), True)
    shape, args = root(model).advance(key, values, values.keyed)
    database = connections[alias_of(using) or router.db_for_read(model)]
    compiler = Exporter(shape.query, database.compile_dialect)
    compiler.binds = ValuedBinds(args, database)
    _refuse_joins(compiler.query, expression)
    made = _made(compiler, isinstance(expression, Q))
    compiler.binds.check_database(database)
    return made


def _made(compiler: Exporter, is_condition: bool) -> Any:
    query = compiler.query
    if is_condition:
        return compiler.boolean(query.where) if query.where else sa.true()
    resolved = query.annotations[_NAME]
    return compiler.boolean(resolved) if resolved.conditional else compiler.process(resolved)


def _refuse_joins(query: Query, expression: Q | Expression) -> None:
    for join in query.joins.active():
        if join.parent is not None and not _leads_to_a_parent(query.model, join):
            assert join.hop is not None
            relation = join.hop.join_field.name
            raise FieldError(
                f"{expression!r} goes over the relation {query.model.__name__}.{relation}, for which a clause has no join. "
                "Take the statement of a queryset, or resolve the part on its own model, and join the tables in Core."
            )


def _leads_to_a_parent(model: type[Any], join: Join) -> bool:
    return issubclass(model, join.model) and join.hop.join_field in model._meta.parents.values()  # type: ignore[union-attr]


base.in_core.fill(clause)
