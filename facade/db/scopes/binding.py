"""Explicit binding: ``using(session)`` in the place of an alias.

What stands for the session is a string of its own, so that everything that is kept by alias (open blocks, where an object
was loaded from) keeps sessions apart as it keeps databases apart.
"""

from __future__ import annotations

import itertools
import weakref
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import WeakKeyDictionary

from facade import bridge
from facade.db.channels.execution import SCHEMAS
from facade.db.database import Database
from facade.db.handler import connections
from facade.db.routing import DEFAULT_DB_ALIAS
from facade.db.scopes.joining import Joinable, channel_on, check_joinable
from facade.db.settings.aliases import Bound
from facade.db.transactions.blocks import state
from facade.db.transactions.callbacks import Callback, check_callback
from facade.exceptions import TransactionManagementError

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from facade.db.channels.base import DriverChannel
    from facade.db.channels.channel import Outcome, Params, Statement
    from facade.db.channels.schemas import SchemaMap
    from facade.db.plan_keys import PlanKey
    from facade.db.pooling.lending import Lender
    from facade.db.scopes.joining import JoinedChannel

Using: TypeAlias = "str | Joinable"

_GONE = (
    "The {kind} on {alias!r} that this belongs to does not exist any more. Name the database to use: using({alias!r}), "
    "save(using={alias!r})."
)
_numbers = itertools.count(1)


class BoundLender:
    """Lends one connection, which is somebody else's, for as long as that exists."""

    def __init__(self, database: Database, target: Joinable) -> None:
        self.database = database
        self._target = weakref.ref(target)
        self._kind = type(target).__name__

    @property
    def dialect(self) -> Dialect:
        """The dialect that statements are compiled for."""
        return self.database.lender.dialect

    def lend(self) -> JoinedChannel:
        """Return a channel on the connection."""
        target = self._target()
        if target is None:
            raise TransactionManagementError(_GONE.format(kind=self._kind, alias=self.database.alias))
        return channel_on(self.database, target)

    lend_alone = lend_general = lend

    def end_alone(self, channel: DriverChannel) -> None:
        """Leave the connection to its owner."""
        channel.check_in()

    def schema_map(self) -> SchemaMap:
        """Return the ``schema_translate_map`` of the connection."""
        return self.lend().schema_map()


class BoundDatabase(Database):
    """A database on one connection or session: compiles as the database itself does, and runs everything there."""

    def __init__(self, name: Bound, database: Database, target: Joinable) -> None:
        super().__init__(name, database.settings)
        self._have_schema_maps(1)
        self._whole = database
        self._bound: Any = BoundLender(database, target)

    @property
    def lender(self) -> Lender:
        return self._bound  # type: ignore[no-any-return]

    def on_commit(self, func: Callback, robust: bool = False) -> None:
        if state.current(self.alias) is not None:
            super().on_commit(func, robust)
            return
        check_callback(func, bridge.in_worker())
        self._bound.lend().after_commit([(set(), func, robust)])

    def _check_locks(self) -> None:
        if not self._bound.lend().keeps_locks():
            super()._check_locks()

    def _set(self, statement: Statement, params: Params) -> Outcome:
        return self._run(lambda channel: channel.perform(statement, params))  # it is the owner's session

    def _schemas_around(self) -> SchemaMap | None:
        block = state.current(self.alias)
        return None if block is None else block.transaction.channel.options.get(SCHEMAS)

    def _own_schemas(self) -> SchemaMap:
        may_ask = bridge.in_worker() or bridge.running_loop() is None
        return self._bound.lend().schema_map() if may_ask else {}

    def _compiling_lender(self) -> Lender:
        may_ask = bridge.in_worker() or bridge.running_loop() is None
        return (
            self.lender if may_ask else self._whole._compiling_lender()
        )  # SQL is printed where nothing can wait

    def _plain_dialect(self) -> Dialect:
        return self._whole._plain_dialect()

    def _plain_plan_key(self) -> PlanKey | Dialect:
        return self._whole._plain_plan_key()


_bound: WeakKeyDictionary[Any, Bound] = WeakKeyDictionary()


def alias_of(using: Using | None) -> str | None:
    """Return the name to keep for what ``using`` was given: an alias itself, or that of a connection or session.

    Raises TypeError for anything else.
    """
    if using is None or isinstance(using, str):
        return using
    check_joinable(using)
    known = _bound.get(using)
    if known is not None and connections[known.alias].settings is known.database.settings:
        return known
    alias = _alias_for(using)
    name = Bound(f"{alias} on {type(using).__name__} {next(_numbers)}")
    name.alias, name.blocks, name.home, name.remade = alias, name, name, None
    name.database = BoundDatabase(name, connections[alias], using)
    _bound[using] = name
    return name


def block_alias(using: Using | None) -> str | None:
    """Return the name under which blocks on what ``using`` was given are kept."""
    name = alias_of(using)
    return name.blocks if isinstance(name, Bound) else name


def _alias_for(target: Joinable) -> str:
    """Return the alias that is configured with the engine of a connection or session; the default one otherwise."""
    bind = getattr(target, "engine", None) or getattr(target, "bind", None)
    engine = getattr(bind, "sync_engine", None) or getattr(bind, "engine", None)
    for alias in connections:
        settings = connections[alias].settings
        if engine is not None and (
            settings.engine is engine
            or (settings.async_engine is not None and settings.async_engine.sync_engine is engine)
        ):
            return alias
    return DEFAULT_DB_ALIAS
