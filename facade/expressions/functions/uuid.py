"""Functions that make UUIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from facade import fields
from facade.exceptions import UnsupportedFeature
from facade.expressions.functions.vendors import VendorFunc

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
        compiler.words.check_uuids(type(self).__name__, 4, compiler.dialect)
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
        compiler.words.check_uuids(type(self).__name__, 7, compiler.dialect)
        if self.source_expressions and not compiler.words.shifts_uuids:
            raise UnsupportedFeature("The shift argument to UUID7 is not supported on this database backend.")
        return super().as_core(compiler)


__all__ = ["UUID4", "UUID7"]
