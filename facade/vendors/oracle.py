"""What Oracle can do, from 19c on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import UnsupportedFeature
from facade.vendors.base import Vendor

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

__all__ = ["Oracle"]


class Oracle(Vendor):
    """Oracle."""

    can_defer_constraint_checks = True
    can_release_savepoints = False
    has_select_for_update = True
    has_select_for_update_nowait = True
    has_select_for_update_skip_locked = True
    order_by_nulls_first = False
    supports_any_value = True
    supports_boolean_expr_in_select_clause = False
    supports_comments = True
    supports_frame_exclusion = False
    supports_stored_generated_columns = False
    supports_timezones = True
    supports_virtual_generated_columns = True

    gives_days_as_moments = True
    has_bit_aggregates = False
    has_default_keyword = True
    has_last_key = False
    holds_moments = False
    insert_rows_max = 1
    returns_into_parameters = True

    binary_literal = "HEXTORAW('{}')"

    def moment_type(self, timezone: bool) -> TypeEngine[Any]:
        return sa.TIMESTAMP(timezone=False)

    def time_type(self) -> TypeEngine[Any]:
        raise UnsupportedFeature("Oracle has no type for times of day: use a DateTimeField.")
