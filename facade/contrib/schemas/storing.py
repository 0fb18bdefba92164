"""What a client has given, as the columns of a model take it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from facade.configuration import settings
from facade.db.connection import connections
from facade.db.routing import router
from facade.exceptions import ValidationError
from facade.fields import DateTimeField, Field, TimeField
from facade.timezone import get_default_timezone, is_naive, make_aware, make_naive

__all__ = ["MAX_DEPTH", "READ_ONLY", "TIME_WITH_ZONE", "moment", "stored"]

MAX_DEPTH: Final = 128
"""How many lists and dicts may stand one in the other in a document: pydantic writes 254, with all that an answer puts around it."""
READ_ONLY: Final = "This can only be read."
TIME_WITH_ZONE: Final = "A time of day has no time zone."
_NO_VALUE: Final = "This is no value that can be stored."
_TOO_DEEP: Final = f"A document may be nested {MAX_DEPTH} levels deep, not deeper."
_REFUSED = (ValueError, TypeError, ArithmeticError)


def moment(field: Field[Any], value: object) -> object:
    """Return a moment as a column takes it: clocks without a zone are those of the default one, as in Django's forms.

    Where the column holds clocks, a moment becomes what clocks of the default zone show then. Other values are returned as they are.
    Raises OverflowError for a moment that no calendar has in the other zone.
    """
    if not isinstance(value, dt.datetime) or not isinstance(field, DateTimeField):
        return value
    is_moment = settings.USE_TZ and field.is_zoned
    if is_moment == is_naive(value):
        convert = make_aware if is_moment else make_naive
        return convert(value, get_default_timezone())
    return value


def stored(field: Field[Any], value: object) -> object:
    """Return a client's value as the attribute takes it; raises ValidationError for one that no column of this kind can hold.

    Such are texts with a NUL or half a character, documents that are nested more deeply than `MAX_DEPTH`, the key 0 where the database
    counts keys from 1 (MariaDB), times of day with a zone, and moments outside of the calendar.
    """
    if isinstance(value, dt.time) and isinstance(field, TimeField) and value.tzinfo is not None:
        raise ValidationError(TIME_WITH_ZONE, code="invalid")
    if field.generated:
        raise ValidationError(READ_ONLY, code="read_only")
    if _is_too_deep(value):
        raise ValidationError(_TOO_DEEP, code="too_deep")
    try:
        found = moment(field, value)
        if isinstance(found, str) or field.primary_key:
            field.get_db_prep_save(found, connections[router.db_for_write(field.model)])
    except _REFUSED as error:
        raise ValidationError(_NO_VALUE, code="invalid") from error
    return found


def _is_too_deep(value: object) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [one for one in level if isinstance(one, dict | list)]
        if not level:
            return False
        level = [inner for one in level for inner in (one.values() if isinstance(one, dict) else one)]
    return True
