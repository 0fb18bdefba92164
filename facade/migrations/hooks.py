"""Functions for the options of ``context.configure()`` in an ``env.py``, where a team wants them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from facade.foundation.imports import later
from facade.meta import registry
from facade.migrations.plain_types import plain_type

if TYPE_CHECKING:
    from alembic.autogenerate import render
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.schema import SchemaItem

    from facade.migrations.runs import dialects, errands

    Render = Callable[[str, Any, AutogenContext], str | Literal[False]]
else:
    render = later("alembic.autogenerate.render")
    dialects, errands = later("facade.migrations.runs.dialects"), later("facade.migrations.runs.errands")

__all__ = ["check_kind", "include_object", "process_revision_directives", "render_item", "rendering"]

log = logging.getLogger(__name__)


def include_object(
    item: SchemaItem, name: str | None, type_: str, reflected: bool, compare_to: SchemaItem | None
) -> bool:
    """Leave alone the tables of a database that no model has or had: a table of a model begins with its application's label.

    For a database that is shared with others, who have migrations of their own. Without this Alembic drops what is in no
    MetaData.

        context.configure(…, include_object=facade.migrations.include_object)

    >>> include_object(None, "payroll", "table", True, None)
    False
    """
    if type_ != "table" or not reflected or compare_to is not None:
        return True
    return any(str(name).startswith(f"{label}_") for label in list(registry.apps.all_models))


def render_item(type_: str, item: object, context: AutogenContext) -> str | Literal[False]:
    """Write column types so that a script runs: facade's own as SQLAlchemy's, those of other libraries with their import.

    facade's plugin does so for every script; an ``env.py`` with a ``render_item`` of its own may call this one for the rest.
    """
    if type_ != "type" or not isinstance(item, TypeEngine):
        return False
    if isinstance(item, postgresql.DOMAIN):  # an operation of its own makes it, before its first table
        context.imports.add("from sqlalchemy.dialects import postgresql")
        place = f", schema={item.schema!r}" if item.schema else ""
        base = render._repr_type(item.data_type, context)
        return f"postgresql.DOMAIN({str(item.name)!r}, {base}{place}, create_type=False)"
    module = type(item).__module__
    if module.startswith("facade."):
        return str(render._repr_type(plain_type(item, context.dialect), context))
    if not module.startswith("sqlalchemy.") and context.opts.get("user_module_prefix") is None:
        context.imports.add(f"import {module}")
    return False


def rendering(own: Render | None) -> Render:
    """Return an environment's own ``render_item`` with facade's after it."""
    if own is None or own is render_item:
        return render_item

    def both(type_: str, item: object, context: AutogenContext) -> str | Literal[False]:
        found = own(type_, item, context)
        return render_item(type_, item, context) if found is False else found

    return both


def process_revision_directives(
    context: MigrationContext, revision: object, directives: list[MigrationScript]
) -> None:
    """Write no script where nothing has changed.

    context.configure(…, process_revision_directives=facade.migrations.process_revision_directives)
    """
    if directives and all(upgrade.is_empty() for upgrade in directives[0].upgrade_ops_list):
        directives.clear()
        log.info("No changes detected.")


def check_kind(context: MigrationContext) -> None:
    """Refuse, before anything is changed, to run revisions that were made on another kind of database.

    For an ``env.py`` of one's own, behind ``context.configure(…)``; ``environment.run()`` and facade's commands do so themselves.

        facade.migrations.check_kind(context.get_context())

    Raises CommandError, which names the revision. Where Alembic only looks, compares, or stamps, it does nothing.
    """
    if "destination_rev" not in context.opts or (
        context.config is not None and errands.errand_of(context.config) is not None
    ):
        return
    connection = context.connection
    has_begun = connection is None or connection.in_transaction()
    dialects.checked(context.opts["fn"], context.get_current_heads(), context)
    if connection is not None and not has_begun:
        connection.rollback()
