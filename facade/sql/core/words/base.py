"""SQL as the standard has it: what every database says that does not say it otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import UnsupportedFeature
from facade.expressions.sqltext.fragments import Fragment, template

if TYPE_CHECKING:
    from facade.expressions.contracts import (
        Aggregation,
        Call,
        Combined,
        Compiler,
        Convert,
        Core,
        CoreType,
        Valued,
    )
    from facade.expressions.freezing import Arg
    from facade.sql.query.query import Lock
    from facade.sql.query.query import Query as SQLQuery
    from facade.vendors import Vendor

TRUTH = sa.Boolean()


class StandardWords:
    """The words of a database; `vendor` tells what it can do."""

    filters_aggregates = False
    """Whether an aggregate may have a FILTER clause."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor

    def random(self) -> Core:
        """Return a random number: the `?` of order_by."""
        return sa.func.random()

    def null(self, type_: CoreType | None) -> Core:
        """Return the NULL of a type."""
        return sa.null()

    # -- lists ---------------------------------------------------------------------------------

    def in_list(
        self, compiler: Compiler, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None
    ) -> Any:
        """Return `left IN (list)`, the list an argument of any length."""
        return left.in_(compiler.bind_each(arg, type_, convert))

    def listed(self, select: sa.Select[Any], apart: bool) -> Any:
        """Return a select as the list of values that IN takes, `apart` from the statement around it where that matters."""
        return select

    # -- text ----------------------------------------------------------------------------------

    def like(self, left: Core, right: Core, *, ignore_case: bool) -> Any:
        r"""Return `left LIKE right`, wildcards escaped by `\`."""
        return template("%s LIKE %s ESCAPE '\\'", self.text(left), right, type_=TRUTH)

    def like_pattern(self, before: str, right: Core, after: str) -> Any:
        """Return an expression's value as a LIKE pattern, its own wildcards escaped."""
        pattern = self.pattern(right)
        for character in ("\\", "%", "_"):
            pattern = sa.func.replace(pattern, character, "\\" + character, type_=sa.Text())
        if before:
            pattern = sa.literal(before) + pattern
        if after:
            pattern = pattern + sa.literal(after)
        return pattern

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        """Return whether a text matches a regular expression of the database's own dialect."""
        right = self.pattern(right)
        if ignore_case:
            right = template("CONCAT('(?i)', %s)", right)
        return self.text(left).op("REGEXP", is_comparison=True)(right)

    def text(self, value: Core) -> Any:
        """Return a value as pattern matching takes it."""
        return value

    def pattern(self, value: Core) -> Any:
        """Return what a pattern is made of as text: the text that a document consists of, not its JSON."""
        return self.text(value)

    # -- arithmetic ----------------------------------------------------------------------------

    def combine(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        """Return `left connector right`, in parentheses."""
        connector = expression.connector
        if connector == "^":
            return sa.func.power(left, right, type_=type_)
        if connector not in _OPERATORS:
            raise UnsupportedFeature(f"The operator {connector!r} is not supported on {self.vendor.name}.")
        return _chained(left, "%" if connector == "%%" else connector, right, type_)

    # -- functions -----------------------------------------------------------------------------

    def function(self, expression: Call, arguments: list[Any], type_: CoreType | None) -> Any:
        """Return the call of a Func: its `template` with `function` and the arguments filled in."""
        data = {**vars(type(expression)), **expression.extra}
        text = data.get("template", expression.template)
        function: Any = data.get("function", expression.function) or expression.function
        if text == "%(function)s(%(expressions)s)":
            return getattr(sa.func, function)(*arguments, type_=type_)
        joined = data.get("arg_joiner", expression.arg_joiner).join(["%s"] * len(arguments))
        filled = text % {
            **{k: v for k, v in data.items() if isinstance(v, (str, int))},
            "function": function,
            "expressions": joined,
        }
        return template(filled, *arguments, type_=type_)

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        """Return the call of an aggregate function."""
        function = getattr(sa.func, str(expression.function).lower())
        return function(*arguments, type_=type_) if type_ is not None else function(*arguments)

    def unified(self, core: Core, expression: Valued) -> Any:
        """Return the value of several branches, cast where their types would not tell the database which it is."""
        return core

    def nulls(self, term: Core, core: Core, first: bool) -> Any:
        """Return a term of an order with the NULLs at one end."""
        return term.nulls_first() if first else term.nulls_last()

    # -- combinations and locks ------------------------------------------------------------------

    def combinable(self, select: sa.Select[Any], query: SQLQuery) -> Any:
        """Return a select as a part of UNION."""
        return select

    def distinct_on(self, statement: sa.Select[Any], columns: list[Any]) -> Any:
        """Keep the first of the rows that agree in these columns."""
        raise UnsupportedFeature("DISTINCT ON fields is not supported by this database backend")

    def for_update(self, statement: sa.Select[Any], lock: Lock, tables: list[Any]) -> Any:
        """Return a select that locks its rows."""
        if lock.no_key and not self.vendor.has_select_for_no_key_update:
            raise UnsupportedFeature("FOR NO KEY UPDATE is not supported on this database backend.")
        return statement.with_for_update(
            nowait=lock.nowait, skip_locked=lock.skip_locked, key_share=lock.no_key, of=tables or None
        )


_OPERATORS = {"+", "-", "*", "/", "%%", "&", "|", "<<", ">>", "#"}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2}


class _Chain(Fragment):
    """Operands joined from left to right by operators of one precedence, in one pair of parentheses."""

    inherit_cache = False

    def __init__(self, parts: list[Any], type_: CoreType | None, precedence: int | None) -> None:
        super().__init__(["(", *parts, ")"], type_)
        self.precedence = precedence


def _chained(left: Core, operator: str, right: Core, type_: CoreType | None) -> Fragment:
    """Return `(left operator right)`; a long chain is as deep as any other expression without parentheses of its own."""
    precedence = _PRECEDENCE.get(operator)
    goes_on = isinstance(left, _Chain) and precedence is not None and left.precedence == precedence
    before = left.parts[1:-1] if goes_on else [left]
    return _Chain([*before, f" {operator} ", right], type_, precedence)


__all__ = ["TRUTH", "StandardWords"]
