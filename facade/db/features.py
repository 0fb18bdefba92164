"""What a database can do, under the names that ``Meta.required_db_features`` uses."""

from __future__ import annotations

__all__ = ["Features"]

_EVERYWHERE = frozenset(
    {
        "can_release_savepoints",
        "can_use_chunked_reads",
        "supports_aggregate_filter_clause",
        "supports_collation_on_charfield",
        "supports_collation_on_textfield",
        "supports_column_check_constraints",
        "supports_expression_defaults",
        "supports_foreign_keys",
        "supports_ignore_conflicts",
        "supports_json_field",
        "supports_nullable_unique_constraints",
        "supports_on_delete_db_cascade",
        "supports_on_delete_db_null",
        "supports_order_by_nulls_modifier",
        "supports_over_clause",
        "supports_partially_nullable_unique_constraints",
        "supports_primitives_in_json_field",
        "supports_select_difference",
        "supports_select_intersection",
        "supports_select_union",
        "supports_stored_generated_columns",
        "supports_table_check_constraints",
        "supports_transactions",
        "supports_update_conflicts",
    }
)
_SQLITE = frozenset(
    {
        "can_defer_constraint_checks",
        "can_return_columns_from_insert",
        "can_return_rows_from_bulk_insert",
        "can_rollback_ddl",
        "supports_expression_indexes",
        "supports_functions_in_partial_indexes",
        "supports_index_on_text_field",
        "supports_no_precision_decimalfield",
        "supports_on_delete_db_default",
        "supports_partial_indexes",
        "supports_unlimited_charfield",
        "supports_update_conflicts_with_target",
        "supports_virtual_generated_columns",
    }
)
_POSTGRESQL = (_SQLITE - {"supports_virtual_generated_columns"}) | {
    "can_distinct_on_fields",
    "has_native_boolean_field",
    "has_native_duration_field",
    "has_native_json_field",
    "has_native_uuid_field",
    "has_select_for_no_key_update",
    "has_select_for_update",
    "has_select_for_update_nowait",
    "has_select_for_update_of",
    "has_select_for_update_skip_locked",
    "supports_comments",
    "supports_covering_indexes",
    "supports_deferrable_unique_constraints",
    "supports_json_field_contains",
    "supports_nulls_distinct_unique_constraints",
    "supports_tablespaces",
    "supports_timezones",
}
_MYSQL = frozenset(
    {
        "has_select_for_update",
        "has_select_for_update_nowait",
        "has_select_for_update_skip_locked",
        "supports_comments",
        "supports_json_field_contains",
        "supports_virtual_generated_columns",
    }
)

_BY_VENDOR = {"mysql": _MYSQL, "postgresql": _POSTGRESQL, "sqlite": _SQLITE}


class Features:
    """The features of one database as attributes; those it does not have, or that nobody knows, are false.

    >>> Features("postgresql").supports_comments, Features("sqlite").supports_comments
    (True, False)
    """

    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.__dict__.update(dict.fromkeys(_EVERYWHERE | _BY_VENDOR.get(vendor, frozenset()), True))

    def __getattr__(self, name: str) -> bool:
        if name.startswith("_"):
            raise AttributeError(name)
        return False
