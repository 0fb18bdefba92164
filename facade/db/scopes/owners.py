"""The end of a transaction that somebody else began: what `on_commit` waits for in a joined one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Connection

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, SessionTransaction

Ending = Callable[[bool], None]

# The methods of SQLAlchemy's Connection that end its transaction, and whether they keep its work.
_ENDS = {
    "_commit_impl": True,
    "_rollback_impl": False,
    "_commit_twophase_impl": True,
    "_rollback_twophase_impl": False,
}

_endings: WeakKeyDictionary[Session, list[Ending]] = WeakKeyDictionary()


def watch(owner: Session | Connection, ended: Ending) -> None:
    """Call ``ended(committed)`` once, when the present or next transaction of a session or connection has ended."""
    if isinstance(owner, Connection):
        _watch_connection(owner, ended)
    else:
        _watch_session(owner, ended)


def _watch_session(session: Session, ended: Ending) -> None:
    endings = _endings.get(session)
    if endings is None:
        endings = _endings[session] = []
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_soft_rollback", _rolled_back)
    endings.append(ended)


def _committed(session: Session) -> None:
    if not session.in_nested_transaction():
        _end(session, True)


def _rolled_back(session: Session, previous: SessionTransaction) -> None:
    if not previous.nested:
        _end(session, False)


def _end(session: Session, kept: bool) -> None:
    endings = _endings[session]
    waiting, endings[:] = list(endings), []
    for ended in waiting:
        ended(kept)


def _watch_connection(owner: Connection, ended: Ending) -> None:
    """Watch a connection by its own methods: its event "commit" comes before COMMIT."""
    connection: Any = owner

    def watching(method: Callable[..., None], kept: bool) -> Callable[..., None]:
        def run(*args: object) -> None:
            for name in _ENDS:
                delattr(connection, name)
            method(*args)
            ended(kept)

        return run

    for name, kept in _ENDS.items():
        setattr(connection, name, watching(getattr(connection, name), kept))
