"""Relations joined with a condition, under a name of their own: `FilteredRelation`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldError
from facade.expressions.names import referenced_paths, with_names
from facade.expressions.q import Condition, FilteredRelation
from facade.fields.declarations import LOOKUP_SEP
from facade.sql.query.column_names import check_alias
from facade.sql.query.conditions import Conditions, ConditionScope
from facade.sql.query.paths import split

if TYPE_CHECKING:
    from facade.sql.query.query import Query


@dataclass(frozen=True, slots=True)
class NamedRelation:
    """A filtered relation of a query; `base` is the number that its condition's arguments count from."""

    alias: str
    relation_name: str
    condition: Condition
    base: int

    def moved(self, offset: int) -> NamedRelation:
        """Return the relation as one of a query behind whose arguments its own come."""
        return replace(self, base=self.base + offset)

    def resolve(self, query: Query, alias: str, reuse: set[str] | None) -> Any:
        """Return the condition of the join `alias`; what it names may stand for the joins `reuse`, None for all."""
        base, prepare = query.base, query.prepare
        if base != self.base:  # a later step: the values are prepared
            query.base, query.prepare = self.base, {}
        scope = ConditionScope(None if reuse is None else {*reuse, alias}, split=False, update_joins=False)
        try:
            clause, _ = Conditions(query).condition(self.condition, scope)
        finally:
            query.base, query.prepare = base, prepare
        return clause


def add_filtered_relation(query: Query, alias: str, relation: FilteredRelation) -> None:
    """Make `alias` the name of a relation with a condition.

    Raises ValueError for a condition about something else than the relation's rows.
    """
    if "." in alias:
        raise ValueError(f"FilteredRelation doesn't support aliases with periods (got {alias!r}).")
    check_alias(alias)
    name = relation.relation_name
    path = query.resolve_path(split(name))
    if path.rest:
        raise ValueError(f"FilteredRelation's relation_name cannot contain lookups (got {name!r}).")
    if not path.hops:
        raise FieldError(f"FilteredRelation needs a relation, which {name!r} is not.")
    condition = relation.condition
    assert isinstance(condition, Condition)
    for names in referenced_paths(condition):
        _check_lookup(query, list(names), name)
    renamed = with_names(condition, lambda own: _with_prefix(own, name, alias))
    relation_of_rows = NamedRelation(alias, name, renamed, query.base)
    query.source = replace(query.source, relations={**query.source.relations, alias: relation_of_rows})
    _prepare(query, alias)


def _with_prefix(name: str, old: str, new: str) -> str:
    return new + name[len(old) :] if name == old or name.startswith(old + LOOKUP_SEP) else name


def _check_lookup(query: Query, names: list[str], relation_name: str) -> None:
    lookup, relation = LOOKUP_SEP.join(names), split(relation_name)
    rest = len(query.resolve_path(names).rest)
    fields = names[: len(names) - rest]
    on_the_way = fields[: -1 if rest else -2]
    if any(ours != theirs for ours, theirs in zip(on_the_way, relation, strict=False)):
        raise ValueError(
            f"FilteredRelation's condition doesn't support relations outside the {relation_name!r} (got {lookup!r})."
        )
    if len(fields) > len(relation) + 1:
        raise ValueError(
            "FilteredRelation's condition doesn't support nested relations deeper than the relation_name "
            f"(got {lookup!r} for {relation_name!r})."
        )


def _prepare(query: Query, alias: str) -> None:
    """Learn how the condition's values are prepared, by joining the relation in a copy of the query."""
    trial = query.clone()
    trial.join_path(trial.resolve_path([alias]))
    query.prepare.update(trial.prepare)
