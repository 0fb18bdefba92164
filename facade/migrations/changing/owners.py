"""Tables that models use and do not own: those that were there before, and those of unmanaged or swapped models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from facade.meta import registry
from facade.migrations.plain import model_of

if TYPE_CHECKING:
    import sqlalchemy as sa

__all__ = ["not_owned", "registries"]


def registries(tables: Iterable[sa.Table]) -> set[registry.Apps]:
    """Return the registries of the models that tables are of, with the program's own."""
    models = filter(None, map(model_of, tables))
    return {registry.apps, *(model._meta.apps for model in models)}


def not_owned(apps: registry.Apps) -> Iterator[tuple[str | None, str]]:
    """Yield schema and name of the tables that models stand on (``Meta.table``), or that are not theirs to make."""
    for model in apps.get_models(include_auto_created=True, include_swapped=True):
        opts = model._meta
        if not opts.managed or opts.swapped:
            schema, _, name = opts.db_table.replace('"', "").rpartition(".")
            yield schema or None, name
