"""Writes of rows that have versions: each names the version that it has seen, and gives the row the next one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from facade.exceptions import FieldError
from facade.expressions.freezing import EXPRESSIONS

if TYPE_CHECKING:
    from facade.fields import Field
    from facade.fields.contracts import Instance
    from facade.meta.versions import Version

__all__ = ["Changing", "first", "lost_update", "same", "seen_field"]

_SEEN = "_version_seen"
_ABSENT = object()


def seen_field(version: Version) -> Field[Any]:
    """Return the field as which a statement reads the version that an instance had before."""
    seen: Field[Any] = copy.copy(version.field)
    seen.attname = _SEEN
    return seen


def first(version: Version) -> Callable[[Any], Any] | None:
    """Return what makes the version of a new row, whatever version its instance has."""
    following = version.following
    return None if following is None else lambda seen: following(None)


def same(seen: object) -> object:
    """Return the version that a row keeps: for one that is deleted."""
    return seen


def lost_update(obj: Instance, version: Version, what: str = "change") -> Exception:
    """Return the error of a write that finds no row in the state that the instance was loaded in."""
    opts = obj._meta
    seen = obj.__dict__.get(version.field.attname)
    kind: type[Exception] = opts.model.NotUpdated
    return kind(
        f"{opts.label} with the primary key {obj.pk!r} was changed or deleted meanwhile: no row has the {version.field.name} "
        f"{seen!r} that this object has. Nothing was written. Load it again (refresh_from_db()) to {what} it."
    )


class Changing:
    """Lets instances have the next versions while their rows are written, and their old ones if that fails."""

    def __init__(
        self, objs: Sequence[Any], version: Version, following: Callable[[Any], Any] | None, new: bool = False
    ) -> None:
        self.attname, self.following = version.field.attname, following
        self.objs = list({id(obj): obj for obj in objs}.values())
        self.before = [obj.__dict__.get(self.attname, _ABSENT) for obj in self.objs]
        if not new and _ABSENT in self.before:
            label, name = version.field.model._meta.label, version.field.name
            raise FieldError(
                f"{label}.{name} is not loaded, and without it nobody knows whether the row was changed meanwhile: load the "
                "object again, as by refresh_from_db(), before it is changed."
            )

    def __enter__(self) -> Self:
        for obj, before in zip(self.objs, self.before, strict=True):
            known = before is not _ABSENT and not isinstance(before, EXPRESSIONS)
            seen = obj.__dict__[_SEEN] = before if known else None
            if self.following is not None:
                obj.__dict__[self.attname] = self.following(seen)
        return self

    def __exit__(self, kind: object, *facts: object) -> None:
        for obj in self.objs:
            obj.__dict__.pop(_SEEN, None)
        if kind is not None:
            self.undo()

    def undo(self) -> None:
        """Give the instances the versions back that they had."""
        for obj, before in zip(self.objs, self.before, strict=True):
            if before is _ABSENT:
                obj.__dict__.pop(self.attname, None)
            else:
                obj.__dict__[self.attname] = before
