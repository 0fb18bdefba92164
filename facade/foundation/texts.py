"""Words in sentences."""

from __future__ import annotations

__all__ = ["capfirst", "one_line", "plural"]


def capfirst(words: object) -> str:
    """Return a text, which may be a lazy one, with a capital letter at its beginning; the others stay as they are.

    >>> capfirst("e-mail of the API")
    'E-mail of the API'
    """
    text = str(words)
    return text[:1].upper() + text[1:]


def one_line(words: object) -> str:
    r"""Return a text in one line, whatever space it has between its words.

    >>> one_line(ValueError("no such\n    table"))
    'no such table'
    """
    return " ".join(str(words).split())


def plural(count: int, noun: str) -> str:
    """Return how many things there are.

    >>> plural(1, "row"), plural(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"
