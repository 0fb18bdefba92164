"""What SQLite can do."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.vendors.base import Vendor

if TYPE_CHECKING:
    from sqlalchemy.engine import URL
    from sqlalchemy.types import TypeEngine

__all__ = ["LibSQL", "SQLite"]


class SQLite(Vendor):
    """SQLite."""

    can_defer_constraint_checks = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_rollback_ddl = True
    finds_rows_by_index = True
    order_by_nulls_first = True
    supports_aggregate_distinct_multiple_argument = False
    supports_aggregate_order_by_clause = sqlite3.sqlite_version_info >= (3, 44)
    supports_deferrable_unique_constraints = False
    supports_functions_in_partial_indexes = True
    supports_ignore_conflicts = True
    supports_index_on_text_field = True
    supports_no_precision_decimalfield = True
    supports_nulls_distinct_unique_constraints = False
    supports_on_delete_db_default = True
    supports_partial_indexes = True
    supports_tuple_comparison_against_subquery = True
    supports_tuple_lookups = True
    supports_unlimited_charfield = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = True
    supports_virtual_generated_columns = True

    alters_tables = False
    begins_late = True
    checks_documents = False
    counts_left_out_keys = True
    counts_with_apart = True
    cursors_see_writes = True
    holds_clocks_as_text = True
    holds_decimals = False
    holds_moments = False
    ignores_row_locks = True
    is_embedded = True
    joins_values = True
    matches_patterns_in_python = True
    limits_names = False
    takes_truth_values = True

    def shared_memory(self, url: URL, name: str) -> URL:
        return url.set(database=f"file:/{name}", query={"vfs": "memdb", "uri": "true"})

    def document_type(self) -> TypeEngine[Any]:
        """Return text: a column of the type name JSON would turn the text '1.0' into the number 1."""
        return sa.Text()

    def explain(self, format: str | None, options: dict[str, Any]) -> str:
        # SQLite times nothing: code that asks every database for `analyze` gets the plan that there is.
        self.refuse_options(name for name in options if name != "analyze")
        return "EXPLAIN QUERY PLAN"


class LibSQL(SQLite):
    """libsql, where it is another database than SQLite: it has none of the functions that facade gives to that."""

    called = "libsql"

    supports_any_value = False

    has_bit_aggregates = False
