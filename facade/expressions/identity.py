"""What makes expressions equal; operations as long as programs make them are compared, printed, copied and pickled without recursion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from facade.exceptions import NestedTooDeeply
from facade.expressions.freezing import hashable

Part = tuple[Any, dict[str, Any] | None]


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
        for item, attributes in reversed([*self._parts()]):
            texts.append(str(item) if attributes is None else f"{texts.pop()} {item.connector} {texts.pop()}")
        return texts.pop()

    @property
    def identity(self) -> Any:
        parts: list[Any] = []
        for item, attributes in self._parts():
            if attributes is None:
                parts.append(hashable(item))
            else:
                given = tuple((name, hashable(value)) for name, value in sorted(attributes.items()))
                parts += [type(item), given]
        return tuple(parts)

    def __copy__(self) -> Any:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        parts = [
            (item, None) if attributes is None else (type(item), attributes)
            for item, attributes in self._parts()
        ]
        return _rebuilt, (parts,)

    def _parts(self) -> Iterator[Part]:
        """Yield each operation, with its other attributes, before its two sides; None stands beside what is none."""
        todo: list[Any] = [self]
        while todo:
            item = todo.pop()
            if isinstance(item, TwoSided):
                given = item._given()
                todo += [given.pop("rhs"), given.pop("lhs")]
                yield item, given
            else:
                yield item, None


def _rebuilt(parts: list[Part]) -> Any:
    """Return the operation that was laid out in one line."""
    done: list[Any] = []
    for item, attributes in reversed(parts):
        if attributes is None:
            done.append(item)
            continue
        operation = object.__new__(item)
        operation.__dict__.update(attributes, lhs=done.pop(), rhs=done.pop())
        done.append(operation)
    return done.pop()
