"""Column types as SQLAlchemy alone writes them: what a migration may name."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator, TypeEngine

from facade.foundation.imports import later
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.engine import Dialect
else:
    postgresql = later("sqlalchemy.dialects.postgresql")

__all__ = ["plain_type"]


def plain_type(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """Return the type that a column has on a database as SQLAlchemy's own, the most general that is written the same.

    A type of another library that is none of SQLAlchemy's stays what it is.
    """
    found = type_._variant_mapping.get(dialect.name, type_)
    if _is_public(type(found)):
        return _alone(found, dialect)
    while isinstance(found, TypeDecorator) and not _is_public(type(found)):
        found = found.type_engine(dialect)
    written = _written(found, dialect)
    for general in _more_general(found):
        try:
            made = found.adapt(general)
            if _written(made, dialect) == written:
                return _alone(made, dialect)
        except (TypeError, sa.exc.CompileError):
            continue
    return found


def _alone(type_: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """Return a type without what it is on other databases, and its items' type plain, too."""
    if isinstance(type_, sa.Enum) and type_.native_enum and vendor_of(dialect).names_types:
        # An operation of its own makes the type, before its first table.
        return postgresql.ENUM(*type_.enums, name=type_.name, schema=type_.schema, create_type=False)
    made = copy.copy(type_)
    made._variant_mapping = sa.util.EMPTY_DICT
    if (items := getattr(made, "item_type", None)) is not None:
        made.item_type = plain_type(items, dialect)  # type: ignore[attr-defined]
    return made


def _written(type_: TypeEngine[Any], dialect: Dialect) -> str:
    return type_.compile(dialect)


def _more_general(type_: TypeEngine[Any]) -> Iterator[type[TypeEngine[Any]]]:
    """The public classes that a type is of, the most general first."""
    for kind in reversed(type(type_).__mro__):
        if issubclass(kind, TypeEngine) and kind is not TypeEngine and _is_public(kind):
            yield kind


def _is_public(kind: type[object]) -> bool:
    """Whether SQLAlchemy itself, or the package of one of its dialects, has a class under its name."""
    package = ".".join(kind.__module__.split(".")[:3])
    if package.startswith("sqlalchemy.dialects."):
        return getattr(import_module(package), kind.__name__, None) is kind
    return package.startswith("sqlalchemy.") and getattr(sa, kind.__name__, None) is kind
