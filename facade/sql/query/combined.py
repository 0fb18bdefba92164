"""What the columns of a combined query are called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from facade.expressions.base import Expression
from facade.expressions.references import Ref
from facade.fields.relations.reverse import final_target
from facade.sql.query.loading import select_parts

if TYPE_CHECKING:
    from facade.sql.query.query import Query


def keeps_names(whole: Query) -> bool:
    """Whether the parts of a combined query select values of their own, which values() on the whole picks from.

    Where they select annotations only, fields that are asked of the whole replace those.
    """
    first = whole.combined[0].query
    return bool(
        first.select
        or (not whole.select and (first.selection.selected is not None or not first.selection.default_cols))
    )


def spread_names(query: Query) -> list[str]:
    """Return the names of the values of a row, repeated as values_list() repeats them."""
    names = query.selection.result_names
    return (
        list(names)
        if query.selection.repeated is None
        else [names[index] for index in query.selection.repeated]
    )


def column_names(whole: Query) -> list[set[str]]:
    """Return the names by which the order of a combined query can speak of each column."""
    first = whole.combined[0].query
    if keeps_names(whole):
        columns = [{name} for name in spread_names(first)]
    elif whole.selection.selected is not None:
        columns = [{name} for name in whole.selection.selected]
    elif first.source.combinator:
        return column_names(first)
    else:
        return [*_object_columns(first), *({name} for name in first.annotation_select)]
    key = {"pk", whole.opts.pk.name}
    return [names | key if names & key else names for names in columns]


def combined_columns(query: Query) -> dict[str, Any]:
    """Return what the names of a combined query's columns stand for in a query around it."""
    first = query.combined[0].query
    if query.selection.selected is None and not keeps_names(query):
        if first.source.combinator:
            return combined_columns(first)
        fields = {name: field for field in query.opts.concrete_fields for name in (field.name, field.attname)}
        columns = {name: Ref(field.column_key, _Value(final_target(field))) for name, field in fields.items()}
        return {**columns, "pk": columns[query.opts.pk.name], **_named(first, first.annotation_select)}
    source = first if keeps_names(query) else query
    return _named(source, query.selection.selected or source.selection.result_names)


def _named(query: Query, names: Iterable[str]) -> dict[str, Any]:
    sources = {
        name: query.annotations[name] if name in query.annotations else query.select[name] for name in names
    }
    return {name: Ref(name, _Value(source.known_field)) for name, source in sources.items()}


class _Value(Expression):
    """A value that another query has made."""


def _object_columns(query: Query) -> list[set[str]]:
    probe = query.clone()
    own, *related = select_parts(probe, probe.initial_alias()).walk()
    key = query.opts.pk
    columns = [{field.name, field.attname} | ({"pk"} if field is key else set()) for field in own.fields]
    return [*columns, *(set() for part in related for _ in part.fields)]
