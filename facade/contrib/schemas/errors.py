"""What was wrong with data, told as FastAPI tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
    """Values of a schema were refused.

    >>> error = InvalidData({"title": ["This field cannot be blank."]})
    >>> error.errors()
    [{'loc': ('body', 'title'), 'msg': 'This field cannot be blank.', 'type': 'invalid'}]
    """

    def __init__(self, message: object, keys: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.keys = dict(keys or {})

    def errors(self, prefix: Iterable[str | int] = ("body",)) -> list[Detail]:
        """Return the errors as the `detail` of FastAPI's answer 422, below a place."""
        return details(self, self.keys, prefix)


def details(
    error: ValidationError, keys: Mapping[str, str] | None = None, prefix: Iterable[str | int] = ("body",)
) -> list[Detail]:
    """Return the errors of any ValidationError in the form of FastAPI's answer 422.

    `keys` tells what fields are called outside. An error of no field is at the `prefix` itself.

    >>> details(ValidationError("%(n)s is odd", code="odd", params={"n": 3}))
    [{'loc': ('body',), 'msg': '3 is odd', 'type': 'odd'}]
    """
    start = tuple(prefix)
    return [
        {"loc": (*start, *place), "msg": _text(single), "type": single.code or "invalid"}
        for place, single in _singles(error, keys or {})
    ]


def _singles(error: ValidationError, keys: Mapping[str, str]) -> Iterator[tuple[Place, Any]]:
    by_name = error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    for name, errors in by_name.items():
        place = () if name == NON_FIELD_ERRORS else (keys.get(name, name),)
        for single in errors:
            yield (*place, *getattr(single, "place", ())), single


def _text(error: ValidationError) -> str:
    return str(error.messages[0])
