"""Models of the tables as the database has them at a revision: what data migrations work with."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade import models
from facade.meta import registry
from facade.migrations.plain_types import plain_type
from facade.orm.existing.reflection import _correct
from facade.sql.tables.definitions import FIELD

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

__all__ = ["HistoricApps"]


class HistoricApps(registry.Apps):
    """The models of a revision, by the names that the models of today have, or by those of their tables.

    Each stands on a table as the database has it now: a column that today's model has no more is a field, one that a
    later revision adds is none. A field is called as its column, a relation without ``_id``; methods, managers and
    ``related_name`` of today's models are not there.
    """

    def __init__(self, context: MigrationContext) -> None:
        super().__init__()
        self._context = context

    def get_model(self, app_label: str, model_name: str | None = None, require_ready: bool = True) -> Any:
        """Return the model of a table: ``get_model("library", "Book")``, ``("library.Book")``, or ``("library_book")``.

        LookupError for a table that the database does not have at this revision.
        """
        if model_name is None and "." in app_label:
            app_label, model_name = app_label.split(".", 1)
        name = app_label if model_name is None else _table_name(app_label, model_name)
        try:
            return self._by_table[name]
        except KeyError:
            raise LookupError(
                f"The database has no table {name!r} at this revision. Tables: {', '.join(sorted(self._by_table))}."
            ) from None

    def reflect(self) -> None:
        """Look the tables up now, and not when the first of them is asked for: async code cannot wait there."""
        _ = self._by_table

    @cached_property
    def _by_table(self) -> dict[str, Any]:
        connection: Any = self._context.connection
        tables, inspector = sa.MetaData(), sa.inspect(connection)
        today = _tables_of_today()
        schemas = {None, *(table.schema for table in today.values())}
        with warnings.catch_warnings():
            # Indexes of expressions are passed over, which SQLAlchemy says of each.
            warnings.simplefilter("ignore", sa.exc.SAWarning)
            for schema in schemas & {None, *inspector.get_schema_names()}:
                tables.reflect(connection, schema, resolve_fks=False)
        found: dict[str, Any] = {}
        for name, table in sorted(tables.tables.items()):
            _correct(table, inspector)
            of_today = today.get(name)
            if of_today is not None:
                _take_types(table, of_today, self._context)
            found[name] = self._model(table, of_today)
        return found

    def _model(self, table: sa.Table, of_today: sa.Table | None) -> Any:
        opts = None if of_today is None else _field_of(of_today).model._meta
        meta = {"table": table, "apps": self, "app_label": "historic" if opts is None else opts.app_label}
        name = "".join(part.title() for part in table.name.split("_")) if opts is None else opts.object_name
        attributes = {"__module__": f"{__name__}.of_a_revision", "Meta": type("Meta", (), meta)}
        metaclass: Any = type(models.Model)
        return metaclass(name, (models.Model,), attributes)


def _table_name(app_label: str, model_name: str) -> str:
    """Return the name of the table of a model of today, or the one that a model of this name would have."""
    try:
        found: str = registry.current().get_registered_model(app_label, model_name)._meta.db_table
    except LookupError:
        return f"{app_label}_{model_name.lower()}"
    return found.strip('"').replace('"."', ".")


def _tables_of_today() -> dict[str, sa.Table]:
    return {
        table.fullname: table
        for model in registry.current().get_models(include_auto_created=True)
        if model._meta.stands_on is None and not model._meta.proxy
        for table in [model._meta.table]
    }


def _field_of(table: sa.Table) -> Any:
    return next(column.info[FIELD] for column in table.columns if FIELD in column.info)


def _take_types(table: sa.Table, of_today: sa.Table, context: MigrationContext) -> None:
    """Let columns have the types that today's have, where these are the same in the database: they know its values best.

    A database tells less than there is to know: SQLite's texts may be documents, keys or moments.
    """
    for column in table.columns:
        same = of_today.columns.get(column.name)
        if same is None:
            continue
        plain = sa.Column(column.name, plain_type(same.type, context.dialect))
        if not context.impl.compare_type(column, plain):
            column.type = same.type
