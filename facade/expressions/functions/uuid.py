"""Functions that make UUIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.functions.vendors import VendorFunc
from facade.types.base import is_mariadb

if TYPE_CHECKING:
    import datetime as dt

    from facade.expressions.contracts import Compiler


class UUID4(VendorFunc):
    """A random UUID. Not on MySQL; MariaDB has it from 11.7 on."""

    function = "UUIDV4"
    arity = 0
    _output_field = fields.UUIDField()
    spellings: ClassVar[dict[str, dict[str, str]]] = {
        "postgresql": {"function": "GEN_RANDOM_UUID"},
        "mysql": {"function": "UUID_V4"},
    }

    def as_core(self, compiler: Compiler) -> Any:
        _check_mysql(self, compiler)
        return super().as_core(compiler)


class UUID7(VendorFunc):
    """A UUID that sorts by the time at which it was made; PostgreSQL shifts that time by the duration `shift`.

    PostgreSQL has it from 18 on, MariaDB from 11.7, MySQL not at all.
    """

    function = "UUIDV7"
    _output_field = fields.UUIDField()
    spellings: ClassVar[dict[str, dict[str, str]]] = {"mysql": {"function": "UUID_V7"}}

    def __init__(self, shift: dt.timedelta | Any = None, **extra: Any) -> None:
        super().__init__(*([] if shift is None else [shift]), **extra)

    def as_core(self, compiler: Compiler) -> Any:
        _check_mysql(self, compiler)
        if self.source_expressions and compiler.vendor != "postgresql":
            raise UnsupportedFeature("The shift argument to UUID7 is not supported on this database backend.")
        if compiler.vendor == "postgresql" and _is_before(compiler, (18,)):
            raise UnsupportedFeature("UUID7 requires PostgreSQL version 18 or later.")
        return super().as_core(compiler)


def _check_mysql(expression: object, compiler: Compiler) -> None:
    if compiler.vendor != "mysql":
        return
    if not is_mariadb(compiler.dialect):
        raise UnsupportedFeature(f"{type(expression).__name__} is not supported on MySQL.")
    if _is_before(compiler, (11, 7)):
        raise UnsupportedFeature(f"{type(expression).__name__} requires MariaDB version 11.7 or later.")


def _is_before(compiler: Compiler, version: tuple[int, ...]) -> bool:
    """Tell whether the server is known to be older than that."""
    known: tuple[int, ...] | None = getattr(compiler.dialect, "server_version_info", None)
    return known is not None and known < version


__all__ = ["UUID4", "UUID7"]
