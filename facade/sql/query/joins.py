"""The tables of a query and how they are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from facade.expressions.q import AND, OR, XOR

if TYPE_CHECKING:
    from facade.fields.relations.reverse import ForeignObjectRel
    from facade.meta.relations import Hop


@dataclass(frozen=True, slots=True)
class Join:
    """One table of a query: the first one (`parent` is None) or a table joined to `parent`."""

    alias: str
    model: type[Any]
    parent: str | None = None
    hop: Hop | None = None
    outer: bool = False
    nullable: bool = False
    relation: Any = None
    condition: Any = None

    @property
    def join_type(self) -> str | None:
        """The kind of the join, None for the first table."""
        if self.parent is None:
            return None
        return "LEFT OUTER JOIN" if self.outer else "INNER JOIN"

    def same(self, other: Join) -> bool:
        """Whether both join the same rows to the same table."""
        return (self.model, self.parent, self.hop, self.relation) == (
            other.model,
            other.parent,
            other.hop,
            other.relation,
        )


class Named(Protocol):
    """A relation that the query has given a name of its own: a FilteredRelation."""

    @property
    def alias(self) -> str:
        """The name."""


class Joins:
    """The joins of a query by alias, in order. An alias nobody counts on is left out of the FROM clause."""

    __slots__ = ("_joins", "counts")

    def __init__(self) -> None:
        self._joins: dict[str, Join] = {}
        self.counts: dict[str, int] = {}

    def copy(self) -> Joins:
        clone = Joins.__new__(Joins)
        clone._joins, clone.counts = self._joins.copy(), self.counts.copy()
        return clone

    def __getitem__(self, alias: str) -> Join:
        return self._joins[alias]

    def __contains__(self, alias: object) -> bool:
        return alias in self._joins

    def __iter__(self) -> Iterator[str]:
        return iter(self._joins)

    def __len__(self) -> int:
        return len(self._joins)

    def active(self) -> Iterator[Join]:
        """The joins that the FROM clause needs."""
        return (join for alias, join in self._joins.items() if self.counts[alias])

    @property
    def base(self) -> str | None:
        return next(iter(self._joins), None)

    def add_base(self, model: type[Any]) -> str:
        if (alias := self.base) is not None:
            self.counts[alias] += 1
            return alias
        return self._add(Join(model._meta.db_table, model))

    def _add(self, join: Join) -> str:
        self._joins[join.alias] = join
        self.counts[join.alias] = 1
        return join.alias

    def _new_alias(self, model: type[Any], relation: Named | None = None) -> str:
        name: str = model._meta.db_table if relation is None else relation.alias
        return name if name not in self._joins else f"T{len(self._joins) + 1}"

    def join(
        self, hop: Hop, parent: str, reuse: set[str] | None, nullable: bool, relation: Named | None = None
    ) -> str:
        """Return the alias that `hop` leads to from `parent`; `reuse` names the usable joins, None allows all."""
        wanted = Join("", hop.target, parent, hop, False, nullable, relation)
        if usable := self._usable(wanted, reuse):
            alias = (
                wanted_alias
                if relation is not None and (wanted_alias := relation.alias) in usable
                else usable[-1]
            )
            self.counts[alias] += 1
            return alias
        outer = self._joins[parent].outer or nullable
        return self._add(replace(wanted, alias=self._new_alias(hop.target, relation), outer=outer))

    def restrict(self, alias: str, condition: object) -> None:
        """Give a join a condition; it moves behind the joins that the condition has added."""
        self._joins[alias] = replace(self._joins.pop(alias), condition=condition)

    @property
    def conditions(self) -> Iterator[Any]:
        """The conditions of joins that have one of their own."""
        return (join.condition for join in self._joins.values() if join.condition is not None)

    def map_conditions(self, change: Callable[[Any], Any]) -> None:
        for alias, join in self._joins.items():
            if join.condition is not None:
                self._joins[alias] = replace(join, condition=change(join.condition))

    def _usable(self, wanted: Join, reuse: set[str] | None) -> list[str]:
        return [
            alias
            for alias, join in self._joins.items()
            if (reuse is None or alias in reuse) and join.same(wanted)
        ]

    def find(
        self, hop: Hop, parent: str, reuse: set[str] | None, relation: ForeignObjectRel | None = None
    ) -> str | None:
        """Return the alias that `hop` leads to from `parent` in a query that has joined it, None where it has not."""
        found = self._usable(Join("", hop.target, parent, hop, relation=relation), reuse)
        return found[-1] if found else None

    def release(self, alias: str) -> None:
        self.counts[alias] -= 1

    def trim_start(self, needed: set[str]) -> dict[Any, Any]:
        """Drop the first table, and those behind it, as long as they only lead to the next and nobody needs them.

        Return the field of the first table for each field, of the table that is first now, with the same value.
        """
        same: dict[Any, Any] = {}
        while (first := self.base) not in needed:
            on_it = [join for join in self.active() if join.parent == first]
            if len(on_it) != 1 or not (columns := _plain_columns(on_it[0])):
                break
            # A table in between is a condition itself, unless the next one's foreign key says that its row is there.
            if same and not all(near in same and far.remote_field is not None for near, far in columns):
                break
            same = {far: same.get(near, near) for near, far in columns}
            following = [join for join in self.active() if join.alias not in (first, on_it[0].alias)]
            start = replace(on_it[0], parent=None, hop=None)
            self._joins = {join.alias: join for join in (start, *following)}
            self.counts = {alias: self.counts[alias] for alias in self._joins}
        return same

    def inner_aliases(self) -> set[str]:
        return {alias for alias, join in self._joins.items() if not join.outer}

    def on_the_way(self, aliases: Iterable[str]) -> set[str]:
        """Return the aliases and those that lead to them."""
        found: set[str] = set()
        for name in aliases:
            alias: str | None = name
            while alias is not None and alias in self._joins and alias not in found:
                found.add(alias)
                alias = self._joins[alias].parent
        return found

    def promote(self, aliases: Iterable[str]) -> None:
        """Make joins LEFT OUTER, and with them the joins that hang on them."""
        todo = list(aliases)
        while todo:
            alias = todo.pop()
            join = self._joins[alias]
            if join.parent is None:
                continue
            parent_outer = self._joins[join.parent].outer
            if (join.nullable or parent_outer) and not join.outer:
                self._joins[alias] = replace(join, outer=True)
                todo.extend(
                    name for name, other in self._joins.items() if other.parent == alias and name not in todo
                )

    def demote(self, aliases: Iterable[str]) -> None:
        """Make joins INNER, and with them the joins they hang on."""
        todo = list(aliases)
        while todo:
            join = self._joins[todo.pop()]
            if join.outer:
                self._joins[join.alias] = replace(join, outer=False)
                if join.parent is not None and self._joins[join.parent].outer:
                    todo.append(join.parent)


def _plain_columns(join: Join) -> tuple[Any, ...]:
    """Return the pairs of columns that are all an inner join asks for, none where it asks for something else."""
    assert join.hop is not None
    restrict = getattr(join.hop.join_field, "get_extra_restriction", None)
    restricted = restrict is not None and restrict(join.alias, join.parent) is not None
    plain = not (restricted or join.outer or join.condition or join.relation)
    return tuple(join.hop.columns) if plain else ()


class Promoter:
    """Decides, from what the children of a condition need, which joins must be outer and which may be inner.

    Under OR a join that not all children need must not drop rows; under AND one child that needs it is enough to drop them.
    NOT turns the two round. XOR decides nothing; under NOT, Django reads it as AND, and so does this.
    """

    def __init__(self, connector: str, negated: bool, children: int) -> None:
        self.connector = connector if not negated else OR if connector == AND else AND
        self.children = children
        self.votes: dict[str, int] = {}

    def add_votes(self, aliases: Iterable[str]) -> None:
        for alias in aliases:
            self.votes[alias] = self.votes.get(alias, 0) + 1

    def apply(self, joins: Joins) -> set[str]:
        """Change the joins; return those that were made inner."""
        if self.connector == XOR:
            return set()
        partial = {alias for alias, votes in self.votes.items() if votes < self.children}
        if self.connector == AND:
            partial.clear()
        joins.promote(partial)
        needed = set(self.votes) - partial
        joins.demote(needed)
        return needed
