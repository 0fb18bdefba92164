"""Which changes of a column's type leave the rows as they are, and which defaults differ from row to row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

__all__ = ["is_volatile", "keeps_rows"]

_VOLATILE = re.compile(
    r"\b(random|gen_random_uuid|uuidv4|uuidv7|uuid_generate_\w+|clock_timestamp|timeofday|nextval)\s*\(",
    re.IGNORECASE,
)

#: Up to so many bytes of a text MySQL keeps its length in one byte.
_ONE_BYTE = 255


def is_volatile(default: Any) -> bool:
    """Return whether a column's default has another value for each row that is there."""
    return default is not None and _VOLATILE.search(str(getattr(default, "arg", default))) is not None


def keeps_rows(old: TypeEngine[Any] | None, new: TypeEngine[Any], dialect: Dialect) -> bool:
    """Return whether the database changes the type without writing the rows anew; not so where that is not known."""
    if old is None:
        return False
    if old.compile(dialect) == new.compile(dialect):
        return True
    if isinstance(old, sa.String) and isinstance(new, sa.String):
        return _text_grows(old, new, dialect)
    if isinstance(old, sa.Numeric) and isinstance(new, sa.Numeric) and not isinstance(new, sa.Float):
        return vendor_of(dialect).changes_lengths and _number_grows(old, new)
    return False


def _text_grows(old: sa.String, new: sa.String, dialect: Dialect) -> bool:
    if vendor_of(dialect).changes_lengths:
        # Neither has rows of another form; only the length is checked.
        return new.length is None or (old.length is not None and old.length <= new.length)
    if isinstance(old, sa.Text) or isinstance(new, sa.Text) or old.length is None or new.length is None:
        return False
    # Up to four bytes a character.
    return old.length <= new.length and (old.length * 4 > _ONE_BYTE) == (new.length * 4 > _ONE_BYTE)


def _number_grows(old: sa.Numeric[Any], new: sa.Numeric[Any]) -> bool:
    if new.precision is None:
        return True
    return old.precision is not None and old.precision <= new.precision and old.scale == new.scale
