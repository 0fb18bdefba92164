"""Names that users give to columns of a result."""

from __future__ import annotations

import re

# Whitespace, control characters, quotes, and what ends or comments out a statement: nothing of it belongs in a name.
_FORBIDDEN = re.compile(r"['`\"\]\[;\s\x00-\x1F\x7F-\x9F\uD800-\uDFFF]|#|--|/\*|\*/|^$")


def check_alias(alias: str) -> None:
    """Raise ValueError for an alias that is not a plain name.

    >>> check_alias("total")
    >>> check_alias('total"; --')
    Traceback (most recent call last):
        ...
    ValueError: Column aliases cannot contain whitespace characters, hashes, control characters, quotation marks, semicolons, or SQL \
comments.
    """
    if _FORBIDDEN.search(alias):
        raise ValueError(
            "Column aliases cannot contain whitespace characters, hashes, control characters, quotation marks, semicolons, "
            "or SQL comments."
        )
    if "%" in alias:
        raise ValueError("Column aliases cannot contain percent signs.")
    if "." in alias:
        raise ValueError("Column aliases cannot contain periods.")
