"""Query parameters: what they are called, which values they take, and how a text becomes one."""

from __future__ import annotations

import datetime as dt
import decimal
import inspect
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Protocol, TypeVar

from facade.contrib.service.errors import ParameterError
from facade.foundation.texts import capfirst
from facade.parsing.dates import parse_date, parse_datetime, parse_duration, parse_time

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Parameter:
    """One query parameter. `many`: it may be given several times. `choices`: no other values are taken."""

    name: str
    kind: type
    default: object = None
    description: str = ""
    minimum: int | None = None
    maximum: int | None = None
    many: bool = False
    choices: tuple[Any, ...] = ()

    def declared(self, name: str, about: object, choice: object = None) -> inspect.Parameter:
        """Return it as a parameter of a function, for frameworks that read signatures; they know the rest by `about`.

        ``choice``: the type of a choice, where a Literal does not do.
        """
        kind: Any = (choice or Literal[self.choices]) if self.choices else self.kind
        if self.many:
            kind = list[kind]
        if self.default is None:
            kind = kind | None
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=Annotated[kind, about]
        )


class Queried(Protocol[T_co]):
    """What is bound to the query parameters of a request: a pagination, or filters."""

    @property
    def parameters(self) -> Sequence[Parameter]:
        """The parameters that it reads."""

    def check_names(self, given: Iterable[str]) -> None:
        """Refuse parameters of a request that mean something that is not allowed; those of others are none of its business."""

    def bind(self, values: Mapping[str, Any]) -> T_co:
        """Return what does the work, for the values of one request; those that are missing or None are not given."""


class MultiMapping(Protocol):
    """The query parameters of a request, as Starlette and Litestar have them."""

    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def getlist(self, key: str, /) -> list[str]: ...


def times_given(given: Iterable[str], name: str) -> int:
    """Return how often a parameter was given, as far as the mapping tells."""
    values = getattr(given, "getlist", None) or getattr(given, "getall", None)
    return len(values(name)) if values is not None and name in given else 1


def parsed(queried: Queried[T_co], given: MultiMapping) -> T_co:
    """Bind to texts, for frameworks that do not convert parameters. Raises ParameterError for a wrong value."""
    queried.check_names(given)
    values = {
        one.name: _read_all(one, given.getlist(one.name)) for one in queried.parameters if one.name in given
    }
    return queried.bind(values)


def read_path(name: str, kind: type, text: str) -> object:
    """Return the value of a part of a path; raises ParameterError."""
    return _read(Parameter(name, kind), text, "path")


def _read_all(parameter: Parameter, texts: list[str]) -> object:
    found = [_read(parameter, text) for text in texts]
    return found if parameter.many else found[-1]


def _read(parameter: Parameter, text: str, where: str = "query") -> object:
    read, words = _READERS.get(parameter.kind, (str, "a text"))
    try:
        value = read(text)
    except (ValueError, ArithmeticError):
        value = None
    if value is None:
        raise ParameterError(parameter.name, f"{capfirst(words)} is expected.", where=where)
    check_limits(parameter, value)
    return value


def check_limits(parameter: Parameter, value: object) -> None:
    """Refuse a number that is out of bounds or none, or a value that is no choice."""
    if isinstance(value, float | decimal.Decimal) and not _is_finite(value):
        raise ParameterError(parameter.name, "A finite number is expected.")
    if parameter.choices and value not in parameter.choices:
        known = ", ".join(str(choice) for choice in parameter.choices)
        raise ParameterError(parameter.name, f"One of these is expected: {known}.", "choice")
    if isinstance(value, int) and parameter.minimum is not None and value < parameter.minimum:
        raise ParameterError(parameter.name, f"{parameter.minimum} is the least value.", "min_value")
    if isinstance(value, int) and parameter.maximum is not None and value > parameter.maximum:
        raise ParameterError(parameter.name, f"{parameter.maximum} is the greatest value.", "max_value")


def _is_finite(value: float | decimal.Decimal) -> bool:
    """Tell whether a number is one that databases have: written out, 1e999999999 would fill the memory."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value.is_finite() and abs(value.adjusted()) <= _POWER


def _read_bool(text: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())


def _read_integer(text: str) -> int | None:
    return int(text) if _is_plain(text) else None


def _read_float(text: str) -> float | None:
    return float(text) if _is_plain(text) else None


def _read_decimal(text: str) -> decimal.Decimal | None:
    return decimal.Decimal(text) if _is_plain(text) else None


def _is_plain(text: str) -> bool:
    """Tell whether a number is written as other languages write it, too: Python takes 1_000, and digits of all scripts."""
    return text.isascii() and "_" not in text and len(text) <= _DIGITS


_DIGITS = 60
_POWER = 1000
_READERS: Final[Mapping[type, tuple[Callable[[str], Any], str]]] = {
    bool: (_read_bool, "true or false"),
    int: (_read_integer, "an integer"),
    float: (_read_float, "a number"),
    decimal.Decimal: (_read_decimal, "a number"),
    uuid.UUID: (uuid.UUID, "a UUID"),
    dt.datetime: (parse_datetime, "a date and time (ISO 8601)"),
    dt.date: (parse_date, "a date (YYYY-MM-DD)"),
    dt.time: (parse_time, "a time"),
    dt.timedelta: (parse_duration, "a duration"),
}
