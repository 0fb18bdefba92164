"""What an endpoint's work may refuse."""

from __future__ import annotations


class NotThere(LookupError):
    """What was asked for does not exist."""

    def __init__(self, what: str, *key: object) -> None:
        super().__init__(f"There is no {what} {', '.join(map(str, key))}.")
