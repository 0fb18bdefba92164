"""Freezing: taking the constants out of what a user wrote, so that what is left names a shape.

A frozen object is hashable; its constants stand in a list, and numbered places (:class:`Arg`) stand in their stead.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.operators import ColumnOperators

from facade.exceptions import NestedTooDeeply
from facade.fields import Field
from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


# Values of exactly these types are arguments: they never change the SQL (bool aside, see `isnull`).
PLAIN = frozenset(
    {int, str, float, bytes, decimal.Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, uuid.UUID}
)


class Arg:
    """The place of one value: its number among the arguments of a shape."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def moved(self, offset: int) -> Arg:
        """Return the place behind `offset` other values."""
        return Arg(self.index + offset)

    def __eq__(self, other: object) -> bool:
        return type(other) is Arg and other.index == self.index

    def __hash__(self) -> int:
        return hash((Arg, self.index))

    def __repr__(self) -> str:
        if (shown := _shown.get()) is None:
            return f"Arg({self.index})"
        first, values = shown
        return repr(values[self.index - first]) if 0 <= self.index - first < len(values) else "…"


_shown: ContextVar[tuple[int, Sequence[Any]] | None] = ContextVar(
    "the values to show, and the first one's number", default=None
)


@contextmanager
def showing(first: int, values: Sequence[Any]) -> Iterator[None]:
    """Let places be written as the values that stand there, for the words of an error; the first has the number `first`."""
    token = _shown.set((first, values))
    try:
        yield
    finally:
        _shown.reset(token)


class ArgWithNone(Arg):
    """The place of a list with None in it, or with nothing else (`only`): NOT IN then says something about NULL as well."""

    __slots__ = ("only",)

    def __init__(self, index: int, only: bool) -> None:
        super().__init__(index)
        self.only = only

    def __eq__(self, other: object) -> bool:
        return type(other) is ArgWithNone and (other.index, other.only) == (self.index, self.only)

    def __hash__(self) -> int:
        return hash((ArgWithNone, self.index, self.only))


class WideArg(Arg):
    """The place of a whole number that 32 bits cannot hold: in 64 it fits, or it does not (`long`)."""

    __slots__ = ("long",)

    def __init__(self, index: int, long: bool) -> None:
        super().__init__(index)
        self.long = long

    def moved(self, offset: int) -> WideArg:
        return WideArg(self.index + offset, self.long)

    def __eq__(self, other: object) -> bool:
        return type(other) is WideArg and (other.index, other.long) == (self.index, self.long)

    def __hash__(self) -> int:
        return hash((WideArg, self.index, self.long))


class Empty:
    """What stands in a key for an empty list: the SQL is another one than for a list of values."""

    def __repr__(self) -> str:
        return "EMPTY"

    def __reduce__(self) -> str:
        return "EMPTY"


class NotAnArgument(Exception):
    """A value that cannot be an argument: it says something about the SQL, for which `mark` stands."""

    @property
    def mark(self) -> Any:
        return self


class PreparedNone(NotAnArgument):
    """A value that its field takes for none."""

    mark = None


class OutOfRange(NotAnArgument):
    """A value no row of its column can hold; `high` tells on which side it lies."""

    def __init__(self, high: bool) -> None:
        super().__init__(high)
        self.high = high

    def __eq__(self, other: object) -> bool:
        return type(other) is OutOfRange and other.high == self.high

    def __hash__(self) -> int:
        return hash((OutOfRange, self.high))


class BeyondColumn(Exception):
    """An argument that no row's column can hold, found when a plan was about to run: it asks for another plan."""

    def __init__(self, number: int, high: bool) -> None:
        super().__init__(number, high)
        self.number, self.high = number, high


class ItemByItem(Exception):
    """A list whose items are wanted as values of their own: the SQL names each."""

    def __init__(self, arg: Arg) -> None:
        super().__init__(arg)
        self.arg = arg


class ConstantWanted(Exception):
    """A value that says something about the SQL: `prepare` makes what stands in its place."""

    def __init__(self, arg: Arg, prepare: Callable[[Any], Any]) -> None:
        super().__init__(arg)
        self.arg, self.prepare = arg, prepare


EMPTY = Empty()


Containers = (list, tuple, set, frozenset, range)
_AS_THEY_ARE = frozenset({Arg, str, int, bool, type(None)})
_SEQUENCES: Any = (list, tuple, type({}.keys()), type({}.values()))


class Values(list[Any]):
    """The values taken out of a step; `keyed` turns False when the step cannot share its shape."""

    keyed = True

    def add(self, value: object) -> Arg:
        self.append(value)
        return Arg(len(self) - 1)

    def add_constant(self, value: object) -> Arg:
        """Add a value whose type nothing but itself tells: databases with types have to know how large a number is."""
        arg = self.add(value)
        return WideArg(arg.index, is_long(value)) if is_wide(value) else arg


class Frozen:
    """Base of what freezes itself: expressions, conditions and querysets."""

    __slots__ = ()

    def freeze(self, values: Values) -> Any:
        """Return a hashable stand-in for this object; its constants move to `values`."""
        raise NotImplementedError

    def _question(self) -> Frozen:
        """Return what stands for this object in a pickled expression."""
        return self


CORE: Any = (sa.ClauseElement, ColumnOperators)
"""What SQLAlchemy's expressions are: those of Core, and attributes of mapped classes."""

core_expression: Seam[[object], Any] = Seam(
    "what stands for an expression of SQLAlchemy Core, and None for anything else",
    filled_by="facade.expressions.core.clauses",
)


EXPRESSIONS: Any = (Frozen, *CORE)


def is_wide(value: object) -> bool:
    """Return whether `value` is a number that 32 bits cannot hold."""
    return isinstance(value, int) and not -(2**31) <= value < 2**31


def is_long(value: object) -> bool:
    """Return whether `value` is a number that 64 bits cannot hold."""
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def freeze(value: object, values: Values) -> Any:
    """Return what `value` contributes to the key of a step, its constants moved to `values`."""
    if type(value) in PLAIN:
        return values.add(value)
    if value is None:
        return None
    if isinstance(value, Frozen):
        try:
            return value.freeze(values)
        except RecursionError as error:
            raise NestedTooDeeply.of(f"An expression with {type(value).__name__}") from error
    if isinstance(value, Containers):
        return _freeze_container(value, values)
    if isinstance(value, Iterator):
        return _freeze_container(list(value), values)
    if (core := core_expression(value)) is not None:
        return core.freeze(values)
    return values.add(value)


def freeze_stored(value: object, values: Values) -> Any:
    """Return what a value that is assigned to a column contributes: a list is one value, whatever is in it."""
    return values.add(value) if isinstance(value, Containers) else freeze(value, values)


def _freeze_container(items: Iterable[Any], values: Values) -> Any:
    if any(issubclass(kind, EXPRESSIONS) for kind in {*map(type, items)}):
        return tuple(
            values.add_constant(item) if type(item) is int else freeze(item, values) for item in items
        )
    arg = values.add(items)
    if not items:
        return EMPTY
    if None not in items:
        return arg
    return ArgWithNone(arg.index, all(item is None for item in items))


class HashedOnce(tuple[Any, ...]):  # noqa: SLOT001 - it keeps its hash, for which no tuple has a slot
    """Frozen parts of a key: what they hold does not change any more, and is a lot to go through."""

    _hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = super().__hash__()
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)  # the hashes of texts differ from process to process


def hashable(value: object) -> Any:
    """Return a hashable equivalent of a constructor argument."""
    if type(value) in _AS_THEY_ARE or isinstance(value, Frozen):
        return value
    if isinstance(value, Field):
        return Described(value)
    if isinstance(value, _SEQUENCES):
        return tuple([hashable(item) for item in value])
    if isinstance(value, dict):
        return tuple([(key, hashable(item)) for key, item in sorted(value.items())])
    if isinstance(value, (set, frozenset)):
        return frozenset(hashable(item) for item in value)
    return value


class Described:
    """Stands for a field in what is compared: what makes two the same is looked at only where they are compared."""

    __slots__ = ("field",)

    def __init__(self, field: Field[Any]) -> None:
        self.field = field

    def __eq__(self, other: object) -> bool:
        if type(other) is not Described:
            return False
        return other.field is self.field or field_identity(other.field) == field_identity(self.field)

    def __hash__(self) -> int:
        field = self.field
        return hash(field.name if getattr(field, "model", None) is not None else field.get_internal_type())


def field_identity(field: Field[Any]) -> Any:
    """Return what makes a field the same field: its place in a model, else its type and its options."""
    if getattr(field, "model", None) is not None and field.name:
        return field.model._meta.label, field.name
    _, path, args, options = field.deconstruct()
    return path, hashable(args), hashable(options)
