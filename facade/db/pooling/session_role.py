"""The role that PostgreSQL's sessions assume: what they make belongs to it, and its rights are all they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection


def assume(role: str, paramstyle: str) -> Callable[[DBAPIConnection, object], None]:
    """Return what makes a new connection assume a role, for the events of an engine; written for every driver."""
    placeholder = "$1" if paramstyle == "numeric_dollar" else "%s"

    def connect(connection: DBAPIConnection, record: object) -> None:
        cursor = connection.cursor()
        try:
            cursor.execute(f"SELECT set_config('role', {placeholder}, false)", (role,))
        finally:
            cursor.close()
        connection.commit()

    return connect
