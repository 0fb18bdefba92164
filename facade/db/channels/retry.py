"""Trying again, where the first try cannot have had an effect."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError

from facade.configuration import settings
from facade.db.channels.errors import driver_error, error_number, sqlstate
from facade.drivers import DRIVERS

FIRST_DELAY = 0.05
LONGEST_DELAY = 2.0
LONGEST_RECONNECT_DELAY = 0.5

_FULL_STATE = "53300"
_FULL_WORDS = ("too many c", "remaining connection slots")
_MYSQL_FULL = frozenset({1040, 1203, 1226})
# A server that starts, stops, recovers or has no connection slot left will be there again.
_PASSING_STATES = ("08", _FULL_STATE, "57P01", "57P02", "57P03")
_PASSING_WORDS = ("starting up", "shutting down", "recovery mode", "not yet accepting", *_FULL_WORDS)
_MYSQL_PASSING = frozenset({*_MYSQL_FULL, 1053, 2002, 2003, 2006, 2013})
# Of drivers: the names of errors that pass, and the modules that say what libpq says.
_PASSING = frozenset(name for driver in DRIVERS for name in driver.passing)
_LIBPQ = tuple(driver.module for driver in DRIVERS if driver.is_libpq)


def delays(attempts: int | None = None) -> Iterator[float]:
    """Yield the pauses between tries, in seconds: growing exponentially, with jitter, one fewer than tries.

    ``attempts`` is ``settings.FACADE_RETRY_ATTEMPTS`` unless given.
    """
    tries = settings.FACADE_RETRY_ATTEMPTS if attempts is None else attempts
    for n in range(tries - 1):
        yield min(FIRST_DELAY * 2**n, LONGEST_DELAY) * random.uniform(0.5, 1.5)  # noqa: S311


def reconnect_delays() -> Iterator[float]:
    """Yield the pauses between tries to reach a server that was there before, in seconds, without an end."""
    for n in itertools.count():
        yield min(FIRST_DELAY * 2 ** min(n, 4), LONGEST_RECONNECT_DELAY) * random.uniform(0.5, 1.5)  # noqa: S311


def is_lost(error: BaseException) -> bool:
    """Tell whether a statement failed because its connection was lost."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def may_connect_later(error: BaseException) -> bool:
    """Tell whether connecting failed for a reason that passes: not for a wrong password or an unknown database."""
    raw = driver_error(error) or error
    state = sqlstate(raw)
    if state is not None:
        return state.startswith(_PASSING_STATES)
    if isinstance(raw, (OSError, EOFError)):
        return not isinstance(raw, PermissionError)
    if type(raw).__name__ in _PASSING:
        return True
    if (number := error_number(raw)) is not None:
        return number in _MYSQL_PASSING
    return type(raw).__module__.startswith(_LIBPQ) and _libpq_passing(str(raw))


def refuses_more(error: BaseException) -> bool:
    """Tell whether connecting failed because the server has as many connections as it takes."""
    raw = driver_error(error) or error
    state = sqlstate(raw)
    if state is not None:
        return state == _FULL_STATE
    if (number := error_number(raw)) is not None:
        return number in _MYSQL_FULL
    return type(raw).__module__.startswith(_LIBPQ) and any(words in str(raw) for words in _FULL_WORDS)


def _libpq_passing(message: str) -> bool:
    """Read what libpq says; what the server itself refused is marked FATAL."""
    return "FATAL" not in message or any(words in message for words in _PASSING_WORDS)
