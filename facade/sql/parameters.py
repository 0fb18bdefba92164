"""The driver's parameters of a compiled statement: by position, or by name where one stands in several places.

PostgreSQL takes two expressions for the same one only if their parameters have the same numbers. asyncpg numbers them, and
so does psycopg, of which each `%s` is a parameter of its own, and each name one however often it is written.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.elements import ClauseElement

NUMBERS_NAMES = ("psycopg", "psycopg_async")


def compile_statement(statement: ClauseElement, dialect: Dialect, **options: bool) -> Any:
    """Compile a Core statement in the dialect's own way with parameters, by name if that makes fewer of them."""
    compiled: Any = statement.compile(dialect=dialect, compile_kwargs=options)
    names = compiled.positiontup or ()
    if dialect.driver not in NUMBERS_NAMES or len(set(names)) == len(names):
        return compiled
    return statement.compile(dialect=by_name(dialect), compile_kwargs=options)


def parameter_names(compiled: SQLCompiler) -> list[str]:
    """Return the names of a compiled statement's parameters: in their order, or once each where it has them by name."""
    return list(
        (compiled.positiontup or ()) if compiled.positional else dict.fromkeys(compiled.bind_names.values())
    )


def by_name(dialect: Dialect) -> Any:
    """Return the dialect with parameters by name."""
    named = copy.copy(dialect)
    named.paramstyle, named.positional = "pyformat", False
    named.identifier_preparer = named.preparer(named)
    return named
