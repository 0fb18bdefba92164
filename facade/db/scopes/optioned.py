"""A database under the options of one query: execution options, and the time that a statement may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from facade.db.channels.execution import SCHEMAS
from facade.db.database import Database, named_under
from facade.db.handler import connections
from facade.db.settings.aliases import Bound, alias_behind
from facade.db.settings.moved import check_place, moved
from facade.db.transactions.blocks import state
from facade.exceptions import TransactionManagementError

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from facade.db.channels.channel import Channel, Outcome, Params, Row, Statement, Stream
    from facade.db.channels.execution import Execution
    from facade.db.channels.schemas import SchemaMap
    from facade.db.plan_keys import PlanKey
    from facade.db.pooling.lending import Lender
    from facade.fields.contracts import Instance

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")

_ELSEWHERE = (
    "{model} with the key {key!r} was not loaded in the schemas of the block around it, where that key may be another row's: "
    "load it in the block. To store it there as another row, set its `_state.adding` to True."
)
MAX_NAMES = 100
"""How many databases options are kept for: the named ones, and sessions that are in use."""


class OptionedChannel:
    """A channel whose statements are run under the options of one query; in between it is as it was."""

    is_general = False

    def __init__(self, channel: Channel, execution: Execution) -> None:
        self.channel = channel
        self.execution = execution
        self.check_in = channel.check_in

    def fetch(self, statement: Statement, params: Params) -> Sequence[Row]:
        return self._timed(self.channel.fetch, statement, params)

    def execute(self, statement: Statement, params: Params) -> int:
        return self._timed(self.channel.execute, statement, params)

    def execute_lastrowid(self, statement: Statement, params: Params) -> int:
        return self._timed(self.channel.execute_lastrowid, statement, params)

    def execute_many(self, statement: Statement, rows: Sequence[Params]) -> None:
        self._timed(self.channel.execute_many, statement, rows)

    def perform(self, statement: Statement, params: Params) -> Outcome:
        return self._timed(self.channel.perform, statement, params)

    def stream(self, statement: Statement, params: Params, chunk_size: int) -> Stream:
        """Yield lists of rows; each part that is asked for may take the time of a statement."""
        statement, limited = self._with_limit(statement)
        own = limited and not self.channel.in_transaction
        if own:  # nobody else's statements come between: the limit is the transaction's
            self.channel.begin(timeout=self.execution.timeout)
            limited = False
        try:
            with closing(self.channel.stream(statement, params, chunk_size)) as chunks:
                while (chunk := self._within(limited, next, chunks, None)) is not None:
                    yield chunk
        except BaseException:
            if own:
                self.channel.rollback()
            raise
        if own:
            self.channel.commit()

    def _timed(self, work: Callable[[Statement, V], R], statement: Statement, params: V) -> R:
        statement, limited = self._with_limit(statement)
        if not limited or self.channel.in_transaction:
            return self._within(limited, work, statement, params)
        self.channel.begin(timeout=self.execution.timeout)
        try:
            result = self._within(False, work, statement, params)
        except BaseException:
            self.channel.rollback()
            raise
        self.channel.commit()
        return result

    def _with_limit(self, statement: Statement) -> tuple[Statement, bool]:
        """Return a statement with its own limit where the database has such, and whether its transaction needs one."""
        if (seconds := self.execution.timeout) is None:
            return statement, False
        sql = self.channel.timed(statement.sql, seconds)
        return (statement, True) if sql is None else (replace(statement, sql=sql), False)

    def _within(self, limited: bool, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        channel = self.channel
        before, channel.options = channel.options, {**channel.options, **self.execution.options}
        setting = channel.set_timeout(self.execution.timeout or 0) if limited else None
        failed = True
        try:
            result = work(*args, **kwargs)
            failed = False
        finally:
            channel.options = before
            if setting is not None:
                channel.restore_timeout(setting, failed)
        return result


class OptionedLender:
    """Lends what another lender lends, under options."""

    def __init__(self, lender: Lender, execution: Execution) -> None:
        self._lender = lender
        self._execution = execution

    def lend(self) -> OptionedChannel:
        return OptionedChannel(self._lender.lend(), self._execution)

    lend_alone = lend

    def end_alone(self, channel: OptionedChannel) -> None:
        """Give the connection back."""
        channel.check_in()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lender, name)


class OptionedDatabase(Database):
    """A database whose statements are run under options, in the block that is open on it or alone."""

    def __init__(self, name: str, execution: Execution) -> None:
        self.whole_name, whole = name, connections[name]
        super().__init__(whole.alias, whole.settings)
        self._whole = whole
        self.execution, self.options = execution, execution.key
        self._marking, self._log, self.queries_log = whole._marking, whole._log, whole.queries_log
        self._have_schema_maps(1)

    def is_of(self, database: Database) -> bool:
        """Tell whether this is the same database as it is configured now."""
        return self._whole in (database, getattr(database, "_whole", None))

    def fetch(self, statement: Statement, params: Params) -> Sequence[Row]:
        if state.current(self.alias) is None:
            return super().fetch(statement, params)
        statement = self._placed(statement)
        return self._run(lambda channel: channel.fetch(statement, params))

    def execute(self, statement: Statement, params: Params) -> int:
        statement = self._placed(statement)
        return self._run(lambda channel: channel.execute(statement, params))

    def stream(self, statement: Statement, params: Params, chunk_size: int = 2000) -> Stream:
        block = state.current(self.alias)
        if block is None:
            return super().stream(statement, params, chunk_size)
        channel: Any = OptionedChannel(block.transaction.channel, self.execution)
        return block.stream(self._placed(statement), params, chunk_size, channel)

    def _run(self, work: Callable[[Channel], R]) -> R:
        block = state.current(self.alias)
        if block is None:
            return super()._run(work)
        channel: Any = OptionedChannel(block.transaction.channel, self.execution)
        return block.run(work, channel)

    @property
    def lender(self) -> Lender:
        optioned: Any = OptionedLender(self._whole.lender, self.execution)
        return optioned  # type: ignore[no-any-return]

    @property
    def engine(self) -> Engine:
        return self._whole.engine

    @property
    def async_engine(self) -> AsyncEngine:
        return self._whole.async_engine

    def _schema_map(self) -> SchemaMap:
        own: SchemaMap | None = self.execution.options.get(SCHEMAS)
        return self._whole._schema_map() if own is None else own

    def _find_home(self) -> str:
        return self._whole.home

    def _compiling_lender(self) -> Lender:
        return self._whole._compiling_lender()

    def _plain_dialect(self) -> Dialect:
        return self._whole._plain_dialect()

    def _plain_plan_key(self) -> PlanKey | Dialect:
        return self._whole._plain_plan_key()


@named_under.fill
def under(name: str, execution: Execution) -> Bound:
    """Return the name of a database under options: the same for the same options, as objects remember it.

    Only where the tables stand matters to an object that was loaded: it stays with its schema, and no limit goes with it.
    """
    database = connections[name]
    known = execution.names.get(name)
    if (
        isinstance(known, Bound)
        and isinstance(known.database, OptionedDatabase)
        and known.database.is_of(database)
    ):
        return known
    if isinstance(database, OptionedDatabase):  # an object from a schema asks for more
        merged = database.execution.updated(execution.options, execution.timeout)
        found = under(database.whole_name, merged)
    else:
        found = _named(name, database, execution)
    if len(execution.names) >= MAX_NAMES:  # sessions come and go under a queryset's options
        execution.names.clear()
    execution.names[name] = found
    return found


def _named(name: str, database: Database, execution: Execution) -> Bound:
    execution.check(database.alias, database.vendor, database.settings.dialect_name)
    bound = Bound(f"{name} ({execution.key})")
    bound.alias, bound.blocks = alias_behind(name) or name, database.alias
    bound.database = OptionedDatabase(name, execution)
    bound.home, bound.remade = name, None
    if SCHEMAS in execution.options:
        schemas = execution.of_schemas()
        bound.home = bound if schemas is execution else under(name, schemas)
        bound.database.home = bound.home
        moved.names += 1
        if not isinstance(name, Bound):
            bound.remade = under, (name, schemas)
    return bound


@check_place.fill
def _check_place(instance: Instance, name: str) -> None:
    """Raise TransactionManagementError where the block around has an instance's tables elsewhere than it came from."""
    database = connections[name]
    if instance._state.adding or database.home == name:
        return
    model = type(instance)
    if any(database.moves(one.__table__.schema) for one in (model, *model._meta.all_parents)):
        raise TransactionManagementError(_ELSEWHERE.format(model=model._meta.label, key=instance.pk))
