"""Expressions outside querysets: the values that save() stores, and those that belong to a table's definition."""

from __future__ import annotations

from typing import Any

from facade.exceptions import FieldError
from facade.expressions.q import Q
from facade.expressions.references import Col
from facade.sql import tables, write
from facade.sql.query import Query
from facade.sql.select import Compiler


def vendor_of(dialect: Any) -> str:
    """Return the family a SQLAlchemy dialect belongs to."""
    return "mysql" if dialect.name == "mariadb" else str(dialect.name)


def table_expression(expression: Any, model: type[Any], dialect: Any) -> Any:
    """Return the Core form of a check, a generated column, an index or a default of a table."""
    query = Query(model)
    compiler = Compiler(query, dialect, vendor_of(dialect))
    if isinstance(expression, Q):
        return compiler.condition(compiler.query.resolve_condition(expression, allow_joins=False))
    return compiler.process(expression.resolve_expression(compiler.query, allow_joins=False))


def stored_expression(expression: Any, model: type[Any], field: Any, database: Any, new: bool) -> Any:
    """Return the Core form of an expression that a row's field is assigned; `new` tells that the row is being inserted."""
    compiler = Compiler(Query(model), database.compile_dialect, database.vendor)
    resolved = expression.resolve_expression(compiler.query, allow_joins=False, for_save=True)
    if new and any(isinstance(item, Col) for item in resolved.flatten()):
        raise ValueError(
            f'Failed to insert expression "{expression}" on {field}. F() expressions can only be used to update, not to insert.'
        )
    for kind, found in (
        ("Aggregate functions", resolved.contains_aggregate),
        ("Window expressions", resolved.contains_over_clause),
    ):
        if found:
            raise FieldError(f"{kind} are not allowed in this query ({field.name}={resolved!r}).")
    return (
        compiler.boolean(resolved) if getattr(resolved, "conditional", False) else compiler.process(resolved)
    )


tables.expression_compiler.append(table_expression)
write.expression_compiler.append(stored_expression)
