"""The names of fields in expressions and conditions that are not resolved yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from facade.expressions.base import Expression
from facade.expressions.q import Condition, Q
from facade.expressions.references import F, OuterRef
from facade.fields.declarations import LOOKUP_SEP


def referenced_paths(expression: object) -> Iterator[tuple[str, ...]]:
    """Yield the names that an unresolved expression refers to, split: a field, and what follows it."""
    if isinstance(expression, F):
        if not isinstance(expression, OuterRef):
            yield tuple(expression.name.split(LOOKUP_SEP))
    elif isinstance(expression, (Q, Condition)):
        for child in expression.children:
            if isinstance(child, tuple):
                yield tuple(child[0].split(LOOKUP_SEP))
                child = child[1]
            yield from referenced_paths(child)
    elif isinstance(expression, (Expression, list, tuple)):
        sources = expression.get_source_expressions() if isinstance(expression, Expression) else expression
        for source in sources:
            yield from referenced_paths(source)


def referenced_names(expression: object) -> Iterator[str]:
    """Yield the names of the fields that an unresolved expression refers to."""
    return (path[0] for path in referenced_paths(expression))


def with_names(item: object, change: Callable[[str], str]) -> Any:
    """Return an unresolved expression, or a frozen condition, with what it refers to under other names."""
    if isinstance(item, F):
        return item.renamed(change)
    if isinstance(item, Condition):
        children = tuple(_with_names(child, change) for child in item.children)
        return Condition(item.connector, item.negated, children)
    if isinstance(item, Expression) and item.get_source_expressions():
        return item.with_sources(lambda source: with_names(source, change))
    return item


def _with_names(child: object, change: Callable[[str], str]) -> Any:
    """Do so with one child of a condition."""
    if isinstance(child, tuple):
        name, value = child
        return change(name), with_names(value, change)
    return with_names(child, change)
