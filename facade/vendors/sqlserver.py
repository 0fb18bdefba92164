"""What SQL Server can do, from 2022 on."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import later
from facade.vendors.base import Vendor

if TYPE_CHECKING:
    from sqlalchemy.dialects import mssql
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine
else:
    mssql = later("sqlalchemy.dialects.mssql")

__all__ = ["SQLServer"]

_VERSION = (16,)  # 2022


class SQLServer(Vendor):
    """SQL Server."""

    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    can_release_savepoints = False
    can_rollback_ddl = True
    has_native_uuid_field = True
    order_by_nulls_first = True
    supports_aggregate_distinct_multiple_argument = False
    supports_any_value = False
    supports_boolean_expr_in_select_clause = False
    supports_deferrable_unique_constraints = False
    supports_expression_indexes = False
    supports_frame_exclusion = False
    supports_nullable_unique_constraints = False
    supports_nulls_distinct_unique_constraints = False
    supports_order_by_nulls_modifier = False
    supports_partial_indexes = True
    supports_virtual_generated_columns = True

    has_bit_aggregates = False
    has_default_keyword = True
    has_infinity = False
    holds_moments = False
    insert_rows_max = 1000
    streams_hold_connection = True
    takes_truth_values = True
    takes_uuids = False

    binary_literal = "0x{}"

    def supported(self, dialect: Dialect) -> Dialect:
        if getattr(dialect, "server_version_info", None):
            return dialect
        known: Any = copy.copy(dialect)
        known.server_version_info = _VERSION
        known._setup_version_attributes()
        known.type_compiler_instance = known.type_compiler_cls(known)
        return known  # type: ignore[no-any-return]

    def moment_type(self, timezone: bool) -> TypeEngine[Any]:
        return mssql.DATETIME2(6)  # type: ignore[no-untyped-call]

    def time_type(self) -> TypeEngine[Any]:
        return mssql.TIME(6)  # type: ignore[no-untyped-call]

    def binary_type(self) -> TypeEngine[Any]:
        return mssql.VARBINARY("max")  # type: ignore[no-untyped-call]

    def decimal_type(self, max_digits: int | None, decimal_places: int | None) -> TypeEngine[Any]:
        return sa.Numeric(38, 10) if max_digits is None else super().decimal_type(max_digits, decimal_places)

    def uuid_type(self) -> TypeEngine[Any]:
        return mssql.UNIQUEIDENTIFIER(as_uuid=True)

    def document_type(self) -> TypeEngine[Any]:
        return mssql.NVARCHAR(None)
