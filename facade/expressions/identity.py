"""What makes expressions equal; operations as long as programs make them are compared, printed, copied and pickled without recursion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from facade.exceptions import NestedTooDeeply
from facade.expressions.freezing import hashable

# (class, attributes, number of branches, which follow), or (None, a leaf, 0)
Part = tuple[Any, Any, int]


class Branching(Protocol):
    """A tree as long as programs make it, or one below it."""

    def _opened(self) -> tuple[dict[str, Any], Sequence[Any]]:
        """Return its own attributes, and its branches."""

    def _close(self, branches: list[Any]) -> None:
        """Take its branches back."""


def laid_out(tree: Branching, kind: type[Branching]) -> Iterator[Part]:
    """Yield a tree in one line; what is not of this kind is a leaf."""
    todo: list[Any] = [tree]
    while todo:
        item = todo.pop()
        if isinstance(item, kind):
            attributes, branches = item._opened()
            yield type(item), attributes, len(branches)
            todo.extend(reversed(branches))
        else:
            yield None, item, 0


def put_together(parts: list[Part]) -> Any:
    """Return the tree that was laid out in one line."""
    done: list[Any] = []
    for kind, value, count in reversed(parts):
        item = value
        if kind is not None:
            item = object.__new__(kind)
            item.__dict__.update(value)
            item._close([done.pop() for _ in range(count)])
        done.append(item)
    return done.pop()


class Compared:
    """The part of an expression that says which others it equals: those of its class with equal attributes."""

    _derived: ClassVar[frozenset[str]] = frozenset()
    """The names of the attributes that were made of the others."""

    def _given(self) -> dict[str, Any]:
        """Return the attributes without what was derived from them."""
        return {name: value for name, value in self.__dict__.items() if name not in self._derived}

    @property
    def identity(self) -> Any:
        parts = [
            (name, hashable(value))
            for name, value in sorted(self.__dict__.items())
            if name not in self._derived
        ]
        return type(self), tuple(parts)

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Compared):
            return NotImplemented
        try:
            return other.identity == self.identity
        except RecursionError as error:
            raise NestedTooDeeply.of(f"A compared {type(self).__name__}") from error

    def __hash__(self) -> int:
        try:
            return hash(self.identity)
        except RecursionError as error:
            raise NestedTooDeeply.of(f"A compared {type(self).__name__}") from error


class TwoSided(Compared):
    """The part of an operation that goes through what is on its two sides, operations again, in one line."""

    if TYPE_CHECKING:
        lhs: Any
        rhs: Any
        connector: str

        def copy(self) -> Any: ...

    def __str__(self) -> str:
        texts: list[str] = []
        for kind, value, _ in reversed([*laid_out(self, TwoSided)]):
            texts.append(str(value) if kind is None else f"{texts.pop()} {value['connector']} {texts.pop()}")
        return texts.pop()

    @property
    def identity(self) -> Any:
        parts: list[Any] = []
        for kind, value, _ in laid_out(self, TwoSided):
            if kind is None:
                parts.append(hashable(value))
            else:
                parts += [kind, tuple((name, hashable(one)) for name, one in sorted(value.items()))]
        return tuple(parts)

    def __copy__(self) -> Any:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return put_together, ([*laid_out(self, TwoSided)],)

    def _opened(self) -> tuple[dict[str, Any], Sequence[Any]]:
        given = self._given()
        return given, (given.pop("lhs"), given.pop("rhs"))

    def _close(self, branches: list[Any]) -> None:
        self.lhs, self.rhs = branches
