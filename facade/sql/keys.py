"""Whether a query names one row by its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facade.expressions.freezing import Arg
from facade.expressions.lookups import Exact
from facade.expressions.q import AND
from facade.expressions.references import Col

if TYPE_CHECKING:
    from facade.sql.query import Query


def has_key(query: Query) -> bool:
    """Return whether the query reads one table and compares a unique column of it with a value."""
    where = query.where
    if query.combinator or query.extra_tables or where.negated or where.connector != AND:
        return False
    tables = [join.alias for join in query.joins.active()]
    return len(tables) == 1 and any(_names_a_row(condition) for condition in where.children)


def _names_a_row(condition: object) -> bool:
    return (
        isinstance(condition, Exact)
        and isinstance(condition.rhs, Arg)
        and type(condition.lhs) is Col
        and bool(condition.lhs.target.unique)
    )
