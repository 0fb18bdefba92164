"""The one error for what is nested more deeply than Python's calls can follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facade.exceptions import NestedTooDeeply

if TYPE_CHECKING:
    from facade.sql.query.query import Query

_CALLS = {"filter_plain": "filter", "condition": "filter", "combine": "union"}


def too_deep(query: Query, step: str) -> NestedTooDeeply:
    """Return the error for a query that is nested too deeply; `step` is the one that it was about to take."""
    return NestedTooDeeply.of(f"{_name(query)}, in {_CALLS.get(step, step)}(),")


def _name(query: Query) -> str:
    return f"A query of {getattr(query.model, '__name__', 'values')}"


@contextmanager
def refusing_depth(what: str) -> Iterator[None]:
    """Turn the RecursionError of the block into the clear error."""
    try:
        yield
    except RecursionError as error:
        raise NestedTooDeeply.of(what) from error


@contextmanager
def refusing_deep_query(query: Query) -> Iterator[None]:
    """Turn the RecursionError of the block, which makes the SQL of a query, into the clear error."""
    with refusing_depth(_name(query)):
        yield
