"""Tables that models know by name: `Meta.table = "users"`; the database is asked what they are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from facade.bridge import function_twin
from facade.db.connection import connections
from facade.db.routing import router
from facade.exceptions import ImproperlyConfigured
from facade.meta import reflected, registry
from facade.meta.options import Options
from facade.meta.reflected import Unreflected
from facade.orm.existing.relations import expect_relations
from facade.orm.existing.standing import stand_on
from facade.orm.existing.tables import Existing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Inspector

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
    """
    chosen = registry.current().get_models() if models is None else models
    for model in _look_up([model for model in chosen if isinstance(model._meta, Unreflected)], using):
        raise _missing(model, using)


areflect = function_twin(reflect)


@reflected.reflect_table.fill
def reflect_at_first_use(model: type[Any]) -> None:
    """Look up the model's table, and those of the others that are known by name: their relations belong together.

    That one of the others is not there is told to who uses it.
    """
    others = (other for other in model._meta.apps.get_models() if isinstance(other._meta, Unreflected))
    if model in _look_up([model, *(other for other in others if other is not model)], None):
        raise _missing(model, None)


def _missing(model: type[Any], using: str | None) -> ImproperlyConfigured:
    opts = model._meta
    return ImproperlyConfigured(
        f"{opts.label} stands on the table {opts.stands_on!r} (Meta.table), and the database {_alias(model, using)!r} has none of "
        "that name. Create it, or give the schema as well: 'schema.name'."
    )


def _alias(model: type[Any], using: str | None) -> str:
    return using or router.db_for_read(model)


def _look_up(models: list[Any], using: str | None) -> list[Any]:
    """Let models stand on the tables that they name; return those whose tables are not there."""
    by_alias: dict[str, list[Any]] = {}
    for model in models:
        by_alias.setdefault(_alias(model, using), []).append(model)
    missing = []
    for alias, group in by_alias.items():
        database = connections[alias]
        database.check_blocking(
            f"Looking up the table of {group[0]._meta.label}", "await facade.areflect() before"
        )
        tables = database.inspect(partial(_tables, {model._meta.stands_on for model in group}))
        for model in group:
            table = tables.get(model._meta.stands_on)
            if table is None:
                missing.append(model)
            else:
                _take_over(model, table)
    return missing


def _take_over(model: type[Any], table: sa.Table) -> None:
    opts = model._meta
    with opts.apps.standing(model):
        if not isinstance(model._meta, Unreflected):
            return  # somebody else has done it meanwhile
        stand_on(model, Existing(table, None, {}))
        opts.apps.reflected[table.fullname] = table
        opts.__class__ = Options
        expect_relations(opts.apps)
        for function in opts.__dict__.pop("waiting"):
            function()
        opts.apps.clear_cache()


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
