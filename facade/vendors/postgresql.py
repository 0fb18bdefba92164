"""What PostgreSQL can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.foundation.imports import later
from facade.vendors.base import Vendor

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.types import TypeEngine
else:
    postgresql = later("sqlalchemy.dialects.postgresql")

__all__ = ["CockroachDB", "PostgreSQL"]

_EXPLAIN_OPTIONS = (
    "ANALYZE",
    "BUFFERS",
    "COSTS",
    "GENERIC_PLAN",
    "MEMORY",
    "SERIALIZE",
    "SETTINGS",
    "SUMMARY",
    "TIMING",
    "VERBOSE",
    "WAL",
)


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
    has_select_for_update = True
    has_select_for_update_nowait = True
    has_select_for_update_of = True
    has_select_for_update_skip_locked = True
    only_supports_unbounded_with_preceding_and_following = True
    finds_rows_by_index = True
    order_by_nulls_first = False
    supports_comments = True
    supports_covering_indexes = True
    supports_functions_in_partial_indexes = True
    supports_ignore_conflicts = True
    supports_index_on_text_field = True
    supports_json_field_contains = True
    supports_no_precision_decimalfield = True
    supports_on_delete_db_default = True
    supports_partial_indexes = True
    supports_tablespaces = True
    supports_timezones = True
    supports_tuple_comparison_against_subquery = True
    supports_tuple_lookups = True
    supports_unlimited_charfield = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = True

    aborts_transactions = True
    assumes_roles = True
    changes_lengths = True
    checks_apart = True
    has_addresses = True
    has_default_keyword = True
    has_extensions = True
    has_pattern_operators = True
    indexes_block_writes = True
    infers_types = True
    names_types = True
    sessions_have_settings = True
    settings_end_with_transaction = True
    streams_need_transaction = True
    unnests_arrays = True

    binary_literal = "'\\x{}'"
    explain_formats: tuple[str, ...] = ("JSON", "TEXT", "XML", "YAML")

    def uuid_type(self) -> TypeEngine[Any]:
        return postgresql.UUID(as_uuid=True)

    def explain(self, format: str | None, options: dict[str, Any]) -> str:
        self.refuse_options(name for name in options if name.upper() not in _EXPLAIN_OPTIONS)
        words = [f"{name.upper()} {'true' if value else 'false'}" for name, value in options.items()]
        if format:
            words.append(f"FORMAT {format.upper()}")
        return f"EXPLAIN ({', '.join(words)})" if words else "EXPLAIN"


class CockroachDB(PostgreSQL):
    """CockroachDB, where it is another database than PostgreSQL, whose SQL it speaks."""

    can_defer_constraint_checks = False
    has_pattern_operators = False
    indexes_block_writes = False
    supports_any_value = False
    supports_deferrable_unique_constraints = False
    supports_nulls_distinct_unique_constraints = False
    supports_tablespaces = False

    explain_formats = ()
