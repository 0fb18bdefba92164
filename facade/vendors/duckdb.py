"""What DuckDB can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.vendors.base import Vendor

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.engine import URL
    from sqlalchemy.types import TypeEngine
else:
    postgresql = later("sqlalchemy.dialects.postgresql")

__all__ = ["DuckDB"]


class DuckDB(Vendor):
    """DuckDB."""

    can_distinct_on_fields = True
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_rollback_ddl = True
    has_native_boolean_field = True
    has_native_uuid_field = True
    supports_comments = True
    supports_deferrable_unique_constraints = False
    supports_foreign_keys = False  # it looks at rows that the same transaction has deleted already
    supports_frame_exclusion = True
    supports_ignore_conflicts = True
    supports_index_on_text_field = True
    supports_json_field_contains = True
    supports_no_precision_decimalfield = False
    supports_nulls_distinct_unique_constraints = False
    supports_stored_generated_columns = False
    supports_unlimited_charfield = True
    supports_update_conflicts = True
    supports_update_conflicts_with_target = True
    supports_virtual_generated_columns = True
    uses_savepoints = False

    computes_floats = True
    counts_by_sequence = True
    counts_writes_in_rows = True
    has_default_keyword = True
    has_one_result = True
    holds_moments = False
    is_embedded = True

    binary_literal = "from_hex('{}')"
    explain_formats = ("JSON", "TEXT")

    def moment_type(self, timezone: bool) -> TypeEngine[Any]:
        """Return the type of a clock, that of UTC: moments need an extension that is not part of DuckDB."""
        return sa.DateTime()

    def decimal_type(self, max_digits: int | None, decimal_places: int | None) -> TypeEngine[Any]:
        return sa.Numeric(38, 10) if max_digits is None else super().decimal_type(max_digits, decimal_places)

    def uuid_type(self) -> TypeEngine[Any]:
        return postgresql.UUID(as_uuid=True)

    def shared_memory(self, url: URL, name: str) -> URL:
        return url.set(database=f":memory:{name}")

    def document_type(self) -> TypeEngine[Any]:
        return sa.JSON(none_as_null=True)

    def explain(self, format: str | None, options: dict[str, Any]) -> str:
        if set(options) != {"analyze"}:
            self.refuse_options(options)
        words = [*(["ANALYZE"] if options.get("analyze") else []), *([f"FORMAT {format}"] if format else [])]
        return f"EXPLAIN ({', '.join(words)})" if words else "EXPLAIN"
