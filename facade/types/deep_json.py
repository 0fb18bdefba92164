"""JSON nested more deeply than the module `json` reads and writes: without recursion, for documents that others have stored."""

from __future__ import annotations

import json
import re
from typing import Any

_TOKENS = re.compile(r'([\[\]{},:])|("[^"\\]*(?:\\.[^"\\]*)*"|[^\s\[\]{},:"]+)', re.DOTALL)


def read_json(text: str | bytes) -> Any:
    """Return what a document says, however deeply it is nested. Raises JSONDecodeError for what is no JSON."""
    try:
        return json.loads(text)
    except RecursionError:
        return read_deep(text if isinstance(text, str) else bytes(text).decode())


def read_deep(text: str) -> Any:
    """Return what a document says that `json` finds too deep."""
    whole: list[Any] = []
    place: Any = whole  # the list or the dict that is being read
    around: list[Any] = []  # those it stands in
    key: Any = None

    def put(value: object) -> None:
        nonlocal key
        if isinstance(place, list):
            place.append(value)
        elif key is None:
            key = value
        else:
            place[key], key = value, None

    for mark, scalar in _TOKENS.findall(text):
        if scalar:
            put(json.loads(scalar))
        elif mark in "[{":
            inner: Any = [] if mark == "[" else {}
            put(inner)
            around.append(place)
            place = inner
        elif mark in "]}" and around:
            place = around.pop()
    if around or len(whole) != 1:
        raise json.JSONDecodeError("Not one document", text[:50], 0)
    return whole[0]


class _Text(str):
    """A piece of the text that is being written."""

    __slots__ = ()


def canonical_json(value: object) -> str:
    """Return a value as text that is the same for equal values: keys in order, whole numbers without a point."""
    written: list[str] = []
    to_write: list[Any] = [value]
    while to_write:
        item = to_write.pop()
        if type(item) is _Text:
            written.append(item)
        elif isinstance(item, list):
            to_write.append(_Text("]"))
            for position in range(len(item) - 1, -1, -1):
                to_write += [item[position], _Text("," if position else "")]
            written.append("[")
        elif isinstance(item, dict):
            to_write.append(_Text("}"))
            for position, key in reversed([*enumerate(sorted(item))]):
                to_write += [item[key], _Text(f"{',' if position else ''}{json.dumps(key)}:")]
            written.append("{")
        else:
            whole = isinstance(item, float) and item.is_integer()
            written.append(json.dumps(int(item) if whole else item))
    return "".join(written)
