"""Tables that models know by name: `Meta.table = "users"`; the database is asked what they are."""

from __future__ import annotations

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
    from collections.abc import Iterable

    from sqlalchemy import Inspector

    from facade.meta.registry import Apps

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
    for model in chosen:
        if isinstance(model._meta, Unreflected):
            _reflect(model, using)


areflect = function_twin(reflect)


@reflected.reflect_table.fill
def reflect_at_first_use(model: type[Any]) -> None:
    """Look up the model's table, and those of the others that are known by name: their relations belong together."""
    _reflect(model, None)
    for other in model._meta.apps.get_models():
        if isinstance(other._meta, Unreflected):
            try:
                _reflect(other, None)
            except ImproperlyConfigured:  # which is told to who uses it
                continue


def _reflect(model: type[Any], using: str | None) -> None:
    opts = model._meta
    database = connections[using or router.db_for_read(model)]
    database.check_blocking(f"Looking up the table of {opts.label}", "await facade.areflect() before")
    schema, _, name = opts.stands_on.rpartition(".")

    def look_up(inspector: Inspector) -> sa.Table:
        return _table(inspector, opts.apps, name, schema or None)

    try:
        table = database.inspect(look_up)
    except sa.exc.NoSuchTableError as error:
        raise ImproperlyConfigured(
            f"{opts.label} stands on the table {opts.stands_on!r} (Meta.table), and the database {database.alias!r} has none of "
            "that name. Create it, or give the schema as well: 'schema.name'."
        ) from error
    with opts.apps.standing(model):
        if not isinstance(model._meta, Unreflected):
            return  # somebody else has done it meanwhile
        _take_over(model, table)


def _take_over(model: type[Any], table: sa.Table) -> None:
    opts = model._meta
    stand_on(model, Existing(table, None, {}))
    opts.__class__ = Options
    expect_relations(opts.apps)
    for function in opts.__dict__.pop("waiting"):
        function()
    opts.apps.clear_cache()


def _table(inspector: Inspector, apps: Apps, name: str, schema: str | None) -> sa.Table:
    """Return a table as the database describes it, with those that it refers to."""
    known: sa.Table | None = apps.reflected.tables.get(name if schema is None else f"{schema}.{name}")
    if known is not None:
        return known
    table = sa.Table(name, apps.reflected, schema=schema, autoload_with=inspector)
    for one in apps.reflected.tables.values():
        _correct(one, inspector)
    return table


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
        elif isinstance(given, sa.Float | sa.Double) or type(given) in (mysql.DOUBLE, mysql.FLOAT):
            given.asdecimal = False
        elif column.name in documents:
            column.type = sa.JSON()


def _documents(table: sa.Table, inspector: Inspector) -> set[str]:
    """Return the columns of MariaDB's that are JSON: texts with a check."""
    checks: Any = inspector.get_check_constraints(table.name, table.schema)
    texts = [str(check["sqltext"]).strip("()").replace("`", "") for check in checks]
    return {text[len("json_valid(") :] for text in texts if text.startswith("json_valid(")}
