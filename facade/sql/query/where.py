"""The WHERE tree: resolved conditions under AND, OR and XOR, with NOT."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade import fields
from facade.exceptions import EmptyResultSet, FullResultSet
from facade.expressions.base import Expression, Placed
from facade.expressions.q import AND, OR, XOR
from facade.expressions.sqltext.fragments import template
from facade.types.shared import INTEGER, TRUTH

if TYPE_CHECKING:
    from facade.expressions.contracts import Compiler


class Nothing(Placed):
    """A condition that no row meets."""

    contains_aggregate = False
    contains_over_clause = False
    conditional = True

    def as_core(self, compiler: Compiler) -> Any:
        raise EmptyResultSet


class OfGroup(Placed):
    """A condition that the rows of a group agree in, asked of the group: MySQL's HAVING reads selected columns only."""

    conditional = True

    def __init__(self, condition: Expression) -> None:
        super().__init__(fields.BooleanField())
        self.condition = condition

    def as_core(self, compiler: Compiler) -> Any:
        return sa.func.max(compiler.condition(self.condition), type_=TRUTH)


class Where(Expression):
    """Conditions joined by one connector."""

    conditional = True
    is_condition = True
    grouped_whole = True
    _output_field = fields.BooleanField()

    def __init__(
        self, children: list[Any] | None = None, connector: str = AND, negated: bool = False
    ) -> None:
        self.children = children or []
        self.connector, self.negated = connector, negated

    def __repr__(self) -> str:
        inner = f" {self.connector} ".join(repr(child) for child in self.children)
        return f"NOT ({inner})" if self.negated else f"({inner})"

    def __bool__(self) -> bool:
        return bool(self.children)

    def __len__(self) -> int:
        return len(self.children)

    def get_source_expressions(self) -> list[Any]:
        return self.children

    def set_source_expressions(self, exprs: list[Any]) -> None:
        self.children = exprs

    def clone(self) -> Where:
        return Where(list(self.children), self.connector, self.negated)

    def add(self, child: object, connector: str) -> None:
        """Join `child` to the tree; nodes with the same connector are merged."""
        if self.connector != connector:
            self.children = [Where(self.children, self.connector, self.negated)]
            self.connector, self.negated = connector, False
        if (
            isinstance(child, Where)
            and not child.negated
            and (child.connector == connector or len(child) == 1)
        ):
            self.children.extend(child.children)
        else:
            self.children.append(child)

    def get_group_by_cols(self) -> list[Any]:
        return [column for child in self.children for column in child.get_group_by_cols()]

    @property
    def is_nothing(self) -> bool:
        return any(isinstance(child, Nothing) for child in self.children)

    # -- windows --------------------------------------------------------------------------

    def split_windows(self) -> tuple[Where, Where | None]:
        """Return the conditions on rows, and those on window functions, which need the rows to be there."""
        if not self.contains_over_clause:
            return self, None
        if self.connector != AND or self.negated:
            return Where(), self
        over = [child for child in self.children if child.contains_over_clause]
        return Where([child for child in self.children if not child.contains_over_clause]), Where(over)

    # -- HAVING --------------------------------------------------------------------------

    def split_having(self, must_group_by: bool = False) -> tuple[Where | None, Where | None]:
        """Return what can stay in WHERE and what must move to HAVING."""
        if not self.contains_aggregate:
            return self, None
        whole = (
            self.connector == XOR
            or self.negated != (self.connector == OR)
            or (must_group_by and self.connector == OR)
        )
        if whole:
            return None, self
        stays, moves = (
            Where(connector=self.connector, negated=self.negated),
            Where(connector=self.connector, negated=self.negated),
        )
        for child in self.children:
            where, having = (
                child.split_having(must_group_by)
                if isinstance(child, Where)
                else ((None, child) if child.contains_aggregate else (child, None))
            )
            if where is not None:
                stays.children.append(where)
            if having is not None:
                moves.children.append(having)
        return stays or None, moves or None

    def of_groups(self) -> Where:
        """Return the same conditions as conditions on groups."""
        children = [
            (child if child.contains_aggregate else OfGroup(child))
            if not isinstance(child, Where)
            else child.of_groups()
            for child in self.children
        ]
        return Where(children, self.connector, self.negated)

    # -- SQL --------------------------------------------------------------------------------

    def as_core(self, compiler: Compiler) -> Any:
        parts: list[Any] = []
        total = len(self.children)
        full_needed, empty_needed = (total, 1) if self.connector == AND else (1, total)
        for child in self.children:
            try:
                parts.append(compiler.condition(child))
            except EmptyResultSet:
                empty_needed -= 1
                if self.connector == XOR:
                    continue
            except FullResultSet:
                full_needed -= 1
                if self.connector == XOR:
                    parts.append(sa.true())
                    full_needed += 1
            if empty_needed == 0:
                raise FullResultSet if self.negated else EmptyResultSet
            if full_needed == 0:
                raise EmptyResultSet if self.negated else FullResultSet
        if not parts:
            raise _nothing_left(self)
        odd = self.connector == XOR and not compiler.features.supports_logical_xor
        connector = _ODD if odd else self.connector
        balanced = compiler.words.nests_conditions or self.connector == XOR
        combined = _join(connector, parts, balanced, compiler.words.remainder)
        return sa.not_(combined) if self.negated else combined


def _nothing_left(where: Where) -> type[Exception]:
    """Say what a node is whose children all fell away: an empty node holds for every row, an OR of nothing for none."""
    empty = bool(where.children) and where.connector != AND
    return EmptyResultSet if empty != where.negated else FullResultSet


_FLAT = 200  # SQLite takes `a AND b`, and all databases the sums of XOR, for a tree as deep as it is long


def _join(connector: str, parts: list[Any], balanced: bool, remainder: str) -> Any:
    """Return conditions under one connector; `balanced`: long ones as a tree of groups."""
    if len(parts) == 1 and connector != _ODD:
        return parts[0]
    if balanced and len(parts) > _FLAT:
        size = -(-len(parts) // _FLAT)
        groups = [
            _join(connector, parts[start : start + size], balanced, remainder)
            for start in range(0, len(parts), size)
        ]
        parts = [template("(%s)", group, type_=TRUTH) for group in groups]
    return _odd(parts, remainder) if connector == _ODD else _JOINERS[connector](parts)


def _odd(parts: list[Any], remainder: str) -> Any:
    """Return whether an odd number of conditions holds; what is unknown does not hold, wherever it stands."""
    numbers = [template("CASE WHEN (%s) THEN 1 ELSE 0 END", part, type_=INTEGER) for part in parts]
    total = template(f"({' + '.join(['%s'] * len(numbers))})", *numbers)
    return template(f"({remainder} = 1)", total, sa.literal_column("2"), type_=TRUTH)


def _xor(parts: list[Any]) -> Any:
    """Return MariaDB's own XOR, which is unknown where a condition is."""
    return template(f"({' XOR '.join(['(%s)'] * len(parts))})", *parts, type_=TRUTH)


_ODD = "odd"
_JOINERS: dict[str, Callable[[list[Any]], Any]] = {
    AND: lambda parts: sa.and_(*parts),
    OR: lambda parts: sa.or_(*parts),
    XOR: _xor,
}
