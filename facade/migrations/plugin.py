"""The plugin that makes Alembic understand the tables of models: nothing in an ``env.py`` has to name it."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from facade.foundation.imports import later
from facade.meta.naming import follows_django
from facade.migrations.changing.ordering import order_operations
from facade.migrations.comparing.columns import compare_default, compare_generated, compare_type
from facade.migrations.comparing.comparison import IS_FACADES
from facade.migrations.comparing.items import compare_items
from facade.migrations.comparing.sqlite_inspector import SQLiteInspector
from facade.migrations.hooks import rendering
from facade.migrations.plain import is_of_model, plain_metadata
from facade.vendors import vendor_of

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic import util
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps
    from alembic.runtime import plugins
    from alembic.runtime.environment import NameFilterParentNames, NameFilterType
    from alembic.runtime.plugins import Plugin
    from alembic.util import PriorityDispatchResult
else:
    # Alembic loads its plugins while it is being imported itself.
    plugins, util = later("alembic.runtime.plugins"), later("alembic.util")

__all__ = ["NAME", "install", "setup"]

#: Under this name Alembic's default, ``autogenerate_plugins=["alembic.autogenerate.*"]``, takes the plugin in.
NAME = "alembic.autogenerate.facade"


def install() -> None:
    """Register the plugin where the installed package has not done so itself, as from a checkout; twice is once."""
    if NAME not in plugins._all_plugins:
        plugins.Plugin.setup_plugin_from_module(sys.modules[__name__], NAME)


def setup(plugin: Plugin) -> None:
    """Add facade's comparators; called by Alembic."""
    first = util.DispatchPriority.FIRST
    plugin.add_autogenerate_comparator(_take_plain_tables, "autogenerate", "facade", priority=first)
    plugin.add_autogenerate_comparator(
        order_operations, "schema", "facade_order", priority=util.DispatchPriority.LAST
    )
    for name in _BEFORE_OTHERS:
        add = partial(plugin.add_autogenerate_comparator, qualifier=name, priority=first)
        add(compare_generated, "table", "facade")
        add(compare_items, "table", "indexes")
        add(compare_type, "column", "types")
        add(compare_default, "column", "server_default")


# A comparator for one database comes before those for all.
_BEFORE_OTHERS = ("sqlite", "postgresql", "mysql", "mariadb")


def _take_plain_tables(context: AutogenContext, upgrade: UpgradeOps) -> PriorityDispatchResult:
    """Replace the tables of models, wherever they stand, by those that the database sees; leave projects alone that have none."""
    given = [metadata for metadata in util.to_list(context.metadata) if metadata is not None]
    if any(map(_is_of_facade, given)):
        vendor = vendor_of(context.dialect)
        _replace([table for metadata in given for table in metadata.tables.values()], context)
        context.opts = {
            **context.opts,
            IS_FACADES: True,
            "render_item": rendering(context.opts.get("render_item")),
            # Otherwise tables cannot be altered.
            "render_as_batch": context.opts.get("render_as_batch") or not vendor.alters_tables,
        }
        _look_into_schemas(context)
        if vendor.name in _INSPECTORS and context.connection is not None:
            context.inspector = _INSPECTORS[vendor.name].of(context.connection)
    return util.PriorityDispatchResult.CONTINUE


_INSPECTORS = {"sqlite": SQLiteInspector}


def _is_of_facade(metadata: sa.MetaData) -> bool:
    """Whether models have tables in a MetaData, or would have them there."""
    return follows_django(metadata) or any(map(is_of_model, metadata.tables.values()))


def _replace(tables: list[sa.Table], context: AutogenContext) -> None:
    plain = plain_metadata(tables, context.dialect)
    seen = (plain.twin(table) if is_of_model(table) else table for table in tables)
    context.table_key_to_table = {table.key: table for table in seen if table is not None}
    # Their order is found when all operations are known.
    context.sorted_tables = [table for _, table in sorted(context.table_key_to_table.items())]


def _look_into_schemas(context: AutogenContext) -> None:
    """Compare the tables that models have in other schemas, and nothing else there, unless the environment says so."""
    tables = {(table.schema, table.name) for table in context.sorted_tables if is_of_model(table)}
    schemas = {schema for schema, _ in tables} - {None, context.dialect.default_schema_name}
    if not schemas or context.opts.get("include_schemas"):
        return

    def is_looked_at(name: str | None, type_: NameFilterType, parents: NameFilterParentNames) -> bool:
        if type_ == "schema":
            return name is None or name in schemas
        schema = parents.get("schema_name")
        return type_ != "table" or schema not in schemas or (schema, name) in tables

    context.opts["include_schemas"] = True
    context._name_filters.append(is_looked_at)
