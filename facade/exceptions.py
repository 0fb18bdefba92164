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
    """The requested row does not exist; each model has a subclass `Model.DoesNotExist`.

    What helps: catch the model's own class, or ask `get_or_none()` or `first()`, which return None.

    >>> Author.objects.get(name="Zoe")
    Traceback (most recent call last):
    library.models.Author.DoesNotExist: Author matching query does not exist.
    """

    silent_variable_failure = True


class MultipleObjectsReturned(Exception):
    """One row was asked for and several matched; each model has a subclass of its own.

    What helps: conditions that leave one row, or `first()` with an order, where any of them will do.
    """


class FieldDoesNotExist(Exception):
    """The model has no field of that name.

    What helps: `Model._meta.get_fields()` lists those it has, relations from other models among them.
    """


class FieldError(Exception):
    """A field was named or used in a way its model does not allow.

    It is raised where the query is written, before any SQL. What helps: the message names the model, the wrong
    name, the nearest right one and those there are.

    >>> Author.objects.filter(nmae="Ada")
    Traceback (most recent call last):
    facade.exceptions.FieldError: Cannot resolve keyword 'nmae' into field. ...
    """


class FieldFetchBlocked(FieldError):
    """A missing value would have cost a query, which the instance's fetch mode forbids.

    What helps: load it beforehand, by the `select_related()`, `prefetch_related()` or `only()` that the message
    names, or `await obj.afetch("name")`.
    """


class EmptyResultSet(Exception):
    """The condition cannot be true for any row; no query is needed.

    Methods of querysets catch it and answer at once. What helps: in an expression of your own, let it pass, or set
    `empty_result_set_value`.
    """


class FullResultSet(Exception):
    """The condition is true for every row; no WHERE is needed.

    Methods of querysets catch it. What helps: in an expression of your own, let it pass.
    """


class ImproperlyConfigured(Exception):
    """A setting is missing or wrong.

    What helps: the message names the setting, or the alias and its key, and what it takes; `facade.configure()`
    comes before the first query.
    """


class AppRegistryNotReady(Exception):
    """Models were asked for before they were all declared.

    What helps: ask later, when the modules with models are imported, or use `apps.lazy_model_operation()`.
    """


class ConnectionDoesNotExist(Exception):
    """No database is configured under that alias.

    What helps: `facade.configure(DATABASES={"default": …})`, and an alias that is in it.
    """


class SynchronousOnlyOperation(Exception):
    """A blocking call was made in a running event loop; the message names its awaitable twin.

    What helps: `await` the twin, load relations beforehand, or call the whole function by `await
    facade.run(function)`; in notebooks, `ALLOW_BLOCKING` of the database.
    """


class SuspiciousOperation(Exception):
    """Input that looks like an attack.

    What helps: answer it as a bad request, and look where the value came from.
    """


class SuspiciousFileOperation(SuspiciousOperation):
    """A file name that would leave the storage's directory.

    What helps: names without `..` and without a slash at the beginning.
    """


class PermissionDenied(Exception):
    """The user may not do that.

    It is for programs to raise. What helps: answer it as forbidden.
    """


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
    """`save()` found no row to update; each model has a subclass `Model.NotUpdated`.

    The row was deleted, or changed by somebody else where rows have versions, since the object was loaded. What
    helps: `refresh_from_db()` and decide anew, or `save(force_insert=True)` to store it again.
    """


class UnsupportedFeature(_Told, NotSupportedError):
    """The database cannot do what was asked.

    What helps: the message names the database, the feature, and the version or setting that has it;
    `connection.features` tells beforehand.
    """


class NestedTooDeeply(_Told, OperationalError, ValueError):
    """A condition, an expression or a query holds more of its kind, one inside the other, than can be made SQL of.

    What helps: parts that are alike side by side (one Q or function of many), `filter()` or `annotate()` for each
    part, constants computed in Python, rows of inner queries fetched first.
    """

    @classmethod
    def of(cls, what: str, cause: BaseException | None = None) -> NestedTooDeeply:
        """Return the error that says what is nested too deeply, and what helps."""
        return cls(
            f"{what} is nested too deeply. Put parts that are alike side by side (one Q or function of many), call filter() or "
            "annotate() for each part, compute constants in Python, or fetch the rows of inner queries first.",
            cause,
        )


class NumericValueOutOfRange(_Told, DataError, OverflowError):
    """A number does not fit into its column.

    What helps: the message names the field; `full_clean()` checks the range before, `BigIntegerField` and larger
    `max_digits` hold more.
    """


class CheckViolation(NumericValueOutOfRange, IntegrityError):
    """A number is one that the CHECK of its column, or its unsigned type, does not allow.

    What helps: `full_clean()` before, or a field that takes negative numbers.
    """


class TransactionManagementError(_Told, ProgrammingError):
    """Transactions were used in a way that makes no sense.

    Most often, a query in a block after a statement of it has failed: the database refuses all that follows. What
    helps: an inner `atomic()` around what may fail, and the error caught outside of it.
    """


class DetachedOperation(TransactionManagementError):
    """A task tried to use a transaction that another task owns.

    What helps: `block.shared()`, for tasks that are to take part in the block; `transaction.detached()` around
    those that are not.
    """


class CommitOutcomeUnknown(_Told, OperationalError):
    """The connection was lost during COMMIT: whether the work was saved is unknown.

    It is never tried again by itself. What interrupts a COMMIT, a cancellation or Ctrl-C, is raised itself, with this as
    its ``__cause__``. What helps: look whether the work is there before you do it again.
    """


class StatementTimeout(OperationalError):
    """A statement took longer than it was allowed to, and the server stopped it.

    The limit is that of `atomic(timeout=…)`, `QuerySet.timeout()` or the server. What helps: a larger limit, an
    index (`explain(analyze=True)` shows where the time goes), or less to read at a time.
    """


class DeadlockDetected(OperationalError):
    """The database ended this transaction to resolve a deadlock.

    What helps: `@atomic(retries=3)` runs the whole function again; rows locked in the same order everywhere do not
    come to it.
    """


class SerializationFailure(OperationalError):
    """This transaction cannot be put in order with concurrent ones; it may be tried again.

    What helps: `@atomic(retries=3)` runs the whole function again.
    """


class PoolExhausted(PoolTimeoutError):
    """No connection became free within the pool's timeout.

    What helps: the message names the alias, the pool's figures and settings: larger `POOL_SIZE` and `MAX_OVERFLOW`,
    shorter blocks, or an answer of 503; `pool_stats()` shows who waits.
    """


class _DeletionRefused(_Told, IntegrityError):
    def __init__(self, message: str, objects: Iterable[Any]) -> None:
        super().__init__(message)
        self.objects = objects
        self.args = (message, objects)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args


class ProtectedError(_DeletionRefused):
    """Deletion was refused: rows refer to the object with `on_delete=PROTECT`.

    What helps: `protected_objects` are those that refer to it: delete or change them first.
    """

    @property
    def protected_objects(self) -> Iterable[Any]:
        """The objects that refer to it."""
        return self.objects


class RestrictedError(_DeletionRefused):
    """Deletion was refused: rows refer to the object with `on_delete=RESTRICT`.

    What helps: `restricted_objects` are those that refer to it: delete them, or what they both belong to.
    """

    @property
    def restricted_objects(self) -> Iterable[Any]:
        """The objects that refer to it."""
        return self.objects


class ValidationError(Exception):
    """One or several values were refused.

    `message` is a text, another `ValidationError`, a list of those, or a dict that maps field
    names to those. A single error has `message`, `code` and `params` (which the text is formatted
    with); any but a dict has `error_list`; a dict has `error_dict`. What helps: `message_dict` tells the users what is
    wrong with which field.

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
