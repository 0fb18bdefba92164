"""What makes expressions equal; operations as long as programs make them are compared, printed, copied and pickled without recursion."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from facade.exceptions import NestedTooDeeply
from facade.expressions.freezing import Frozen, hashable

# (class, attributes, number of branches, which follow), or (None, a leaf, 0)
LaidOut = tuple[Any, Any, int]


class Branching(Protocol):
    """A tree as long as programs make it, or one below it."""

    def _opened(self) -> tuple[dict[str, Any], Sequence[Any]]:
        """Return its own attributes, and its branches."""


def laid_out(tree: Branching, kind: type[Branching]) -> Iterator[LaidOut]:
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


def put_together(parts: list[LaidOut]) -> Any:
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


# -- trees of any classes ------------------------------------------------------------------------


class Position(int):
    """The number of the part that stands here."""

    def __deepcopy__(self, memo: object) -> Position:
        return self


def taken_apart(root: Compared) -> list[tuple[type[Compared], Any]]:
    """Return the class and the state of `root` and of all below it, each once, with places where they refer to one another."""
    found, places = [root], {id(root): 0}

    def stand_in(value: object) -> Any:
        if isinstance(value, Compared) and type(value).__reduce__ is Compared.__reduce__:
            if id(value) not in places:
                places[id(value)] = len(found)
                found.append(value)
            return Position(places[id(value)])
        return _mapped(value, stand_in)

    return [(type(item), stand_in(item.__getstate__())) for item in found]


def joined(parts: list[tuple[type[Compared], Any]]) -> Any:
    """Return the first part with all that it refers to."""
    made = [object.__new__(kind) for kind, _ in parts]

    def filled(value: object) -> Any:
        return made[value] if type(value) is Position else _mapped(value, filled)

    for item, (_, state) in zip(made, parts, strict=True):
        getattr(item, "__setstate__", item.__dict__.update)(filled(state))
    return made[0]


def _mapped(value: object, change: Callable[[object], Any]) -> Any:
    if type(value) is dict:
        return {name: change(item) for name, item in value.items()}
    if type(value) is list:
        return [change(item) for item in value]
    return tuple(map(change, value)) if type(value) is tuple else value


def within_reach(show: Callable[[Any], str]) -> Callable[[Any], str]:
    """Let what is too deep for Python's calls be shown as dots."""

    @functools.wraps(show)
    def shown(self: object) -> str:
        try:
            return show(self)
        except RecursionError:
            return "…"

    return shown


def _derived(cls: type) -> frozenset[str]:
    """Return the names of a class's own attributes that are made of others."""
    return frozenset(name for name, item in vars(cls).items() if isinstance(item, functools.cached_property))


def _all_derived(base: type) -> frozenset[str]:
    if issubclass(base, Compared):
        return base._derived
    return frozenset().union(*map(_derived, base.__mro__))


class Compared:
    """The part of an expression that says which others it equals: those of its class with equal attributes."""

    _derived: ClassVar[frozenset[str]] = frozenset()
    """The names of the attributes that were made of the others."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("__repr__", "__str__"):
            if show := vars(cls).get(name):
                setattr(cls, name, within_reach(show))
        cls._derived = _derived(cls).union(*map(_all_derived, cls.__bases__))

    if TYPE_CHECKING:

        def copy(self) -> Self: ...

    def __copy__(self) -> Self:
        return self.copy()

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
            if type(self).identity is not Compared.identity:
                return hash(self.identity)
            # What `identity` consists of, written out: long expressions are hashed more than once.
            parts: list[Any] = [type(self)]
            for name, value in sorted(self.__dict__.items()):
                if name not in self._derived:
                    parts += name, value if isinstance(value, Frozen) else hashable(value)
            return hash(tuple(parts))
        except RecursionError as error:
            raise NestedTooDeeply.of(f"A compared {type(self).__name__}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return joined, (taken_apart(self),)


class TwoSided(Compared):
    """The part of an operation that goes through what is on its two sides, operations again, in one line."""

    if TYPE_CHECKING:
        lhs: Any
        rhs: Any
        connector: str

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

    def _opened(self) -> tuple[dict[str, Any], Sequence[Any]]:
        given = self._given()
        return given, (given.pop("lhs"), given.pop("rhs"))
