"""What SQLite can do."""

from __future__ import annotations

import sqlite3

from facade.vendors.base import Vendor

__all__ = ["SQLite"]


class SQLite(Vendor):
    """SQLite."""

    can_defer_constraint_checks = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_rollback_ddl = True
    ignores_row_locks = True
    is_embedded = True
    supports_aggregate_distinct_multiple_argument = False
    supports_aggregate_order_by_clause = sqlite3.sqlite_version_info >= (3, 44)
    supports_expression_indexes = True
    supports_functions_in_partial_indexes = True
    supports_index_on_text_field = True
    supports_no_precision_decimalfield = True
    supports_on_delete_db_default = True
    supports_partial_indexes = True
    supports_unlimited_charfield = True
    supports_update_conflicts_with_target = True
    supports_virtual_generated_columns = True
