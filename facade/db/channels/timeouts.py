"""How long a statement may take, each database's own way: inside a transaction, until it is said otherwise."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from facade.exceptions import UnsupportedFeature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.db.channels.channel import Params, Row
    from facade.db.channels.place import Place


class Limited(Protocol):
    """What a channel does for its limits."""

    @property
    def database(self) -> Place: ...
    def is_mariadb(self) -> bool: ...
    def _rows(self, sql: str, params: Params) -> Sequence[Row]: ...
    def _command(self, sql: str) -> str | None: ...


_NOT_MYSQL = (
    "Database {alias!r} is MySQL, which limits the time of SELECTs only: timeout needs PostgreSQL or MariaDB."
)
_SETTING = re.compile(r"\d+[a-z]*")


def set_timeout(channel: Limited, seconds: float) -> str:
    """Have the server stop each statement that takes longer; returns what `restore_timeout` sets again."""
    if channel.database.features.settings_end_with_transaction:
        # SET LOCAL: a rollback undoes it, and a pooler's next client does not inherit it.
        return _set_local(channel, f"{max(1, round(seconds * 1000)):d}")
    _check_mariadb(channel)
    ((before,),) = channel._rows("SELECT @@SESSION.max_statement_time", ())
    channel._command(f"SET SESSION max_statement_time = {seconds:f}")
    return f"{float(before):f}"


def restore_timeout(channel: Limited, before: str) -> None:
    """Set again what was set before."""
    if channel.database.features.settings_end_with_transaction:
        _set_local(channel, before)
    else:
        channel._command(f"SET SESSION max_statement_time = {before}")


def outlives_rollback(channel: Limited) -> bool:
    """Tell whether the setting is still there after a rollback."""
    return not channel.database.features.settings_end_with_transaction


def timed(channel: Limited, sql: str, seconds: float) -> str | None:
    """Return a statement that has its own limit, where the database has words for that."""
    if not channel.database.features.limits_single_statements:
        return None
    _check_mariadb(channel)
    return f"SET STATEMENT max_statement_time={seconds:f} FOR {sql}"


def _set_local(channel: Limited, setting: str) -> str:
    if not _SETTING.fullmatch(setting):
        raise ValueError(f"{setting!r} is no duration.")
    name = "statement_timeout"
    sql = f"SELECT current_setting('{name}'), set_config('{name}', '{setting}', true)"
    ((before, _),) = channel._rows(sql, ())
    return str(before)


def _check_mariadb(channel: Limited) -> None:
    if not channel.is_mariadb():
        raise UnsupportedFeature(_NOT_MYSQL.format(alias=channel.database.alias))
