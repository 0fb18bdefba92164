"""What a database is called and what it can do. `Vendor` itself is one that is known for standard SQL only."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["Vendor"]


class Vendor:
    """One kind of database: what it is called, and what it can do.

    The names are those of Django's features where it has one, which `Meta.required_db_features` and an `as_sql()` ask for
    by `connection.features`. A feature that nobody knows is false.
    """

    name: str
    """What users know it by: MariaDB is `mysql` to them, as it is to Django."""
    server: str
    """What it is, more exactly: `mysql` or `mariadb`."""
    display_name: str
    """How it is called in a sentence."""

    # -- transactions and rows ------------------------------------------------------------------

    can_defer_constraint_checks = False
    can_distinct_on_fields = False
    can_release_savepoints = True
    can_return_columns_from_insert = False
    can_return_rows_from_bulk_insert = False
    can_rollback_ddl = False
    can_use_chunked_reads = True
    has_select_for_no_key_update = False
    has_select_for_update = False
    has_select_for_update_nowait = False
    has_select_for_update_of = False
    has_select_for_update_skip_locked = False
    supports_ignore_conflicts = True
    supports_transactions = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = False

    # -- expressions ----------------------------------------------------------------------------

    only_supports_unbounded_with_preceding_and_following = False
    supports_aggregate_distinct_multiple_argument = True
    supports_aggregate_filter_clause = True
    supports_aggregate_order_by_clause = True
    supports_any_value = True
    supports_default_in_lead_lag = True
    supports_frame_exclusion = True
    supports_json_field_contains = False
    supports_order_by_nulls_modifier = True
    supports_over_clause = True
    supports_select_difference = True
    supports_select_intersection = True
    supports_select_union = True
    supports_timezones = False

    # -- what facade alone asks ------------------------------------------------------------------

    ignores_row_locks = False
    """Whether asking for a lock changes nothing, as there are none of rows."""
    is_embedded = False
    """Whether it runs in the program: a database is a file, or is in memory."""
    limits_single_statements = False
    """Whether a statement can say itself how long it may take."""
    settings_end_with_transaction = False
    """Whether a setting can be one for the running transaction."""
    assumes_roles = False
    """Whether a session can act as another role (Django's ``assume_role``)."""

    # -- columns and tables ---------------------------------------------------------------------

    has_native_boolean_field = False
    has_native_duration_field = False
    has_native_json_field = False
    has_native_uuid_field = False
    supports_collation_on_charfield = True
    supports_collation_on_textfield = True
    supports_column_check_constraints = True
    supports_comments = False
    supports_covering_indexes = False
    supports_deferrable_unique_constraints = False
    supports_expression_defaults = True
    supports_expression_indexes = False
    supports_foreign_keys = True
    supports_functions_in_partial_indexes = False
    supports_index_on_text_field = False
    supports_json_field = True
    supports_no_precision_decimalfield = False
    supports_nullable_unique_constraints = True
    supports_nulls_distinct_unique_constraints = False
    supports_on_delete_db_cascade = True
    supports_on_delete_db_default = False
    supports_on_delete_db_null = True
    supports_partial_indexes = False
    supports_partially_nullable_unique_constraints = True
    supports_primitives_in_json_field = True
    supports_stored_generated_columns = True
    supports_table_check_constraints = True
    supports_tablespaces = False
    supports_unlimited_charfield = False
    supports_virtual_generated_columns = False

    def __init__(self, name: str, display_name: str | None = None, *, server: str | None = None) -> None:
        self.name = name
        self.display_name = name if display_name is None else display_name
        self.server = name if server is None else server

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.server}>"

    if not TYPE_CHECKING:  # facade's own code asks for nothing that is not written above

        def __getattr__(self, name: str) -> bool:
            if name.startswith("_"):
                raise AttributeError(name)
            return False
