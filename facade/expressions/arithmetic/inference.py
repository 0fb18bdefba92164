"""Which field describes the values of an arithmetic expression."""

from __future__ import annotations

from typing import Any

from facade.exceptions import FieldError
from facade.fields import Field


class OutputFieldIsNoneError(FieldError):
    """An expression whose type cannot be told."""


def combined_field(connector: str, left: object, right: object) -> Any:
    """Return the field of `left connector right`, None where neither has a rule for the pair."""
    if left is None or right is None:
        return left or right
    if not (isinstance(left, Field) and isinstance(right, Field)):
        return None
    return left.combined(connector, right) or right.combined_behind(connector, left)
