"""Columns of any SQLAlchemy type."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.fields.base import Field
from facade.fields.declarations import LOOKUP_SEP
from facade.foundation.seams import Seam
from facade.types.base import is_own, type_key

if TYPE_CHECKING:
    from facade.fields.columns import ColumnType
    from facade.fields.descriptions import Kind, ValueDescription

# The name of a method of the type's comparator, or a function of a Core column and the value.
Method = str | Callable[[Any, Any], Any]

# (name of the lookup, method) -> the class of the lookup.
comparator_lookup: Seam[[str, Method], type[Any]] = Seam(
    "what a method of a type's comparator is as a lookup", filled_by="facade.expressions.core.comparators"
)

_EVERYWHERE = frozenset(["exact", "in", "isnull"])  # what relations, keys and saving rely on
_OF_TEXTS = frozenset(
    [
        *("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith"),
        *("iexact", "regex", "iregex"),
    ]
)


class _OnlyNone(Collection[Any]):
    """None alone, by identity: other values, arrays for instance, may not like to be compared."""

    def __contains__(self, item: object) -> bool:
        return item is None

    def __iter__(self) -> Iterator[None]:
        yield None

    def __len__(self) -> int:
        return 1


class TypedField(Field[Any]):
    """A column of a SQLAlchemy type, of SQLAlchemy's own, of a library, or of yours.

    The type binds and reads the values, and writes the column's DDL. The field converts nothing and asks nothing of a
    value but what its options say: `null`, `choices`, `validators`.

    `lookups` names the methods of the type's comparator that are lookups in `filter()`: a list of names, or a mapping of
    lookups to methods, where a function of ``(column, value)`` that returns a Core condition may stand for a method. Methods that are
    not named are no lookups.

    Raises TypeError for what is no type, and for lookups that cannot be.
    See https://docs.sqlalchemy.org/en/21/core/custom_types.html

    >>> field = TypedField(sa.ARRAY(sa.Text()), null=True, lookups={"one_of": "in_"})
    >>> field.column_type, field.lookups
    (ARRAY(Text()), {'one_of': 'in_'})
    """

    empty_strings_allowed = False
    empty_values = _OnlyNone()
    cast_in_choices = True
    description = "Value of a SQLAlchemy type"

    def __init__(
        self,
        type_: ColumnType | type[ColumnType],
        *names: Any,
        lookups: Mapping[str, Method] | Iterable[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(*names, **options)
        self.type = _type_of(type_)
        self.lookups = _lookups_of(self.type, lookups)

    @property
    def column_type(self) -> ColumnType:
        return self.type

    def get_internal_type(self) -> str:
        return "TypedField"

    @property
    def value_kind(self) -> Kind | None:  # type: ignore[override]
        """What a type of SQLAlchemy's own, whose values the database has as Python has them, holds."""
        return _kind_of(self.type)

    @property
    def reads_as_stored(self) -> bool:
        return is_own(self.type) and not isinstance(self.type, _CONVERTING)

    @property
    def _is_text(self) -> bool:
        """Whether a value is found by its text, as the database writes it."""
        return self.reads_as_stored and isinstance(getattr(self.type, "impl_instance", self.type), _WRITTEN)

    def stands_beside(self, first: ValueDescription) -> bool:
        return isinstance(first, TypedField) and type_key(first.type) == type_key(self.type)

    def _find(self, name: str) -> Any:
        if (method := self.lookups.get(name)) is not None:
            return comparator_lookup(name, method)
        return None if name in _OF_TEXTS and not self._is_text else super()._find(name)

    def get_instance_lookups(self) -> dict[str, type[Any]]:
        names = [*super().get_instance_lookups(), *self.lookups]
        return {name: found for name in names if (found := self._find(name)) is not None}

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        if self.lookups:
            options["lookups"] = self.lookups
        return name, path, [self.type, *args], options


def _type_of(given: object) -> ColumnType:
    if isinstance(given, sa.types.TypeEngine):
        return given
    if isinstance(given, type) and issubclass(given, sa.types.TypeEngine):
        return given()
    raise TypeError(
        f"The first argument of TypedField must be a SQLAlchemy type, as in TypedField(sa.Interval()), not {given!r}."
    )


def _lookups_of(type_: ColumnType, given: Mapping[str, Method] | Iterable[str]) -> dict[str, Method]:
    """Return the methods by the names of their lookups; TypeError for what cannot be one."""
    if isinstance(given, str):
        raise TypeError(f"The lookups of a TypedField are a list or a mapping, not the text {given!r}.")
    lookups: dict[str, Method] = dict(given) if isinstance(given, Mapping) else {name: name for name in given}
    for name, method in lookups.items():
        if not name.isidentifier() or LOOKUP_SEP in name:
            raise TypeError(f"A lookup of a TypedField is an identifier without '__', not {name!r}.")
        if name in _EVERYWHERE:
            raise TypeError(f"The lookup {name!r} of a TypedField is there already, and cannot be another.")
        if isinstance(method, str):
            check_method(type_, method)
        elif not callable(method):
            raise TypeError(
                f"The lookup {name!r} must be a comparator's method or a function, not {method!r}."
            )
    return lookups


def check_method(type_: ColumnType, name: str) -> None:
    """Raise TypeError unless values of a type have a comparator's method of that name."""
    comparator = type(sa.column("", type_).comparator)
    if not name.startswith("_") and callable(getattr(comparator, name, None)):
        return
    known = [item for item in dir(comparator) if not item.startswith("_")]
    close = difflib.get_close_matches(name, known)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise TypeError(f"The comparator of {type_!r} has no method {name!r}.{hint}")


# -- what types are ------------------------------------------------------------------------------

# Of SQLAlchemy's types, those whose values are others in the database than in Python.
_CONVERTING = (sa.Enum, sa.Interval, sa.LargeBinary, sa.PickleType)

# Those whose values are found by pieces of their text, as those of all fields are.
_WRITTEN = (
    *(sa.String, sa.Integer, sa.Numeric, sa.Float, sa.Boolean, sa.Uuid),
    *(sa.Date, sa.DateTime, sa.Time, sa.types.NullType),
)

_KINDS: tuple[tuple[type[ColumnType], Kind], ...] = (
    (sa.Boolean, "truth"),
    (sa.Integer, "integer"),
    (sa.Float, "float"),
    (sa.String, "text"),
)


def _kind_of(type_: ColumnType) -> Kind | None:
    if not is_own(type_) or isinstance(type_, _CONVERTING) or getattr(type_, "asdecimal", False):
        return None
    return next((kind for known, kind in _KINDS if isinstance(type_, known)), None)
