"""Primary keys as the texts that stand for them in URLs and forms."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from starlette_admin.tools import iterdecode, iterencode

from facade.exceptions import ValidationError

if TYPE_CHECKING:
    from facade.models import Model

__all__ = ["has_key", "key_text", "read_key"]


def has_key(model: type[Model]) -> bool:
    """Return whether the rows of a model have a primary key, by which they are told apart."""
    return bool(model._meta.pk_fields)


def key_text(obj: Model) -> str:
    """Return the text that stands for the key of an object; the parts of a composite one are separated by commas."""
    opts = obj._meta
    parts = [_text(getattr(obj, field.attname)) for field in opts.pk_fields]
    return iterencode(parts) if opts.is_composite_pk else "".join(parts)


def _text(part: object) -> str:
    if isinstance(part, (dt.date, dt.time)):
        return part.isoformat()
    return part.hex() if isinstance(part, bytes) else str(part)


def read_key(model: type[Model], text: object) -> object:
    """Return the key that a text stands for, None where no row can have such a key."""
    fields = model._meta.pk_fields
    parts = iterdecode(str(text)) if model._meta.is_composite_pk else (str(text),)
    if not fields or len(parts) != len(fields) or any("\0" in part for part in parts):
        return None
    try:
        read = tuple(field.to_python(part) for field, part in zip(fields, parts, strict=True))
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None
    if None in read:
        return None
    return read if model._meta.is_composite_pk else read[0]
