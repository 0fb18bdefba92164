"""What PostgreSQL can do."""

from __future__ import annotations

from facade.vendors.base import Vendor

__all__ = ["PostgreSQL"]


class PostgreSQL(Vendor):
    """PostgreSQL."""

    can_defer_constraint_checks = True
    can_distinct_on_fields = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_rollback_ddl = True
    has_native_boolean_field = True
    has_native_duration_field = True
    has_native_json_field = True
    has_native_uuid_field = True
    has_select_for_no_key_update = True
    assumes_roles = True
    has_select_for_update = True
    has_select_for_update_nowait = True
    has_select_for_update_of = True
    has_select_for_update_skip_locked = True
    settings_end_with_transaction = True
    only_supports_unbounded_with_preceding_and_following = True
    supports_comments = True
    supports_covering_indexes = True
    supports_deferrable_unique_constraints = True
    supports_expression_indexes = True
    supports_functions_in_partial_indexes = True
    supports_index_on_text_field = True
    supports_json_field_contains = True
    supports_no_precision_decimalfield = True
    supports_nulls_distinct_unique_constraints = True
    supports_on_delete_db_default = True
    supports_partial_indexes = True
    supports_tablespaces = True
    supports_timezones = True
    supports_unlimited_charfield = True
    supports_update_conflicts_with_target = True
