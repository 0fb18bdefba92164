"""What stands between names that come from users and a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar, overload

from facade.exceptions import FieldError

__all__ = ["allowed"]


V = TypeVar("V")


@overload
def allowed(given: Mapping[str, V], names: Iterable[str]) -> dict[str, V]: ...  # type: ignore[overload-overlap]
@overload
def allowed(given: str | Iterable[str], names: Iterable[str]) -> list[str]: ...
def allowed(given: Mapping[str, V] | str | Iterable[str], names: Iterable[str]) -> dict[str, V] | list[str]:
    """Return `given` if all names in it are among `names`; raise FieldError for the first that is not.

    A mapping is one of lookups, for ``filter(**allowed(...))``; a text, or a list of them, is an ordering or a choice of
    columns, in which a dash may stand before a name. `names` are whole lookups: "title" does not allow
    "title__startswith", nor "author" what lies behind the author.

    >>> allowed({"title__icontains": "sea"}, ["title", "title__icontains"])
    {'title__icontains': 'sea'}
    >>> allowed("-title", ["title"])
    ['-title']
    >>> allowed({"author__password__startswith": "a"}, ["title"])
    Traceback (most recent call last):
    facade.exceptions.FieldError: 'author__password__startswith' is not allowed here. Allowed: title.
    """
    if isinstance(names, str):
        raise TypeError(f"The allowed names are a list of names, not the text {names!r}.")
    known = frozenset(names)
    if isinstance(given, Mapping):
        for name in given:
            _check(name, name, known)
        return dict(given)
    wanted = [given] if isinstance(given, str) else list(given)
    for name in wanted:
        _check(name, _undirected(name), known)
    return wanted


def _undirected(name: object) -> object:
    return name.removeprefix("-") if isinstance(name, str) else name


def _check(shown: object, name: object, known: frozenset[str]) -> None:
    if not isinstance(name, str) or name not in known:
        raise FieldError(f"{shown!r} is not allowed here. Allowed: {', '.join(sorted(known))}.")
