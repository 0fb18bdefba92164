"""Every exception that facade raises; the database errors are SQLAlchemy's own classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

__all__ = [
    "NON_FIELD_ERRORS",
    "AppRegistryNotReady",
    "CheckViolation",
    "CommitOutcomeUnknown",
    "ConnectionDoesNotExist",
    "DBAPIError",
    "DataError",
    "DatabaseError",
    "DeadlockDetected",
    "DetachedOperation",
    "EmptyResultSet",
    "Error",
    "FieldDoesNotExist",
    "FieldError",
    "FieldFetchBlocked",
    "FullResultSet",
    "ImproperlyConfigured",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "MultipleObjectsReturned",
    "NestedTooDeeply",
    "NotSupportedError",
    "NumericValueOutOfRange",
    "ObjectDoesNotExist",
    "ObjectNotUpdated",
    "OperationalError",
    "PermissionDenied",
    "PoolExhausted",
    "PoolTimeoutError",
    "ProgrammingError",
    "ProtectedError",
    "RestrictedError",
    "SerializationFailure",
    "StatementTimeout",
    "SuspiciousFileOperation",
    "SuspiciousOperation",
    "SynchronousOnlyOperation",
    "TransactionManagementError",
    "UnsupportedFeature",
    "ValidationError",
]

Error = DBAPIError
"""The root of the database errors, under its DB-API name."""

NON_FIELD_ERRORS = "__all__"
"""The key of `ValidationError.message_dict` for errors that belong to no single field."""


class ObjectDoesNotExist(Exception):
    """The requested row does not exist; each model has a subclass `Model.DoesNotExist`."""

    silent_variable_failure = True


class MultipleObjectsReturned(Exception):
    """One row was asked for and several matched; each model has a subclass of its own."""


class FieldDoesNotExist(Exception):
    """The model has no field of that name."""


class FieldError(Exception):
    """A field was named or used in a way its model does not allow."""


class FieldFetchBlocked(FieldError):
    """A missing value would have cost a query, which the instance's fetch mode forbids."""


class EmptyResultSet(Exception):
    """The condition cannot be true for any row; no query is needed."""


class FullResultSet(Exception):
    """The condition is true for every row; no WHERE is needed."""


class ImproperlyConfigured(Exception):
    """A setting is missing or wrong."""


class AppRegistryNotReady(Exception):
    """Models were asked for before they were all declared."""


class ConnectionDoesNotExist(Exception):
    """No database is configured under that alias."""


class SynchronousOnlyOperation(Exception):
    """A blocking call was made in a running event loop; the message names its awaitable twin."""


class SuspiciousOperation(Exception):
    """Input that looks like an attack."""


class SuspiciousFileOperation(SuspiciousOperation):
    """A file name that would leave the storage's directory."""


class PermissionDenied(Exception):
    """The user may not do that."""


class _Told(DBAPIError):
    """A database error that facade itself detects: made of one message, with no driver error."""

    def __init__(self, message: str = "", orig: BaseException | None = None) -> None:
        super().__init__(None, None, orig or Exception(message))
        self.args = (message,)

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.orig)


class ObjectNotUpdated(_Told, DatabaseError):
    """`save()` found no row to update; each model has a subclass `Model.NotUpdated`."""


class UnsupportedFeature(_Told, NotSupportedError):
    """The database cannot do what was asked."""


class NestedTooDeeply(_Told, OperationalError, ValueError):
    """A condition, an expression or a query holds more of its kind, one inside the other, than can be made SQL of."""

    @classmethod
    def of(cls, what: str, cause: BaseException | None = None) -> NestedTooDeeply:
        """Return the error that says what is nested too deeply, and what helps."""
        return cls(
            f"{what} is nested too deeply. Put parts that are alike side by side (one Q or function of many), call filter() or "
            "annotate() for each part, compute constants in Python, or fetch the rows of inner queries first.",
            cause,
        )


class NumericValueOutOfRange(_Told, DataError, OverflowError):
    """A number does not fit into its column."""


class CheckViolation(NumericValueOutOfRange, IntegrityError):
    """A number is one that the CHECK of its column, or its unsigned type, does not allow."""


class TransactionManagementError(_Told, ProgrammingError):
    """Transactions were used in a way that makes no sense."""


class DetachedOperation(TransactionManagementError):
    """A task tried to use a transaction that another task owns."""


class CommitOutcomeUnknown(_Told, OperationalError):
    """The connection was lost during COMMIT: whether the work was saved is unknown."""


class StatementTimeout(OperationalError):
    """A statement took longer than it was allowed to, and the server stopped it."""


class DeadlockDetected(OperationalError):
    """The database ended this transaction to resolve a deadlock."""


class SerializationFailure(OperationalError):
    """This transaction cannot be put in order with concurrent ones; it may be tried again."""


class PoolExhausted(PoolTimeoutError):
    """No connection became free within the pool's timeout."""


class _DeletionRefused(_Told, IntegrityError):
    def __init__(self, message: str, objects: Iterable[Any]) -> None:
        super().__init__(message)
        self.objects = objects
        self.args = (message, objects)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args


class ProtectedError(_DeletionRefused):
    """Deletion was refused: rows refer to the object with `on_delete=PROTECT`."""

    @property
    def protected_objects(self) -> Iterable[Any]:
        """The objects that refer to it."""
        return self.objects


class RestrictedError(_DeletionRefused):
    """Deletion was refused: rows refer to the object with `on_delete=RESTRICT`."""

    @property
    def restricted_objects(self) -> Iterable[Any]:
        """The objects that refer to it."""
        return self.objects


class ValidationError(Exception):
    """One or several values were refused.

    `message` is a text, another `ValidationError`, a list of those, or a dict that maps field
    names to those. A single error has `message`, `code` and `params` (which the text is formatted
    with); any but a dict has `error_list`; a dict has `error_dict`.

    >>> ValidationError("%(value)s is odd", code="odd", params={"value": 3}).messages
    ['3 is odd']
    >>> ValidationError({"age": ["Too old.", "Not a prime."]}).message_dict
    {'age': ['Too old.', 'Not a prime.']}
    """

    message: Any
    code: str | None
    params: Mapping[str, Any] | None
    error_list: list[ValidationError]
    error_dict: dict[str, list[ValidationError]]

    def __init__(
        self, message: object, code: str | None = None, params: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, code, params)
        if isinstance(message, ValidationError):
            message, code, params = message._content()
        if isinstance(message, dict):
            self.error_dict = {name: _errors(errors) for name, errors in message.items()}
        elif isinstance(message, list):
            self.error_list = [error for item in message for error in _flat(item)]
        else:
            self.message, self.code, self.params = message, code, params
            self.error_list = [self]

    def _content(self) -> tuple[Any, str | None, Mapping[str, Any] | None]:
        if self._is_dict():
            return self.error_dict, None, None
        if self._is_single():
            return self.message, self.code, self.params
        return self.error_list, None, None

    def _is_dict(self) -> bool:
        return "error_dict" in self.__dict__

    def _is_single(self) -> bool:
        return "message" in self.__dict__

    @property
    def message_dict(self) -> dict[str, list[str]]:
        """Field names and their messages. AttributeError when the error was not made of a dict."""
        return {name: _texts(errors) for name, errors in self.error_dict.items()}

    @property
    def messages(self) -> list[str]:
        """All messages, formatted with their params."""
        if self._is_dict():
            return [text for texts in self.message_dict.values() for text in texts]
        return _texts(self.error_list)

    def update_error_dict(
        self, error_dict: dict[str, list[ValidationError]]
    ) -> dict[str, list[ValidationError]]:
        """Add these errors to `error_dict`; those of no field go under `NON_FIELD_ERRORS`."""
        found = self.error_dict if self._is_dict() else {NON_FIELD_ERRORS: self.error_list}
        for name, errors in found.items():
            error_dict.setdefault(name, []).extend(errors)
        return error_dict

    def __iter__(self) -> Iterator[Any]:
        return iter(self.message_dict.items() if self._is_dict() else self.messages)

    def __str__(self) -> str:
        return repr(self.message_dict if self._is_dict() else self.messages)

    def __repr__(self) -> str:
        return f"ValidationError({self})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ValidationError):
            return NotImplemented
        return hash(self) == hash(other)

    def __hash__(self) -> int:
        if self._is_single():
            return hash((self.message, self.code, _frozen(self.params)))
        if self._is_dict():
            return hash(_frozen(self.error_dict))
        return hash(tuple(sorted(self.error_list, key=lambda error: str(error.message))))


def _errors(value: object) -> list[ValidationError]:
    return (value if isinstance(value, ValidationError) else ValidationError(value)).error_list


def _flat(value: object) -> list[ValidationError]:
    error = value if isinstance(value, ValidationError) else ValidationError(value)
    if error._is_dict():
        return [single for errors in error.error_dict.values() for single in errors]
    return error.error_list


def _texts(errors: list[ValidationError]) -> list[str]:
    return [_text(error) for error in errors]


def _text(error: ValidationError) -> str:
    if not error.params:
        return str(error.message)
    try:
        return str(error.message % error.params)
    except ValueError:
        return str(error.message % {name: shown(value) for name, value in error.params.items()})


def shown(value: object) -> str:
    """Return `repr(value)` for a message, or words for a number of more digits than Python writes."""
    try:
        return repr(value)
    except ValueError:
        return f"<{type(value).__name__} of too many digits>"


def _frozen(value: Any) -> Any:
    """A hashable stand-in: equal values give equal ones, whatever the order of a dict."""
    if isinstance(value, Mapping):
        return tuple((key, _frozen(item)) for key, item in sorted(value.items()))
    try:
        hash(value)
    except TypeError:
        return tuple(map(_frozen, value))
    return value
