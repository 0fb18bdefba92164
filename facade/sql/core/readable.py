"""The SQL of a query for people to read: on one line, every name quoted, the values in their places."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from facade.expressions.sqltext.fragments import template
from facade.sql.core.layout import given_value
from facade.sql.core.select import Compiler
from facade.types.shared import TRUTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa
    from sqlalchemy.sql.compiler import SQLCompiler

    from facade.db.database import Database
    from facade.expressions.contracts import Convert, Core, CoreType
    from facade.expressions.freezing import Arg
    from facade.sql.query.query import Query

    Mixed = SQLCompiler
else:
    Mixed = object

_SPACE = re.compile(r"\s*\n\s*")
_LISTED = re.compile(r"__\[POSTCOMPILE_(\w+)\]")


class _Reading(Mixed):
    """Mixed into a dialect's compiler: says what kind each join is."""

    def render_bind_cast(self, type_: CoreType, dbapi_type: object, sqltext: str) -> str:
        return sqltext

    def visit_join(
        self, join: sa.Join, asfrom: bool = False, from_linter: object = None, **options: Any
    ) -> str:
        kind = " LEFT OUTER JOIN " if join.isouter else " INNER JOIN "
        assert join.onclause is not None
        left = join.left._compiler_dispatch(self, asfrom=True, **options)
        right = join.right._compiler_dispatch(self, asfrom=True, **options)
        return f"{left}{kind}{right} ON ({join.onclause._compiler_dispatch(self, **options)})"


class _ReadingQuery(Compiler):
    """Writes lists out."""

    def in_list(self, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        return template("%s IN %s", left, self.bind_each(arg, type_, convert), type_=TRUTH)

    def in_rows(
        self, left: Sequence[Core], arg: Arg, types: Sequence[CoreType | None], convert: Convert
    ) -> Any:
        names = template(f"({', '.join(['%s'] * len(left))})", *left)
        return self.in_list(names, arg, None, convert)

    def bind_each(self, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        def listed(values: Iterable[Any]) -> str:
            return ", ".join(map(str, values if convert is None else convert(values)))

        return super().bind_each(arg, None, listed)


def readable(query: Query, database: Database, args: tuple[Any, ...]) -> str:
    """Return the SELECT of a query with its arguments. Raises EmptyResultSet where there would be none."""
    compiler = _ReadingQuery(query, database.compile_dialect)
    compiler.binds.varies = False
    statement = compiler.statement()
    compiler.binds.check_database(database)
    dialect: Any = copy.copy(database.compile_dialect)
    dialect.statement_compiler = type("ReadingCompiler", (_Reading, dialect.statement_compiler), {})
    dialect.paramstyle, dialect.positional = "pyformat", False
    dialect.identifier_preparer = dialect.preparer(dialect)
    dialect.identifier_preparer._requires_quotes = lambda name: True
    compiled = statement.compile(dialect=dialect)
    sources = compiler.binds.sources
    values = {
        name: given_value(args, *sources[name]) if name in sources else constant
        for name, constant in compiled.params.items()
    }
    text = _LISTED.sub(r"%(\1)s", str(compiled))
    return _SPACE.sub(" ", text) % values
