"""Which answer an error deserves."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from facade.contrib.schemas.errors import details
from facade.db.channels.errors import driver_error, error_number, sqlstate
from facade.db.channels.retry import is_lost, may_connect_later
from facade.exceptions import (
    CommitOutcomeUnknown,
    DataError,
    DeadlockDetected,
    IntegrityError,
    ObjectDoesNotExist,
    ObjectNotUpdated,
    OperationalError,
    PermissionDenied,
    PoolTimeoutError,
    ProtectedError,
    RestrictedError,
    SerializationFailure,
    StatementTimeout,
    SuspiciousOperation,
    ValidationError,
)
from facade.paginator import InvalidPage

logger = logging.getLogger("facade.service")

RETRY_AFTER: Final = 1
"""After how many seconds a client may try again."""

_LOCK_STATES = frozenset({"55P03"})
_LOCK_NUMBERS = frozenset({1205, 3572})
_SQLITE_LOCKED = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})


@dataclass(frozen=True)
class Problem:
    """One of the errors in an answer: where in the request, what, and a code that programs read."""

    where: tuple[str | int, ...]
    message: str
    code: str = "invalid"


class ServiceError(Exception):
    """A request that is refused, with the status of the answer."""

    status = 400

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class BodyError(ServiceError):
    """The body of a request is not what is expected; `problems` tell where."""

    status = 422

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


class ParameterError(ServiceError):
    """A parameter of a request that says nothing sensible; `parameter` is its name, `code` the kind of error."""

    status = 422

    def __init__(self, parameter: str, detail: str, code: str = "invalid", where: str = "query") -> None:
        super().__init__(detail)
        self.parameter, self.code, self.where = parameter, code, where


@dataclass(frozen=True)
class Answer:
    """What a client is told: a status, a text or several problems, and headers."""

    status: int
    detail: str | Sequence[Problem]
    headers: Mapping[str, str] = field(default_factory=dict)


HANDLED: Final[tuple[type[Exception], ...]] = (
    ServiceError,
    ObjectDoesNotExist,
    ValidationError,
    InvalidPage,
    PermissionDenied,
    SuspiciousOperation,
    ObjectNotUpdated,
    IntegrityError,
    DataError,
    PoolTimeoutError,
    OperationalError,
)
"""The errors that may have an answer: handlers are registered for these."""


def answer_to(error: BaseException) -> Answer | None:
    """Return what a client is told of an error; None for those that are the service's own fault.

    | Error | Status |
    |---|---|
    | DoesNotExist, a page that is none | 404 |
    | ValidationError, a wrong parameter, a value that its column cannot hold | 422, with the fields |
    | IntegrityError, ProtectedError, a row that somebody else has changed or deleted | 409 |
    | PermissionDenied | 403 |
    | SuspiciousOperation | 400 |
    | PoolExhausted, a database that is away, a lock, a deadlock, a serialization failure | 503 with Retry-After |
    | StatementTimeout | 504 |
    | CommitOutcomeUnknown | 500: nobody knows whether it may be repeated |

    Texts of databases are not told, since they show tables and values.

    >>> answer_to(ValidationError({"name": "Too long."}))
    Answer(status=422, detail=[Problem(where=('body', 'name'), message='Too long.', code='invalid')], headers={})
    >>> answer_to(KeyError("name")) is None
    True
    """
    if isinstance(error, ServiceError):
        return _refusal(error)
    if isinstance(error, ValidationError):
        return Answer(422, problems_of(error))
    for kinds, status, text in _STATUSES:
        if isinstance(error, kinds):
            return Answer(status, text or str(error))
    if isinstance(error, OperationalError | PoolTimeoutError):
        return _of_operation(error)
    return None


_BUSY = "The service is busy. Try again."
_TOO_SLOW = "The database took too long to answer."
_UNKNOWN = "The connection to the database was lost: whether this was stored is unknown."

_STATUSES: tuple[tuple[tuple[type[Exception], ...], int, str], ...] = (
    ((ObjectDoesNotExist, InvalidPage), 404, ""),
    ((PermissionDenied,), 403, "This is not allowed."),
    ((SuspiciousOperation,), 400, "This request is refused."),
    ((ProtectedError, RestrictedError), 409, ""),
    ((ObjectNotUpdated,), 409, "This was changed or deleted by somebody else."),
    ((IntegrityError,), 409, "This conflicts with what is stored."),
    ((DataError,), 422, "A value does not fit into its column."),
)


def _refusal(error: ServiceError) -> Answer:
    if isinstance(error, ParameterError):
        return Answer(error.status, [Problem((error.where, error.parameter), error.detail, error.code)])
    if isinstance(error, BodyError):
        return Answer(error.status, error.problems)
    return Answer(error.status, error.detail, error.headers)


def _of_operation(error: BaseException) -> Answer | None:
    if isinstance(error, CommitOutcomeUnknown):
        return Answer(500, _UNKNOWN)
    if isinstance(error, StatementTimeout):
        return Answer(504, _TOO_SLOW)
    passing = isinstance(error, PoolTimeoutError | DeadlockDetected | SerializationFailure)
    if passing or is_locked(error) or is_lost(error) or may_connect_later(error):
        return Answer(503, _BUSY, {"Retry-After": str(RETRY_AFTER)})
    return None


def is_locked(error: BaseException) -> bool:
    """Tell whether a statement failed because somebody else has locked what it needs."""
    raw = driver_error(error) or error
    if sqlstate(raw) in _LOCK_STATES or error_number(raw) in _LOCK_NUMBERS:
        return True
    name = getattr(raw, "sqlite_errorname", None) or ""
    return any(name.startswith(locked) for locked in _SQLITE_LOCKED)


def problems_of(error: ValidationError) -> list[Problem]:
    """Return what is wrong, field by field, by the names that the fields have outside."""
    return [Problem(one["loc"], one["msg"], one["type"]) for one in details(error)]


def text_of(error: Exception) -> str:
    """Return what an error says: of a ValidationError its messages, without what stands around them.

    >>> text_of(ValidationError(["This is no number.", "This is too long."]))
    'This is no number. This is too long.'
    """
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)


def log(error: BaseException, status: int, request: str) -> None:
    """Tell the operators of an error that the service has answered for; what clients did wrong is not their concern."""
    if status >= 500:
        level = logging.WARNING if status == 503 else logging.ERROR
        logger.log(
            level, "%s was answered with %d: %s", request, status, type(error).__name__, exc_info=error
        )
