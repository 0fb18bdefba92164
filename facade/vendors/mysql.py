"""What MySQL and MariaDB can do."""

from __future__ import annotations

from facade.vendors.base import Vendor

__all__ = ["MariaDB", "MySQL"]


class MySQL(Vendor):
    """MySQL."""

    has_select_for_update = True
    limits_single_statements = True
    has_select_for_update_nowait = True
    has_select_for_update_of = True
    has_select_for_update_skip_locked = True
    supports_comments = True
    supports_frame_exclusion = False
    supports_json_field_contains = True
    supports_virtual_generated_columns = True


class MariaDB(MySQL):
    """MariaDB, where it is another database than MySQL."""

    has_select_for_update_of = False
    supports_any_value = False
    supports_default_in_lead_lag = False
