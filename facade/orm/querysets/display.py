"""What a queryset looks like in prompts, debuggers, log lines and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from operator import methodcaller
from typing import TYPE_CHECKING, TypeVar

from facade.exceptions import SynchronousOnlyOperation

if TYPE_CHECKING:
    from facade.orm.querysets.reading import Reading

M = TypeVar("M")
R = TypeVar("R")

SHOWN_ROWS = 20
SHOWN_CHARACTERS = 200
MORE = "...(remaining elements truncated)..."


def first_rows(queryset: Reading[M, R]) -> Sequence[object] | None:
    """Return one row more than is shown, or None where nothing is loaded and asking would block an event loop."""
    if queryset._result_cache is not None:
        return queryset._result_cache[: SHOWN_ROWS + 1]
    try:
        return list(queryset[: SHOWN_ROWS + 1])
    except SynchronousOnlyOperation:
        return None


def as_text(queryset: Reading[M, R], rows: Sequence[object] | None) -> str:
    """Write the rows as Python does, or that there are none yet."""
    kind = type(queryset).__name__
    if rows is None:
        return f"<{kind} of {queryset.model.__name__}, not loaded: await it>"
    shown = [*rows[:SHOWN_ROWS], *([MORE] if len(rows) > SHOWN_ROWS else [])]
    return f"<{kind} {shown!r}>"


def as_html(queryset: Reading[M, R], rows: Sequence[object] | None) -> str:
    """Write the rows as a table, a column for each value that is loaded; every text in it is escaped."""
    if not rows:
        return f"<code>{escape(as_text(queryset, rows))}</code>"
    names, cells = _columns(queryset, rows[0])
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_short(value))}</td>' for value in cells(row))}</tr>"
        for row in rows[:SHOWN_ROWS]
    )
    more = f"<p>{escape(MORE)}</p>" if len(rows) > SHOWN_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _columns(
    queryset: Reading[M, R], first: object
) -> tuple[Sequence[str], Callable[[object], Iterable[object]]]:
    """Name the columns by the first row, and tell how a row's values are read."""
    if queryset._kind == "dicts" and isinstance(first, dict):
        return list(first), methodcaller("values")
    if queryset._kind == "instances":
        names = [name for name in vars(first) if not name.startswith("_")]
        return names, lambda row: [vars(row).get(name) for name in names]
    if queryset._kind == "flat":
        return queryset._result_names()[:1], lambda row: [row]
    return queryset._result_names(), methodcaller("__iter__")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
