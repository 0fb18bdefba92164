"""Migrations on Alembic: facade's tables as Alembic compares and writes them."""

from __future__ import annotations

from facade.migrations.hooks import check_kind, include_object, process_revision_directives, render_item

__all__ = ["check_kind", "include_object", "process_revision_directives", "render_item"]
