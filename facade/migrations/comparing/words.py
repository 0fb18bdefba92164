"""SQL text cut into words: what is the same in it however it was quoted, spaced and put in parentheses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

__all__ = ["column_name", "matching", "quoted", "same_text", "split", "text_of", "unquoted", "words"]

_WORD = re.compile(
    r"""
    '(?:[^'\\]|''|\\.)*'      # a text
    | "(?:[^"]|"")*"          # names in quotes
    | `(?:[^`]|``)*`
    | \[[A-Za-z_][^\]]*\]
    | [\w$.]+                 # names, numbers, keywords
    | \s+
    | .                       # operators, one character at a time
    """,
    re.VERBOSE | re.DOTALL,
)
# In SQLite and PostgreSQL a backslash is a character like others.
_STANDARD_WORD = re.compile(_WORD.pattern.replace(r"[^'\\]|''|\\.", "[^']|''"), re.VERBOSE | re.DOTALL)


def words(sql: str, backslashes: bool = False) -> list[str]:
    """Return the words of a text; `backslashes` tells that one escapes what follows it in a quoted text.

    >>> words("CHECK (price > 'a b')")
    ['CHECK', '(', 'price', '>', "'a b'", ')']
    """
    found = (_WORD if backslashes else _STANDARD_WORD).findall(sql)
    return [word for word in found if not word.isspace()]


def unquoted(word: str) -> str:
    """Return the name that a word in quotes is; other words as they are.

    >>> unquoted('"a small One"'), unquoted("'text'")
    ('a small One', "'text'")
    """
    if len(word) > 1 and word[0] in '"`[':
        closing = "]" if word[0] == "[" else word[0]
        return word[1:-1].replace(closing * 2, closing)
    return word


def quoted(name: str) -> str:
    """Return a name in the quotes of standard SQL."""
    return '"' + name.replace('"', '""') + '"'


def text_of(given: Sequence[str]) -> str:
    """Return a text that is the same for words that differ in quotes, case and outer parentheses only.

    >>> text_of(words('((Lower("name")))')) == text_of(words("LOWER(name)"))
    True
    """
    while len(given) > 1 and given[0] == "(" and matching(given, 0) == len(given) - 1:
        given = given[1:-1]
    return " ".join(word if word[0] == "'" else unquoted(word).lower() for word in given)


def same_text(sql: str) -> str:
    """Return the text to compare an expression by."""
    return text_of(words(sql))


def matching(given: Sequence[str], start: int) -> int:
    """Return where the parenthesis closes that opens at `start`; the end where it does not."""
    depth = 0
    for position in range(start, len(given)):
        depth += {"(": 1, ")": -1}.get(given[position], 0)
        if depth == 0:
            return position
    return len(given)


def split(given: Sequence[str]) -> Iterator[list[str]]:
    """Yield the parts between commas that stand in no parentheses."""
    part: list[str] = []
    depth = 0
    for word in given:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(word)
    if part:
        yield part


def column_name(part: Sequence[str]) -> str:
    """Return the name that the definition of a column begins with."""
    return unquoted(part[0])
