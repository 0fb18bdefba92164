"""The end of a transaction that somebody else began: what `on_commit` waits for in a joined one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Ending = Callable[[bool], None]

_endings: WeakKeyDictionary[Session, list[Ending]] = WeakKeyDictionary()


def watch(owner: Session | Connection, ended: Ending) -> None:
    """Call ``ended(committed)`` once, when the present or next transaction of a session or connection has ended."""
    if isinstance(owner, Session):
        _watch_session(owner, ended)
    else:
        _watch_connection(owner, ended)


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

    def watching(method: Callable[[], None], kept: bool) -> Callable[[], None]:
        def run() -> None:
            del connection._commit_impl, connection._rollback_impl
            method()
            ended(kept)

        return run

    connection._commit_impl, connection._rollback_impl = (
        watching(connection._commit_impl, True),
        watching(connection._rollback_impl, False),
    )
