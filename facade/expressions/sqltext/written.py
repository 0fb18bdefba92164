"""SQL that users write themselves: expressions, transforms and lookups with an `as_sql()` of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import ClauseElement

from facade.expressions.sqltext.fragments import template
from facade.types.shared import TRUTH

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler, Valued
    from facade.vendors import Vendor


SQL = tuple[str, list[Any]]


class Texts:
    """The compiler, and the connection, that `as_sql(compiler, connection)` is called with.

    What `compile()` returns stands for an expression: the text `%s`, and the expression's Core form as its parameter. Whatever
    is written around it, in whatever order, Core puts the expression there.
    """

    def __init__(self, core: Compiler) -> None:
        self.core = core

    def compile(self, node: Valued) -> SQL:
        """Return (SQL, parameters) of an expression."""
        return "%s", [self.core.process(node)]

    def quote_name(self, name: str) -> str:
        """Return a name as it stands in SQL."""
        return str(self.core.dialect.identifier_preparer.quote(name))

    quote_name_unless_alias = quote_name

    @property
    def connection(self) -> Texts:
        return self

    @property
    def ops(self) -> Texts:
        return self

    @property
    def features(self) -> Vendor:
        """What the database can do."""
        return self.core.features

    @property
    def vendor(self) -> str:
        return str(self.core.vendor)


class Written:
    """The part of an expression that users override, or call, to write SQL."""

    def as_sql(self, compiler: Texts, connection: Texts, **extra_context: Any) -> SQL:
        """Return (SQL, parameters); `as_sqlite()` and the like go before it on their database."""
        return "%s", [self.as_core(compiler.core)]

    def as_core(self, compiler: Compiler) -> Any:
        raise NotImplementedError


def _writer(kind: type[Any], vendor: str) -> str | None:
    """Return the name of the method that writes the SQL, None where the class has a Core form that is newer."""
    for base in kind.__mro__:
        for name in (f"as_{vendor}", "as_sql"):
            if name in vars(base):
                return name if base is not Written else None
        if "as_core" in vars(base):
            return None
    return None


def core_of(expression: Valued, compiler: Compiler) -> Any:
    """Return the Core form of an expression, whoever writes it."""
    if (name := _writer(type(expression), compiler.vendor)) is None:
        return expression.as_core(compiler)
    texts = Texts(compiler)
    sql, params = getattr(expression, name)(texts, texts.connection)
    parts = [item if isinstance(item, ClauseElement) else sa.literal(item) for item in params]
    if getattr(expression, "conditional", False):
        return template(f"({sql})", *parts, type_=TRUTH)
    return template(sql, *parts, type_=expression.column_type)
