"""The options of models on existing tables before anybody looks at their fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facade.foundation.seams import Seam
from facade.meta.options import Options

if TYPE_CHECKING:
    from facade.meta.structure import FieldList

__all__ = ["Unreflected", "Unsettled", "reflect_table"]

# (model) -> None; its options are those of a model on a table then.
reflect_table: Seam[[type[Any]], None] = Seam(
    "how a table is looked up by its name", filled_by="facade.orm.existing.reflection"
)


class Unsettled(Options):
    """Options of a model whose foreign keys become relations when the fields are asked for.

    Only then are all the models known that they may refer to, and SQLAlchemy's mappers complete. After that they are plain
    `Options`: nobody asks twice.
    """

    def _get_fields(self, *args: Any, **options: Any) -> FieldList:
        self.apps.settle()
        return Options._get_fields(self, *args, **options)  # which it may be by now


def _of_the_table(name: str) -> property:
    """Return what looks the table up before it tells what follows from it."""

    def read(opts: Unreflected) -> Any:
        opts.look_up()
        return opts.__dict__[name]

    def write(opts: Unreflected, value: object) -> None:
        opts.__dict__[name] = value

    return property(read, write)


class Unreflected(Options):
    """Options of a model on a table that is known by its name only, until the first look at what the table tells."""

    is_reflected = False
    waiting: list[Callable[[], object]]
    fault: Exception | None = None
    """Why the model cannot stand on its table, once that was tried."""

    local_fields = _of_the_table("local_fields")
    local_many_to_many = _of_the_table("local_many_to_many")
    pk = _of_the_table("pk")
    auto_field = _of_the_table("auto_field")
    existing_table = _of_the_table("existing_table")
    read_only = _of_the_table("read_only")

    def look_up(self) -> None:
        """Look the table up, unless it is being taken over just now."""
        if self.fault is not None:
            raise self.fault
        if not self.apps.is_standing(self.model) and not self.__class__.is_reflected:
            reflect_table(self.model)

    def _get_fields(self, *args: Any, **options: Any) -> FieldList:
        self.look_up()
        kind: type[Options] = type(self)  # another one by now, unless the fields are being made
        return (Options if kind is Unreflected else kind)._get_fields(self, *args, **options)

    def when_reflected(self, function: Callable[[], object]) -> None:
        self.waiting.append(function)
