"""Versions of rows: what `version_id_col` of a mapped class says of the table that a model stands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from facade.exceptions import UnsupportedFeature

if TYPE_CHECKING:
    from facade.fields import Field

__all__ = ["Version"]


class Version(NamedTuple):
    """The column that tells one state of a row from the next: nobody overwrites a state that they have not seen."""

    field: Field[Any]
    following: Callable[[Any], Any] | None
    """Makes the next version of one, the first of None; None where the database makes them."""
    counted: Callable[[], Any] | None
    """Returns the expression of the next version, where there is one."""

    def next_of_many(self) -> object:
        """Return what a statement assigns that changes many rows, each of which has a version of its own."""
        if self.counted is None:
            raise UnsupportedFeature(
                f"{self.field.model._meta.label} makes its versions in Python (version_id_generator), and the versions of the rows "
                f"that one UPDATE changes are not known there. Assign it yourself, as in update({self.field.name}=...), or save() "
                "each object."
            )
        return self.counted()
