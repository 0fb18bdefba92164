"""What MySQL and MariaDB can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.vendors.base import Vendor

if TYPE_CHECKING:
    from sqlalchemy.dialects import mysql
    from sqlalchemy.types import TypeEngine
else:
    mysql = later("sqlalchemy.dialects.mysql")

__all__ = ["MariaDB", "MySQL"]


class MySQL(Vendor):
    """MySQL."""

    has_select_for_update = True
    has_select_for_update_nowait = True
    has_select_for_update_of = True
    has_select_for_update_skip_locked = True
    order_by_nulls_first = True
    supports_comments = True
    supports_deferrable_unique_constraints = False
    supports_frame_exclusion = False
    supports_ignore_conflicts = True
    supports_json_field_contains = True
    supports_logical_xor = True
    supports_nulls_distinct_unique_constraints = False
    supports_tuple_comparison_against_subquery = True
    supports_tuple_lookups = True
    supports_update_conflicts = True
    supports_virtual_generated_columns = True

    asks_in_defaults = False
    assigns_in_turn = True
    computes_texts = True
    copies_for_constraints = True
    counts_from_zero = True
    has_default_keyword = True
    has_infinity = False
    has_socket_word = True
    has_unsigned_columns = True
    holds_moments = False
    indexes_references = True
    limits_single_statements = True
    preferred_isolation_level = (
        "READ COMMITTED"  # its own default locks what it scans, and shows a block old rows only
    )
    reads_backslashes = True
    sessions_have_settings = True
    names_keys = False
    takes_truth_values = True
    streams_hold_connection = True
    writes_parameters = True

    explain_formats = ("JSON", "TEXT", "TRADITIONAL", "TREE")

    def moment_type(self, timezone: bool) -> TypeEngine[Any]:
        return mysql.DATETIME(fsp=6)

    def time_type(self) -> TypeEngine[Any]:
        return mysql.TIME(fsp=6)

    def binary_type(self) -> TypeEngine[Any]:
        return mysql.LONGBLOB()

    def decimal_type(self, max_digits: int | None, decimal_places: int | None) -> TypeEngine[Any]:
        return sa.Numeric(65, 30) if max_digits is None else super().decimal_type(max_digits, decimal_places)

    def document_type(self) -> TypeEngine[Any]:
        return sa.JSON(none_as_null=True)

    def explain(self, format: str | None, options: dict[str, Any]) -> str:
        if set(options) != {"analyze"}:
            self.refuse_options(options)
        if options.get("analyze"):
            return "ANALYZE"
        return "EXPLAIN FORMAT=JSON" if format and format.upper() == "JSON" else "EXPLAIN"


class MariaDB(MySQL):
    """MariaDB, where it is another database than MySQL."""

    called = "MariaDB"

    has_select_for_update_of = False
    supports_any_value = False
    supports_default_in_lead_lag = False
    supports_expression_indexes = False
