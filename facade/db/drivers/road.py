"""The general road: statements that pass through SQLAlchemy's `Connection`, where listeners see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from facade.db.channel import Channel, Outcome, Params, Row
from facade.db.drivers.reading import outcome_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from facade.db.place import Place


class Origin(Protocol):
    """What a channel asks of the lender that it came from."""

    database: Place
    hides_parameters: bool
    owns_connections: bool
    """Whether they are connections of facade's own pools."""

    isolation_level: str | None
    """The isolation level of transactions that ask for none."""

    def listened(self) -> bool:
        """Tell whether somebody wants to see statements pass through SQLAlchemy."""

    def connect(self, token: Any) -> Connection:
        """Return a SQLAlchemy connection on a lent connection."""

    def give_back(self, token: object) -> None:
        """Take a connection back, ready for the next statement."""

    def throw_away(
        self, token: object, raw: object, connection: Connection | None, error: BaseException | None
    ) -> None:
        """Close a connection hard and free its place."""

    def retire(self) -> None:
        """Replace the idle connections, too: the server has gone."""


def given(params: Params) -> Any:
    """Return parameters as SQLAlchemy tells one set of them from several."""
    return params if isinstance(params, dict) else tuple(params)


class GeneralRoad(Channel):
    """The part of every channel that needs nothing of its driver.

    ``token`` is what the lender knows the connection by. ``connection`` is the SQLAlchemy connection on the same
    driver connection, made when a statement first needs it. Rows are the driver's own.
    """

    token: Any
    connection: Connection | None = None
    _lender: Origin

    def _check_open(self) -> None:
        raise NotImplementedError

    def _general(self) -> Connection:
        if self.connection is None:
            self._check_open()
            self.connection = self._lender.connect(self.token)
        return self.connection

    def _general_result(self, sql: str, params: Sequence[Any], **options: Any) -> Any:
        return self._general().exec_driver_sql(sql, params, execution_options=options)

    def _general_rows(self, sql: str, params: Params) -> Sequence[Row]:
        result = self._general_result(sql, given(params))
        try:
            return result.cursor.fetchall()  # type: ignore[no-any-return]
        finally:
            result.close()
            self._general_end()

    def _general_count(self, sql: str, params: Params) -> int:
        result = self._general_result(sql, given(params))
        count: int = result.rowcount
        result.close()
        self._general_end()
        return count

    def _general_lastrowid(self, sql: str, params: Params) -> int:
        result = self._general_result(sql, given(params))
        key: int = result.lastrowid
        result.close()
        self._general_end()
        return key

    def _general_outcome(self, sql: str, params: Params) -> Outcome:
        result = self._general_result(sql, given(params))
        outcome = outcome_of(result.cursor) if result.returns_rows else Outcome()
        outcome.rowcount = result.rowcount
        result.close()
        self._general_end()
        return outcome

    def _general_many(self, sql: str, rows: Sequence[Params]) -> None:
        self._general_result(sql, [tuple(row) for row in rows]).close()
        self._general_end()

    def _general_cursor(self, sql: str, params: Params) -> Any:
        return self._general_result(sql, given(params), stream_results=True)

    def _fetch_general(self, result: Any, size: int) -> list[Row]:
        return [tuple(row) for row in result.fetchmany(size)]

    def _close_general(self, result: Any) -> None:
        result.close()

    def _general_end(self) -> None:
        """End SQLAlchemy's implicit transaction after a lone statement."""
        if not self.in_transaction and self.connection is not None:
            self.connection.commit()
