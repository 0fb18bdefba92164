"""The values that nearly all queries give, which a field's ``get_prep_value()`` would only hand back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.fields.kinds.boolean import BooleanField
from facade.fields.kinds.numbers import IntegerField
from facade.fields.kinds.text import CharField

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

LOWEST, HIGHEST = -(2**63), 2**63 - 1
"""The integers of the widest column; what a narrower one holds is the database's affair."""

_LISTS = (list, tuple, set, frozenset)  # which can be gone through more than once


def quickly(prepare: Callable[[Any], Any], field: object) -> Callable[[Any], Any]:
    """Return `prepare` behind a look at the value: what needs no preparation for this field is not prepared."""

    def integer(value: object) -> Any:
        return value if type(value) is int and LOWEST <= value <= HIGHEST else prepare(value)

    def truth(value: object) -> Any:
        return value if value is True or value is False else prepare(value)

    def text(value: object) -> Any:
        plain = type(value) is str and value.isascii() and "\0" not in value
        return value if plain else prepare(value)

    prepares = getattr(type(field), "get_prep_value", None)
    for kind, quick in ((IntegerField, integer), (BooleanField, truth), (CharField, text)):
        if prepares is kind.get_prep_value:
            return quick
    return prepare


def list_quickly(prepare: Callable[[Any], Any], field: object) -> Callable[[Any], Any]:
    """Return `prepare`, for lists, behind a look at the list: integers that the field would hand back are not prepared."""

    def integers(values: Collection[int]) -> Any:
        known = type(values) in _LISTS and {*map(type, values)} == {int}
        if known and min(values) >= LOWEST and max(values) <= HIGHEST:
            return [*dict.fromkeys(values)]
        return prepare(values)

    takes_integers = getattr(type(field), "get_prep_value", None) is IntegerField.get_prep_value
    return integers if takes_integers else prepare
