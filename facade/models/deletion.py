"""What `on_delete` takes, and the collector that carries it out: `from facade.models.deletion import CASCADE`."""

from __future__ import annotations

from facade.exceptions import ProtectedError, RestrictedError
from facade.orm.instances.deletion import Collector
from facade.orm.instances.on_delete import (
    CASCADE,
    DB_CASCADE,
    DB_SET_DEFAULT,
    DB_SET_NULL,
    DO_NOTHING,
    PROTECT,
    RESTRICT,
    SET,
    SET_DEFAULT,
    SET_NULL,
    DatabaseOnDelete,
)

__all__ = [
    "CASCADE",
    "DB_CASCADE",
    "DB_SET_DEFAULT",
    "DB_SET_NULL",
    "DO_NOTHING",
    "PROTECT",
    "RESTRICT",
    "SET",
    "SET_DEFAULT",
    "SET_NULL",
    "Collector",
    "DatabaseOnDelete",
    "ProtectedError",
    "RestrictedError",
]
