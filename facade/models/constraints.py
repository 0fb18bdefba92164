"""Constraints."""

from facade.meta.constraints import BaseConstraint, CheckConstraint, Deferrable, UniqueConstraint

__all__ = ["BaseConstraint", "CheckConstraint", "Deferrable", "UniqueConstraint"]
