"""Conditions that say the same in other words: with NOT inside or outside, in another order, in more parentheses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from facade.migrations.comparing.words import matching, unquoted, words

__all__ = ["same_condition"]

_WHERE = re.compile(r"\bwhere\b", re.IGNORECASE)
_NEGATED = {
    "=": "<>",
    "<>": "=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "is": "is not",
    "is not": "is",
    "in": "not in",
    "not in": "in",
    "like": "not like",
    "not like": "like",
}
_OPERATORS = {*_NEGATED, "!=", "between", "not between", "and", "or", "not"}


def same_condition(one: str, other: str) -> bool:
    """Return whether two checks, or two indexes with a condition, mean the same for every row.

    >>> same_condition("CHECK (size >= 0 AND NOT (kind = 3))", "CHECK ((kind <> 3) AND (size >= 0))")
    True
    >>> same_condition("name WHERE NOT gone", "name WHERE gone = false")
    True
    """
    before, condition = _split(one)
    before_other, condition_other = _split(other)
    return before == before_other and _meaning(condition) == _meaning(condition_other)


def _split(text: str) -> tuple[list[str], str]:
    """Return what an index is on, and its condition; of a check there is a condition only."""
    where = _WHERE.search(text)
    if where is not None:
        return words(text[: where.start()]), text[where.end() :]
    return [], re.sub(r"^\s*check\b", "", text, flags=re.IGNORECASE)


def _meaning(condition: str) -> str:
    given = [word if word[0] == "'" else unquoted(word).lower() for word in words(condition)]
    return _said(list(_operators_whole(given)), positive=True)


def _operators_whole(given: Sequence[str]) -> Iterator[str]:
    """Yield the words, operators of several as one: ``<`` ``>``, ``is`` ``not``."""
    position = 0
    while position < len(given):
        pair = given[position : position + 2]
        joined = "".join(pair) if pair[0] in "<>!=" else " ".join(pair)
        if len(pair) == 2 and joined in _OPERATORS:
            yield "<>" if joined == "!=" else joined
            position += 2
        else:
            yield given[position]
            position += 1


def _said(given: Sequence[str], *, positive: bool) -> str:
    """Write a condition, or its opposite, with every NOT inside and its parts in order."""
    while given and given[0] == "(" and matching(given, 0) == len(given) - 1:
        given = given[1:-1]
    for word in ("or", "and"):
        parts = _parts(given, word)
        if len(parts) > 1:
            said = sorted({_said(part, positive=positive) for part in parts})
            joint = word if positive else {"or": "and", "and": "or"}[word]
            return f"({f' {joint} '.join(said)})"
    if given and given[0] == "not":
        return _said(given[1:], positive=not positive)
    return _atom(given, positive=positive)


def _parts(given: Sequence[str], word: str) -> list[Sequence[str]]:
    """Return what stands between the ANDs, or ORs, that belong to no parentheses, CASE or BETWEEN."""
    depth, between, begin, parts = 0, False, 0, []
    for position, one in enumerate(given):
        depth += {"(": 1, ")": -1, "case": 1, "end": -1}.get(one, 0)
        if depth == 0 and one in ("between", "not between"):
            between = True
        elif depth == 0 and one == "and" and between:
            between = False
        elif depth == 0 and one == word:
            parts.append(given[begin:position])
            begin = position + 1
    return [*parts, given[begin:]]


def _atom(given: Sequence[str], *, positive: bool) -> str:
    plain = list(_without_single(given))
    if plain[-2:] in (["=", "false"], ["=", "true"]):
        return _said(plain[:-2], positive=positive == (plain[-1] == "true"))
    if not positive:
        found = [position for position, word in enumerate(plain) if word in _NEGATED]
        if len(found) != 1 or "(" in plain[: found[0]]:
            return f"not {' '.join(plain)}"
        plain[found[0]] = _NEGATED[plain[found[0]]]
    return " ".join(plain)


def _without_single(given: Sequence[str]) -> Iterator[str]:
    """Leave out parentheses around one word, other than those of a function or a list."""
    skipped = -1
    for position, word in enumerate(given):
        if position == skipped:
            continue
        opens = word == "(" and given[position + 2 : position + 3] == [")"]
        before = given[position - 1] if position else "="
        if opens and before in ("=", "<>", "<", ">", "<=", ">=", "(", "+", "-", "*", "/"):
            skipped = position + 2
        else:
            yield word
