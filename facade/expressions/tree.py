"""The tree that expressions and conditions form: how to walk through it, and how to make another one of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

Change = Callable[[Any], Any]


class Tree:
    """The part of an expression that knows what it is made of."""

    sources: ClassVar[tuple[str, ...]] = ()
    """The names of the attributes that hold the expressions it is made of."""

    if TYPE_CHECKING:

        def copy(self) -> Self: ...

    def get_source_expressions(self) -> list[Any]:
        return [getattr(self, name) for name in self.sources]

    def set_source_expressions(self, exprs: list[Any]) -> None:
        if len(exprs) != len(self.sources):
            takes = ", ".join(self.sources) or "no"
            raise ValueError(
                f"{type(self).__name__} takes {takes} source expressions, {len(exprs)} were given."
            )
        for name, expression in zip(self.sources, exprs, strict=True):
            setattr(self, name, expression)

    def _sources(self) -> Iterator[Any]:
        return (source for source in self.get_source_expressions() if source is not None)

    def with_sources(self, change: Change) -> Self:
        """Return a copy whose children went through `change`."""
        clone = self.copy()
        clone.set_source_expressions(
            [None if source is None else change(source) for source in self.get_source_expressions()]
        )
        return clone

    def with_parts(self, change: Change) -> Self:
        """Return a copy whose children and arguments went through `change`; itself where it has neither.

        A class that holds arguments beside its children hands them over as well.
        """
        return self.with_sources(change) if self.get_source_expressions() else self

    def flatten(self) -> Iterator[Any]:
        """Walk this expression and everything below it, depth first."""
        todo: list[Any] = [self]
        while todo:
            item = todo.pop()
            if getattr(type(item), "flatten", None) is Tree.flatten:
                yield item
                todo.extend(reversed([*item._sources()]))
            else:
                yield from item.flatten() if hasattr(item, "flatten") else (item,)


def unchanged(item: object) -> Any:
    """Leave a part as it is, and what is below it."""
    return item


def rewritten(item: object, rules: Mapping[type, Change]) -> Any:
    """Return a tree in which each part of a class in `rules` is what that class's rule, the first that fits, makes of it.

    A rule has the whole part in its hands. What no rule speaks of keeps its place, the parts of it rewritten.
    """
    for kind, rule in rules.items():
        if isinstance(item, kind):
            return rule(item)
    if isinstance(item, tuple):
        return tuple([rewritten(part, rules) for part in item])
    with_parts = getattr(type(item), "with_parts", None)
    return item if with_parts is None else with_parts(item, lambda part: rewritten(part, rules))


def walked(item: object) -> Iterator[Any]:
    """Walk a tree, depth first: expressions, conditions with the values in them, and lists of these."""
    todo: list[Any] = [item]
    while todo:
        item = todo.pop()
        yield item
        sources = getattr(type(item), "_sources", None)
        if sources is not None:
            todo.extend(reversed([*sources(item)]))
        elif isinstance(item, (list, tuple)):
            todo.extend(reversed(item))
