"""Choices of fields: enumerations with labels, and one form for all the ways to write choices."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, Any, Self

from facade.foundation.promises import is_promise

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BaseChoiceIterator",
    "BlankChoiceIterator",
    "CallableChoiceIterator",
    "Choices",
    "ChoicesType",
    "IntegerChoices",
    "TextChoices",
    "flatten_choices",
    "normalize_choices",
]


class ChoicesType(enum.EnumType):
    """Metaclass of the enumerations: takes the labels out of the values."""

    def __new__(metacls, name: str, bases: tuple[type, ...], members: Any, **options: Any) -> Any:
        labels = [_take_label(members, key) for key in members._member_names]
        cls: Any = super().__new__(metacls, name, bases, members, **options)
        for member, label in zip(cls.__members__.values(), labels, strict=True):
            member._label_ = label
        return enum.unique(cls)

    if sys.version_info < (3, 12):  # later Pythons look values up themselves

        def __contains__(cls, member: object) -> bool:
            if isinstance(member, enum.Enum):
                return super().__contains__(member)
            members: Mapping[str, Any] = cls.__members__
            return any(known.value == member for known in members.values())

    @property
    def choices(cls) -> list[tuple[Any, str]]:
        """Pairs of value and label, in the order of definition; `__empty__` first."""
        members: Mapping[str, Any] = cls.__members__
        empty = [(None, cls.__empty__)] if hasattr(cls, "__empty__") else []
        return [*empty, *((member.value, member.label) for member in members.values())]

    @property
    def labels(cls) -> list[str]:
        """The labels alone."""
        return [label for _, label in cls.choices]

    @property
    def values(cls) -> list[Any]:
        """The values alone."""
        return [value for value, _ in cls.choices]

    @property
    def names(cls) -> list[str]:
        """The members' names."""
        empty = ["__empty__"] if hasattr(cls, "__empty__") else []
        return [*empty, *cls.__members__]


def _take_label(members: dict[str, Any], key: str) -> Any:
    """Return the label of a member, which was written last in its value or is made of its name."""
    value = members[key]
    if not (isinstance(value, (list, tuple)) and len(value) > 1 and _is_text(value[-1])):
        return key.replace("_", " ").title()
    # The dict of an enumeration refuses a second assignment of its own.
    dict.__setitem__(members, key, tuple(value[:-1]))
    return value[-1]


def _is_text(value: object) -> bool:
    return isinstance(value, str) or is_promise(value)


class Choices(enum.Enum, metaclass=ChoicesType):
    """An enumeration whose members have labels; a base for those of any type of value.

    >>> class Step(float, Choices):
    ...     HALF = 0.5, "One half"
    ...     WHOLE = 1.0
    >>> Step.choices
    [(0.5, 'One half'), (1.0, 'Whole')]
    """

    if TYPE_CHECKING:
        _label_: str
    # Template engines call what is callable; a class that says so is left alone.
    do_not_call_in_templates = enum.nonmember(True)

    @enum.property
    def label(self) -> str:
        """The text for people."""
        return self._label_

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}.{self._name_}"


class IntegerChoices(Choices, enum.IntEnum):
    """An enumeration of integers with labels.

    >>> class Suit(IntegerChoices):
    ...     HEART = 1, "Hearts"
    ...     SPADE = 2
    >>> Suit.choices, Suit.SPADE.label, Suit(1)
    ([(1, 'Hearts'), (2, 'Spade')], 'Spade', Suit.HEART)
    """

    if TYPE_CHECKING:  # a member may be written as a value and a label
        _value_: Any

        def __new__(cls, *value: Any) -> Self: ...

        @property
        def value(self) -> int: ...


class TextChoices(Choices, enum.StrEnum):
    """An enumeration of texts with labels.

    >>> class Size(TextChoices):
    ...     SMALL = "S", "small"
    ...     LARGE = "L", "large"
    >>> Size.SMALL == "S", Size("L").label
    (True, 'large')
    """

    if TYPE_CHECKING:  # a member may be written as a value and a label
        _value_: Any

        def __new__(cls, *value: Any) -> Self: ...

        @property
        def value(self) -> str: ...

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[Any]) -> str:
        return name


class BaseChoiceIterator:
    """Choices that are made anew whenever they are looked at."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} must define __iter__().")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Iterable):
            return NotImplemented
        missing = object()
        return all(mine == theirs for mine, theirs in zip_longest(self, other, fillvalue=missing))

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice) or index < 0:
            return list(self)[index]
        for item in islice(self, index, index + 1):
            return item
        raise IndexError("index out of range")


class BlankChoiceIterator(BaseChoiceIterator):
    """Choices behind a blank one, unless they hold a blank one themselves."""

    def __init__(self, choices: Iterable[Any], blank_choice: Iterable[Any]) -> None:
        self.choices = choices
        self.blank_choice = blank_choice

    def __iter__(self) -> Iterator[Any]:
        choices = list(self.choices)
        has_blank = any(value in ("", None) for value, _ in flatten_choices(choices))
        return iter(choices) if has_blank else chain(self.blank_choice, choices)


class CallableChoiceIterator(BaseChoiceIterator):
    """Choices that a function returns; it is called each time they are needed."""

    def __init__(self, func: Callable[[], Any]) -> None:
        self.func = func

    def __iter__(self) -> Iterator[Any]:
        yield from normalize_choices(self.func())


def flatten_choices(choices: Iterable[Any] | None) -> Iterator[tuple[Any, Any]]:
    """Yield (value, label) pairs: those of groups in the place of their group.

    >>> list(flatten_choices([("Fruit", [("a", "Apple")]), ("x", "Other")]))
    [('a', 'Apple'), ('x', 'Other')]
    """
    for value, label in choices or ():
        if isinstance(label, (list, tuple)):
            yield from label
        else:
            yield value, label


_DEPTH = 2  # choices, and groups of choices


def normalize_choices(value: object, *, depth: int = 0) -> Any:
    """Return choices as a list of pairs, or a lazy equivalent for a function.

    Takes pairs, mappings, `Choices` classes, iterators, functions that return any of these, and
    the same again for groups. What is none of these comes back as it is, for `Field.check()` to report.

    >>> normalize_choices({"Fruit": {"a": "Apple"}, "x": "Other"})
    [('Fruit', [('a', 'Apple')]), ('x', 'Other')]
    """
    if isinstance(value, ChoicesType):
        return value.choices
    if depth >= _DEPTH or isinstance(value, (BaseChoiceIterator, bytes, str)) or is_promise(value):
        return value
    if isinstance(value, Mapping):
        pairs: Any = value.items()
    elif isinstance(value, Iterable):
        pairs = value
    elif not callable(value):
        return value
    elif depth == 0:
        return CallableChoiceIterator(value)
    else:
        pairs = value()
    return _pairs(pairs, depth)


def _pairs(items: Sequence[Any], depth: int) -> Any:
    if not isinstance(items, Iterator) and any(_is_text(item) or isinstance(item, bytes) for item in items):
        return items
    try:
        return [(key, normalize_choices(label, depth=depth + 1)) for key, label in items]
    except (TypeError, ValueError):
        return items
