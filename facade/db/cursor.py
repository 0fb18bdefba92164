"""Django's ``connection.cursor()``: SQL by hand, on the connection that the running code is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, Self

from facade import bridge
from facade.db.channels.channel import Outcome, Params, Row, Statement
from facade.exceptions import InterfaceError
from facade.types.decimals import sendable

_PLACEHOLDER = re.compile(r"%(?:\((?P<name>[^)]+)\))?(?P<kind>[s%])")


class Performing(Protocol):
    """What runs a cursor's statements: a `Database`."""

    def perform(self, statement: Statement, params: Params) -> Outcome:
        """Run a statement of which nothing is known."""

    def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None:
        """Run the statement once per parameter row."""

    def placeholder(self, number: int) -> str:
        """Write the placeholder of the nth value as the driver wants it."""


class Cursor:
    """Runs SQL with ``%s`` or ``%(name)s`` placeholders on any driver, and holds the result of the last statement.

    Usable with ``with`` and ``async with``; under asyncio call `aexecute` and `aexecutemany`. Rows are the driver's.

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM book WHERE author_id = %s", [1])
            (count,) = cursor.fetchone()
    """

    def __init__(self, database: Performing) -> None:
        self.db = database
        self._outcome = Outcome()
        self._position = 0
        self._closed = False

    def execute(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> Cursor:
        """Run a statement; without ``params`` a percent sign in it means itself."""
        self._check_open()
        text, values = positional(sql, params, self.db.placeholder)
        self._outcome = self.db.perform(Statement(text), values)
        self._position = 0
        return self

    def executemany(self, sql: str, param_list: Sequence[Sequence[Any]]) -> Cursor:
        """Run a statement once for each entry of ``param_list``."""
        self._check_open()
        made = [positional(sql, params, self.db.placeholder) for params in param_list]
        if made:
            self.db.execute_many(Statement(made[0][0]), [values for _, values in made])
        self._outcome = Outcome(rowcount=len(made))
        return self

    aexecute = bridge.twin(execute)
    aexecutemany = bridge.twin(executemany)

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """The columns of the result, in the DB-API's form, of which only the name is known."""
        columns = self._outcome.columns
        return None if columns is None else [(name, None, None, None, None, None, None) for name in columns]

    @property
    def rowcount(self) -> int:
        """The number of rows touched or found; -1 if unknown."""
        return self._outcome.rowcount

    @property
    def lastrowid(self) -> int | None:
        """The key that the last INSERT generated, on databases that tell."""
        return self._outcome.lastrowid

    def fetchone(self) -> Row | None:
        """Return the next row; None at the end."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int = 1) -> list[Row]:
        """Return at most ``size`` further rows."""
        self._check_rows()
        start, self._position = self._position, self._position + size
        return list(self._outcome.rows[start : self._position])

    def fetchall(self) -> list[Row]:
        """Return the rest of the rows."""
        return self.fetchmany(len(self._outcome.rows))

    def __iter__(self) -> Iterator[Row]:
        while (row := self.fetchone()) is not None:
            yield row

    def close(self) -> None:
        """Let the result go; the cursor is of no more use."""
        self._closed = True
        self._outcome = Outcome()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise InterfaceError(None, None, Exception("The cursor is closed."))

    def _check_rows(self) -> None:
        self._check_open()
        if self._outcome.columns is None:
            raise InterfaceError(None, None, Exception("The last statement returned no rows."))


def positional(
    sql: str, params: Sequence[Any] | Mapping[str, Any] | None, placeholder: Callable[[int], str]
) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL in the driver's placeholders and its values in their order.

    ``placeholder`` writes the placeholder of the nth value, counted from 1. Raises ValueError where placeholders and
    values do not match.
    """
    if params is None:
        return (sql.replace("%", "%%") if placeholder(1) == "%s" else sql), ()
    writer = _Writer(params, placeholder)
    text = _PLACEHOLDER.sub(writer, sql)
    if not isinstance(params, Mapping) and len(writer.values) != len(params):
        raise ValueError(
            f"The statement has {len(writer.values)} placeholders, but {len(params)} values were given."
        )
    return text, tuple(writer.values)


class _Writer:
    """Replaces placeholders one after the other, and collects their values."""

    def __init__(self, params: Sequence[Any] | Mapping[str, Any], placeholder: Callable[[int], str]) -> None:
        self.params = params
        self.placeholder = placeholder
        self.values: list[Any] = []

    def __call__(self, match: re.Match[str]) -> str:
        if match["kind"] == "%":
            return "%%" if self.placeholder(1) == "%s" else "%"
        self.values.append(sendable(self._value(match["name"])))
        return self.placeholder(len(self.values))

    def _value(self, name: str | None) -> Any:
        if isinstance(self.params, Mapping):
            if name is None or name not in self.params:
                raise ValueError(f"There is no value for the placeholder {name or '%s'!r}.")
            return self.params[name]
        if name is not None or len(self.values) >= len(self.params):
            raise ValueError(f"There is no value for the placeholder {name or '%s'!r}.")
        return self.params[len(self.values)]
