"""Which lookups and transforms a field knows: registered for its class, an ancestor, or the one instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from facade.foundation.seams import Changes

Found = TypeVar("Found", bound=type[Any])

#: Calls ``callback()`` after a lookup was registered or taken away: for those who keep what they once looked up.
on_change: Changes[[]] = Changes("lookups")


class ClassOrInstanceMethod:
    """One method for the class and another for its instances, under one name."""

    def __init__(self, of_class: str, of_instance: str) -> None:
        self.of_class = of_class
        self.of_instance = of_instance

    def __get__(self, instance: object, owner: type[Any]) -> Callable[..., Any]:
        found: Callable[..., Any] = (
            getattr(owner, self.of_class) if instance is None else getattr(instance, self.of_instance)
        )
        return found


_merged: dict[type[Any], dict[str, type[Any]]] = {}


def _changed() -> None:
    _merged.clear()
    on_change.tell()


def _name(lookup: type[Any], lookup_name: str | None) -> str:
    return lookup_name if lookup_name is not None else lookup.lookup_name


class RegisterLookupMixin:
    """Knows lookups by name; base of fields, and of transforms that have lookups of their own.

    `register_lookup` works on a class and on an instance, and as a decorator of the lookup's class.
    """

    class_lookups: ClassVar[dict[str, type[Any]]]
    instance_lookups: dict[str, type[Any]]

    @classmethod
    def get_class_lookups(cls) -> dict[str, type[Any]]:
        """Return what is registered for the class and its ancestors, the nearest winning."""
        if (found := _merged.get(cls)) is None:
            own = [vars(parent).get("class_lookups", {}) for parent in reversed(cls.__mro__)]
            found = _merged[cls] = {name: lookup for lookups in own for name, lookup in lookups.items()}
        return found

    @classmethod
    def lookups_since(cls, first: type[RegisterLookupMixin]) -> dict[str, type[Any]]:
        """Return what is registered for the class and its ancestors up to `first`, and not for what that derives from."""
        bases = cls.__mro__[: cls.__mro__.index(first) + 1]
        own = [vars(base).get("class_lookups", {}) for base in reversed(bases)]
        return {name: lookup for lookups in own for name, lookup in lookups.items()}

    def get_instance_lookups(self) -> dict[str, type[Any]]:
        """Return what is registered for this instance, its class and its ancestors."""
        return {**self.get_class_lookups(), **self.__dict__.get("instance_lookups", {})}

    def _find(self, name: str) -> Any:
        own = self.__dict__.get("instance_lookups")
        return own[name] if own and name in own else self.get_class_lookups().get(name)

    def get_lookup(self, lookup_name: str) -> Any:
        """Return the lookup of that name, None if there is none or it is a transform."""
        found = self._find(lookup_name)
        if found is None and (output := getattr(self, "output_field", None)) is not None:
            return output.get_lookup(lookup_name)
        return None if is_transform(found) else found

    def get_transform(self, lookup_name: str) -> Any:
        """Return the transform of that name, None if there is none or it is a lookup."""
        found = self._find(lookup_name)
        if found is None and (output := getattr(self, "output_field", None)) is not None:
            return output.get_transform(lookup_name)
        return found if is_transform(found) else None

    @classmethod
    def register_class_lookup(cls, lookup: Found, lookup_name: str | None = None) -> Found:
        if "class_lookups" not in vars(cls):
            cls.class_lookups = {}
        cls.class_lookups[_name(lookup, lookup_name)] = lookup
        _changed()
        return lookup

    def register_instance_lookup(self, lookup: Found, lookup_name: str | None = None) -> Found:
        self.__dict__.setdefault("instance_lookups", {})[_name(lookup, lookup_name)] = lookup
        _changed()
        return lookup

    @classmethod
    def _unregister_class_lookup(cls, lookup: type[Any], lookup_name: str | None = None) -> None:
        del cls.class_lookups[_name(lookup, lookup_name)]
        _changed()

    def _unregister_instance_lookup(self, lookup: type[Any], lookup_name: str | None = None) -> None:
        del self.instance_lookups[_name(lookup, lookup_name)]
        _changed()

    register_lookup = ClassOrInstanceMethod("register_class_lookup", "register_instance_lookup")
    _unregister_lookup = ClassOrInstanceMethod("_unregister_class_lookup", "_unregister_instance_lookup")
    get_lookups = ClassOrInstanceMethod("get_class_lookups", "get_instance_lookups")


def is_transform(lookup: object) -> bool:
    """Return whether a registered class is a transform: only these say whether they are bilateral."""
    return hasattr(lookup, "bilateral")
