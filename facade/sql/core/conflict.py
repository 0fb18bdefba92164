"""What an INSERT does about rows that break a unique constraint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from facade.exceptions import UnsupportedFeature

if TYPE_CHECKING:
    from facade.fields import Field
    from facade.vendors import Vendor


class Conflict(NamedTuple):
    """Ignore such rows (no `update` fields) or update the rows that are there."""

    update: tuple[Field[Any], ...] = ()
    unique: tuple[Field[Any], ...] = ()


def check_ignore(features: Vendor) -> None:
    """Raise `NotSupportedError` where the database cannot skip conflicting rows."""
    if not features.supports_ignore_conflicts:
        raise UnsupportedFeature("This database backend does not support ignoring conflicts.")


def check_update(features: Vendor, has_unique: bool) -> None:
    """Raise the error for an update on conflict that the database cannot express."""
    if not features.supports_update_conflicts:
        raise UnsupportedFeature("This database backend does not support updating conflicts.")
    if has_unique and not features.supports_update_conflicts_with_target:
        raise UnsupportedFeature(
            "This database backend does not support updating conflicts with specifying unique fields "
            "that can trigger the upsert."
        )
    if features.supports_update_conflicts_with_target and not has_unique:
        raise ValueError("Unique fields that can trigger the upsert must be provided.")
