"""What drivers raise, as SQLAlchemy's classes: the same ones on every road."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    SQLAlchemyError,
)

from facade.drivers import DRIVERS
from facade.drivers.postgresql import STALE_PLAN
from facade.exceptions import (
    CommitOutcomeUnknown,
    DeadlockDetected,
    NestedTooDeeply,
    SerializationFailure,
    StatementTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


ErrorClass = type[DBAPIError]

# PostgreSQL: SQLSTATE, whole or its class (the first two characters).
_BY_STATE: dict[str, ErrorClass] = {
    "40001": SerializationFailure,
    "40P01": DeadlockDetected,
    "08": OperationalError,
    "0A": NotSupportedError,
    "20": ProgrammingError,
    "21": ProgrammingError,
    "22": DataError,
    "23": IntegrityError,
    "24": InternalError,
    "25": InternalError,
    "26": OperationalError,
    "27": OperationalError,
    "28": OperationalError,
    "2B": InternalError,
    "2D": InternalError,
    "2F": InternalError,
    "34": OperationalError,
    "38": OperationalError,
    "39": OperationalError,
    "3B": OperationalError,
    "3D": ProgrammingError,
    "3F": ProgrammingError,
    "40": OperationalError,
    "42": ProgrammingError,
    "44": ProgrammingError,
    "53": OperationalError,
    "54": OperationalError,
    "55": OperationalError,
    "57": OperationalError,
    "58": OperationalError,
    "HV": InternalError,
    "P0": InternalError,
    "XX": InternalError,
}

# MySQL and MariaDB: the error number, which their drivers give as the first argument. Other numbers have the class
# that the driver gives them, and the states that newer drivers add are too coarse to tell a deadlock.
_BY_NUMBER: dict[int, ErrorClass] = {
    1213: DeadlockDetected, 1020: SerializationFailure, 1969: StatementTimeout, 3024: StatementTimeout,
    1048: IntegrityError, 1690: DataError, 3819: IntegrityError, 4025: IntegrityError,
    1139: DataError, **dict.fromkeys(range(3685, 3701), DataError),  # regular expressions that are none
}  # fmt: skip

DEADLOCK = 1213  # which has rolled the whole transaction back
MAY_ROLL_BACK = (1020, 1205, 1206)  # the statement or, as the server is configured, the transaction

_SQLITE_BUSY_SNAPSHOT = 517  # a reader that wants to write after somebody else has written

_BY_NAME: dict[str, ErrorClass] = {
    "DataError": DataError,
    "IntegrityError": IntegrityError,
    "InternalError": InternalError,
    "NotSupportedError": NotSupportedError,
    "OperationalError": OperationalError,
    "ProgrammingError": ProgrammingError,
    "InterfaceError": InterfaceError,
    "DatabaseError": DatabaseError,
    "Error": DBAPIError,
    **dict.fromkeys((name for driver in DRIVERS for name in driver.lost | driver.passing), OperationalError),
}

_UNDEFINED_TABLE = "42P01"
_NO_SUCH_TABLE = 1146

_CANCELED = "57014"  # by a limit of time or by somebody

# What databases say of a statement that is nested more deeply than they read.
_TOO_COMPLEX = "54001"
_TOO_DEEP = ("parser stack overflow", "Expression tree is too large", "Thread stack overrun")

# Errors that drivers let through from the socket, or raise while they encode a parameter.
_BY_TYPE: tuple[tuple[type[Exception], ErrorClass], ...] = (
    (OSError, OperationalError),  # TimeoutError and ConnectionError are OSErrors
    (EOFError, OperationalError),
    (OverflowError, DataError),
    (UnicodeError, DataError),
)

# What drivers say by the name of an error alone.
_LOST = frozenset(name for driver in DRIVERS for name in driver.lost)
_STALE_PLANS = [driver.is_stale_plan for driver in DRIVERS if driver.is_stale_plan is not None]
_QUOTING = [driver.quoting for driver in DRIVERS if driver.quoting is not None]

# A prepared statement is not there, or is there already: another server, or another client, answered.
_POOLED_STATES = ("26000", "42P05", "08P01")

# The server ended the session, and its transaction, for having waited too long: before any COMMIT.
_ENDED_STATES = ("25P03", "25P04")

# The server went away or is about to: 57P01..57P05 are its ways of saying so.
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P05", *_ENDED_STATES)

_POOLER = (
    "Database {!r}: is there a pooler between (pgbouncer in transaction mode, for instance) that spreads the statements "
    "of one connection over several servers? TRANSACTION_POOLING: True in its settings is for that."
)
_GONE = "The connection to {!r} had been lost, which its driver says in words of its own."
_NO_TABLE = (
    "facade.create_all() makes the tables of all models; those of migrations come with `facade migrate`."
)
_COMMIT_LOST = "The connection to {0!r} was lost while it committed: "
_COMMIT_CUT = (
    "The server of {0!r} had not answered COMMIT {1:g} seconds after the task around it was cancelled, and the "
    "connection was closed (FACADE_CLEANUP_SECONDS): "
)
_COMMIT_INTERRUPTED = "The COMMIT of {0!r} was interrupted, and the connection was closed: "
_UNKNOWN = "whether the work was saved is unknown. Look for it before you do it again."


def interruption(
    error: BaseException, outer: BaseException | None, cancellations: list[BaseException]
) -> BaseException:
    """Return what to raise when connecting failed: the interruption, where a failing clean-up has hidden it.

    ``outer`` is the exception that was being handled when connecting began, ``cancellations`` came while it went on.
    """
    if cancellations:
        return cancellations[-1]
    hidden: BaseException | None = error
    while hidden is not None and hidden is not outer:
        if not isinstance(hidden, Exception):
            return hidden
        if isinstance(hidden, TimeoutError) and hidden.__cause__ is not None:
            hidden = hidden.__cause__  # the limit's own way of interrupting, which is over
        hidden = hidden.__context__
    return error


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a PostgreSQL driver's error."""
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) and error_number(error) is None else None


def error_number(error: BaseException) -> int | None:
    """Return the number of an error of a MySQL driver's."""
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else None


def error_class(error: BaseException) -> ErrorClass | None:
    """Return the SQLAlchemy class for a driver's error; None for what no driver should raise."""
    state = sqlstate(error)
    if state == _CANCELED and "statement timeout" in str(error):
        return StatementTimeout
    if (numbered := _numbered(error)) is not None:
        return numbered
    if state == STALE_PLAN and any(is_stale(error) for is_stale in _STALE_PLANS):
        return SerializationFailure  # inside a block, whose transaction it ends: the whole of it may be run again
    if state is not None:
        return _BY_STATE.get(state) or _BY_STATE.get(state[:2], DatabaseError)
    named = next((_BY_NAME[cls.__name__] for cls in type(error).__mro__ if cls.__name__ in _BY_NAME), None)
    if named is not None:
        return named
    return next((cls for kind, cls in _BY_TYPE if isinstance(error, kind)), None)


def _numbered(error: BaseException) -> ErrorClass | None:
    if getattr(error, "sqlite_errorcode", None) == _SQLITE_BUSY_SNAPSHOT:
        return SerializationFailure
    number = error_number(error)
    return None if number is None else _BY_NUMBER.get(number)


def says_lost(error: BaseException) -> bool:
    """Tell whether the error itself says that the connection is of no more use."""
    state = sqlstate(error)
    if state is not None:
        return state.startswith(_LOST_STATES)
    return isinstance(error, (OSError, EOFError)) or _says_lost_by_name(error)


def _says_lost_by_name(error: BaseException) -> bool:
    """Tell whether only the name of a driver's error says so, and its words do not."""
    return type(error).__name__ in _LOST


def _is_of_a_pooler(error: BaseException) -> bool:
    """Tell whether it looks as if statements of one connection had gone to several servers."""
    return sqlstate(error) in _POOLED_STATES


def _says_no_table(error: BaseException) -> bool:
    """Tell whether a statement named a table that is not there."""
    state = sqlstate(error)
    if state is not None:
        return state == _UNDEFINED_TABLE
    return error_number(error) == _NO_SUCH_TABLE or str(error).startswith("no such table")


def ended_before(error: BaseException) -> bool:
    """Tell whether the server had ended the session before it got the statement."""
    return sqlstate(error) in _ENDED_STATES


def translated(
    error: BaseException,
    sql: str | None = None,
    params: Sequence[Any] | dict[str, Any] | None = None,
    *,
    lost: bool = False,
    hide: bool = False,
) -> BaseException:
    """Return what to raise for a driver's error; its ``orig`` and ``__cause__`` are that error.

    ``lost`` tells that the connection is gone with it, ``hide`` keeps the parameters out of the message. What is
    SQLAlchemy's already keeps its statement, and gets the class that the fast roads would give it.
    """
    if isinstance(error, SQLAlchemyError):
        refined = _refined(error)
        if lost and isinstance(refined, DBAPIError):
            refined.connection_invalidated = True
        return refined
    error = _unwrapped(error)
    if hide:
        _hide_argument(error)
    if _is_too_deep(error):
        return _too_deep(error)
    cls = _class_for(error, lost)
    if cls is None:
        return error
    wrapped = cls(sql, params, error, hide, lost)
    wrapped.__cause__ = error
    return wrapped


def explain(raised: BaseException, error: BaseException, alias: str) -> None:
    """Add to what is raised for a driver's error what may help."""
    if isinstance(raised, DBAPIError):
        if _is_of_a_pooler(error):
            raised.add_detail(_POOLER.format(alias))
        if _says_lost_by_name(error):
            raised.add_detail(_GONE.format(alias))
    if _says_no_table(error):
        raised.add_note(_NO_TABLE)


def unknown_outcome(cause: BaseException, alias: str, seconds: float) -> CommitOutcomeUnknown:
    """Return what tells of a COMMIT whose end nobody saw, because of ``cause``; ``seconds`` is how long was waited."""
    if not isinstance(cause, Exception):  # it goes its own way, and this is its cause
        return CommitOutcomeUnknown(_COMMIT_INTERRUPTED.format(alias) + _UNKNOWN)
    happened = _COMMIT_CUT if isinstance(cause, TimeoutError) else _COMMIT_LOST
    return CommitOutcomeUnknown(happened.format(alias, seconds) + _UNKNOWN, cause)


def _refined(error: SQLAlchemyError) -> SQLAlchemyError:
    raw = driver_error(error)
    if not isinstance(error, DBAPIError) or raw is None:
        return error
    if error.hide_parameters:
        _hide_argument(raw)
    if _is_too_deep(raw) and not isinstance(error, NestedTooDeeply):
        return _too_deep(raw)
    cls = _class_for(raw, error.connection_invalidated)
    if cls is None or (cls is type(error) and raw is error.orig):
        return error
    refined = cls(error.statement, error.params, raw, error.hide_parameters, error.connection_invalidated)
    refined.__cause__ = raw
    return refined


def _hide_argument(error: BaseException) -> None:
    """Take the value out of a driver's words for an argument that it cannot send."""
    for words in _QUOTING:
        if found := words.match(str(error)):
            error.args = (f"{found[0]} ({error.__cause__})",)


def _is_too_deep(error: BaseException) -> bool:
    state = sqlstate(error)
    if state is not None:
        return state == _TOO_COMPLEX
    return any(text in str(error) for text in _TOO_DEEP)


def _too_deep(error: BaseException) -> NestedTooDeeply:
    refused = NestedTooDeeply.of(f"The statement (as the database says: {error})", error)
    refused.__cause__ = error
    return refused


def _class_for(error: BaseException, lost: bool) -> ErrorClass | None:
    """Return the class for a driver's error; that of a lost connection is the same for every driver."""
    cls = error_class(error)
    return OperationalError if lost and cls is not None and not issubclass(cls, OperationalError) else cls


def driver_error(error: BaseException) -> BaseException | None:
    """Return the driver's own error behind one of SQLAlchemy's or of its adapters' (None if there is none)."""
    if isinstance(error, DBAPIError):
        return None if error.orig is None else _unwrapped(error.orig)
    return None if isinstance(error, SQLAlchemyError) else _unwrapped(error)


def _unwrapped(error: BaseException) -> BaseException:
    """Return what is behind the DB-API classes that SQLAlchemy's asyncio adapters emulate."""
    emulated = type(error).__module__.startswith("sqlalchemy.dialects.")
    return error.__cause__ or error if emulated else error
