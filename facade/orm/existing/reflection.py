"""Tables that models know by name: `Meta.table = "users"`; the database is asked what they are."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from facade import bridge
from facade.db.connection import connections
from facade.db.routing import router
from facade.exceptions import ImproperlyConfigured
from facade.foundation.imports import later
from facade.meta import reflected, registry
from facade.meta.reflected import Unreflected, Unsettled
from facade.orm.existing.relations import expect_relations
from facade.orm.existing.standing import stand_on
from facade.orm.existing.tables import Existing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy import Inspector
    from sqlalchemy.dialects import mysql
else:
    mysql = later("sqlalchemy.dialects.mysql")

__all__ = ["areflect", "expect_table", "reflect"]


def expect_table(model: type[Any]) -> None:
    """Leave the table of a model whose class is made to be looked up when it is needed."""
    opts = model._meta
    opts._expire_cache()
    opts.waiting = []
    opts.__class__ = Unreflected


def reflect(models: Iterable[type[Any]] | None = None, using: str | None = None) -> None:
    """Look up the tables of the models whose `Meta.table` is a name (of all such models by default).

    It is done by itself when such a model is first used; where that may not wait, as in async code outside of an
    awaited method, or shall not, it is done before: when the program begins. `using` names the database to ask, by
    default the one that each model is read from. Raises ImproperlyConfigured for a table that is not there.

    >>> reflect([])  # of no models: nothing is asked
    """
    chosen = registry.current().get_models() if models is None else list(models)
    with _alone():
        for error in _look_up(
            [model for model in chosen if isinstance(model._meta, Unreflected)], using
        ).values():
            raise error


areflect = bridge.function_twin(reflect)


@reflected.reflect_table.fill
def reflect_at_first_use(model: type[Any]) -> None:
    """Look up the model's table, and those of the others that are known by name: their relations belong together.

    What is wrong with one of the others is told to who uses it.
    """
    with _alone():
        known = dict.fromkeys([model, *model._meta.apps.get_models()])
        waiting = [one for one in known if isinstance(one._meta, Unreflected) and one._meta.fault is None]
        errors = _look_up(waiting, None) if model in waiting else {}
    if model in errors:
        raise errors[model]


_threads = threading.Lock()
_tasks: WeakKeyDictionary[object, bridge.Lock] = WeakKeyDictionary()


@contextmanager
def _alone() -> Iterator[None]:
    """Let the other threads, or tasks of the event loop, wait that would ask the same at the same time."""
    lock: Any = _tasks.setdefault(bridge.running_loop(), bridge.Lock()) if bridge.in_worker() else _threads
    with lock:
        yield


def _missing(model: type[Any], alias: str) -> ImproperlyConfigured:
    opts = model._meta
    return ImproperlyConfigured(
        f"{opts.label} stands on the table {opts.stands_on!r} (Meta.table), and the database {alias!r} has none of that name. "
        "Create it, or give the schema as well: 'schema.name'."
    )


def _alias(model: type[Any], using: str | None) -> str:
    return using or router.db_for_read(model)


def _look_up(models: list[Any], using: str | None) -> dict[Any, Exception]:
    """Let models stand on the tables that they name; return what is wrong with those that cannot."""
    by_alias: dict[str, list[Any]] = {}
    for model in models:
        by_alias.setdefault(_alias(model, using), []).append(model)
    errors: dict[Any, Exception] = {}
    for alias, group in by_alias.items():
        database = connections[alias]
        database.check_blocking(
            f"Looking up the table of {group[0]._meta.label}", "await facade.areflect() before"
        )
        tables = database.inspect(partial(_tables, {model._meta.stands_on for model in group}))
        found = {model: tables[name] for model in group if (name := model._meta.stands_on) in tables}
        errors |= {model: _missing(model, alias) for model in group if model not in found}
        errors |= _take_over(found)
    return errors


def _take_over(tables: dict[Any, sa.Table]) -> dict[Any, Exception]:
    """Let models stand on their tables: all of them, before anybody asks what their relations are."""
    errors: dict[Any, Exception] = {}
    for apps in {model._meta.apps for model in tables}:
        with apps.standing(tables):
            # Somebody else may have done it meanwhile.
            new = [
                model for model in tables if model._meta.apps is apps and isinstance(model._meta, Unreflected)
            ]
            for model in new:
                try:
                    stand_on(model, Existing(tables[model], None, {}))
                except ImproperlyConfigured as error:
                    errors[model] = model._meta.fault = error
            for model in new:
                if model not in errors:
                    _unveil(model, tables[model])
            expect_relations(apps)
            apps.clear_cache()
    return errors


def _unveil(model: type[Any], table: sa.Table) -> None:
    """Let everybody see the fields of a model, which has its table now."""
    opts = model._meta
    opts.apps.reflected[table.fullname] = table
    opts.apps.unsettled.append(model)
    opts.__class__ = Unsettled
    for function in opts.__dict__.pop("waiting"):
        function()


def _tables(names: Collection[str], inspector: Inspector) -> dict[str, sa.Table]:
    """Return the tables and views of these names as the database describes them."""
    found: dict[str, sa.Table] = {}
    schemas: dict[str | None, set[str]] = {}
    for name in names:
        schema, _, table_name = name.rpartition(".")
        schemas.setdefault(schema or None, set()).add(table_name)
    for known, wanted in schemas.items():
        metadata, bind = sa.MetaData(), inspector.bind
        only = partial(_is_one_of, wanted)
        metadata.reflect(bind, known, views=True, only=only, resolve_fks=False)
        found |= metadata.tables
    for table in found.values():
        _correct(table, inspector)
    return found


def _is_one_of(wanted: set[str], name: str, metadata: sa.MetaData) -> bool:
    return name in wanted


# -- what MySQL and MariaDB say of columns ------------------------------------------------------------


def _correct(table: sa.Table, inspector: Inspector) -> None:
    """Give columns the types that they were made of, where a database has others for them."""
    if inspector.dialect.name not in ("mysql", "mariadb"):
        return
    documents = _documents(table, inspector)
    for column in table.columns:
        given = column.type
        if isinstance(given, mysql.TINYINT) and given.display_width == 1:
            column.type = sa.Boolean()
        elif isinstance(given, sa.Float):  # which MySQL's give as decimals
            given.asdecimal = False
        elif column.name in documents:
            column.type = sa.JSON()


_CHECKED = sa.text(
    "SELECT check_clause FROM information_schema.check_constraints "
    "WHERE constraint_schema = COALESCE(:schema, DATABASE()) AND table_name = :name"
)


def _documents(table: sa.Table, inspector: Inspector) -> set[str]:
    """Return the columns of MariaDB's that are JSON: texts with a check."""
    connection: Any = inspector.bind
    if not connection.dialect.is_mariadb:
        return set()
    clauses = connection.execute(_CHECKED, {"schema": table.schema, "name": table.name}).scalars()
    return {
        name
        for clause in clauses
        if (name := clause.removeprefix("json_valid(`").removesuffix("`)")) in table.columns
    }
