"""The names of fields in expressions and conditions that are not resolved yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from facade.expressions.q import Branches
from facade.expressions.references import F, OuterRef
from facade.expressions.tree import rewritten, walked
from facade.fields.declarations import LOOKUP_SEP


def referenced_paths(expression: object) -> Iterator[tuple[str, ...]]:
    """Yield the names that an unresolved expression refers to, split: a field, and what follows it."""
    for item in walked(expression):
        if not isinstance(item, OuterRef):  # the name is one of the query around
            yield from (tuple(name.split(LOOKUP_SEP)) for name in getattr(item, "own_names", ()))


def referenced_names(expression: object) -> Iterator[str]:
    """Yield the names of the fields that an unresolved expression refers to."""
    return (path[0] for path in referenced_paths(expression))


def with_names(item: object, change: Callable[[str], str]) -> Any:
    """Return an unresolved expression or condition with what it refers to under other names."""

    def rename(named: F) -> Any:
        return named.renamed(change)

    def rename_all(condition: Branches) -> Any:
        return condition.renamed(change).with_parts(lambda part: with_names(part, change))

    return rewritten(item, {F: rename, Branches: rename_all})
