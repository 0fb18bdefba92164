"""What was wrong with data, told as FastAPI tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypedDict

from facade.exceptions import NON_FIELD_ERRORS, ValidationError

__all__ = ["Detail", "InvalidData", "details"]

Place = tuple[str | int, ...]


class Detail(TypedDict):
    """One error: where it is, its text, and its code."""

    loc: Place
    msg: str
    type: str


class InvalidData(ValidationError):
    """Values of a schema were refused; fields are called what they are called outside.

    >>> error = InvalidData({"title": ["This field cannot be blank."]})
    >>> error.errors()
    [{'loc': ('body', 'title'), 'msg': 'This field cannot be blank.', 'type': 'invalid'}]
    """

    def errors(self, prefix: Iterable[str | int] = ("body",)) -> list[Detail]:
        """Return the errors as the `detail` of FastAPI's answer 422, below a place."""
        return details(self, prefix)


def details(error: ValidationError, prefix: Iterable[str | int] = ("body",)) -> list[Detail]:
    """Return the errors of any ValidationError in the form of FastAPI's answer 422.

    An error of no field is at the `prefix` itself, one of an item of a list at the item's position.

    >>> details(ValidationError("%(n)s is odd", code="odd", params={"n": 3}))
    [{'loc': ('body',), 'msg': '3 is odd', 'type': 'odd'}]
    """
    start = tuple(prefix)
    return [
        {"loc": (*start, *place), "msg": str(single.messages[0]), "type": single.code or "invalid"}
        for place, single in _singles(error)
    ]


def _singles(error: ValidationError) -> Iterator[tuple[Place, Any]]:
    for name, errors in error.update_error_dict({}).items():
        place = () if name == NON_FIELD_ERRORS else (name,)
        for single in errors:
            yield (*place, *getattr(single, "place", ())), single
