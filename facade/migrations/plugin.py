"""The plugin that makes Alembic understand the tables of models: nothing in an ``env.py`` has to name it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.migrations.plain import is_of_model, plain_metadata

if TYPE_CHECKING:
    from alembic import util
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps
    from alembic.runtime import plugins
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
    plugin.add_autogenerate_comparator(
        _take_plain_tables, "autogenerate", "facade", priority=util.DispatchPriority.FIRST
    )


def _take_plain_tables(context: AutogenContext, upgrade: UpgradeOps) -> PriorityDispatchResult:
    """Replace the tables of models, wherever they stand, by those that the database sees."""
    given = [table for metadata in util.to_list(context.metadata) for table in metadata.sorted_tables]
    plain = plain_metadata(given, context.dialect)
    tables: list[Any] = [
        plain.tables.get(table.key) if is_of_model(table) else table for table in sa.schema.sort_tables(given)
    ]
    context.sorted_tables = [table for table in tables if table is not None]
    context.table_key_to_table = {table.key: table for table in context.sorted_tables}
    return util.PriorityDispatchResult.CONTINUE
