"""Which database a model is read from and written to: the routers of the settings decide."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from facade import configuration
from facade.db.settings.aliases import alias_behind, in_schemas
from facade.db.settings.moved import check_place, moved

if TYPE_CHECKING:
    from facade.fields.contracts import Instance

__all__ = ["DEFAULT_DB_ALIAS", "ConnectionRouter", "router"]

DEFAULT_DB_ALIAS = "default"
"""The alias of the database that is used where nothing else is said."""


class ConnectionRouter:
    """Asks routers, objects with any of ``db_for_read``, ``db_for_write``, ``allow_relation`` and ``allow_migrate``.

    The first answer that is not None counts. Without one an instance stays on its own database, and everything else goes
    to ``"default"``. ``routers`` are objects or dotted paths of classes; the setting ``DATABASE_ROUTERS`` by default.
    """

    def __init__(self, routers: Sequence[Any] | None = None) -> None:
        self._given = routers

    @cached_property
    def routers(self) -> list[Any]:
        """The routers, in the order in which they are asked."""
        given = configuration.settings.DATABASE_ROUTERS if self._given is None else self._given
        return [_load(one) if isinstance(one, str) else one for one in given]

    def db_for_read(self, model: type[Any], **hints: Any) -> str:
        """Return the alias to read ``model`` from; the hint ``instance`` is an object at hand."""
        return self._choose("db_for_read", model, hints)

    def db_for_write(self, model: type[Any], **hints: Any) -> str:
        """Return the alias to write ``model`` to; the hint ``instance`` is an object at hand."""
        if not self.routers:  # as in most programs
            instance = hints.get("instance")
            home = (instance is not None and instance._state.db) or DEFAULT_DB_ALIAS
            if moved.blocks and instance is not None:
                check_place(instance, home)
            return home
        return self._choose("db_for_write", model, hints)

    def home_of(self, instance: Instance) -> str | None:
        """Return where an instance came from, as `db_for_write` does without routers."""
        home: str | None = instance._state.db
        if moved.blocks and home is not None:
            check_place(instance, home)
        return home

    def _choose(self, action: str, model: type[Any], hints: dict[str, Any]) -> str:
        instance = hints.get("instance")
        home: str | None = None if instance is None else instance._state.db
        chosen = home or DEFAULT_DB_ALIAS
        for one in self.routers:
            method = getattr(one, action, None)
            if method is not None and (alias := method(model, **hints)):
                chosen = alias if isinstance(alias, str) else str(alias)
                break
        if in_schemas(home) and home.alias == chosen:  # where on its database an object is, it knows itself
            return home
        if moved.blocks and instance is not None and chosen == home:
            check_place(instance, chosen)
        return chosen

    def allow_relation(self, obj1: Instance, obj2: Instance, **hints: Any) -> bool:
        """Return whether the two objects may be related; by default they have to come from one database."""
        for one in self.routers:
            method = getattr(one, "allow_relation", None)
            if method is not None and (allowed := method(obj1, obj2, **hints)) is not None:
                return bool(allowed)
        return bool(alias_behind(obj1._state.db) == alias_behind(obj2._state.db))

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Return whether the tables of an application belong on the database ``db``; by default they do."""
        for one in self.routers:
            method = getattr(one, "allow_migrate", None)
            if method is not None and (allowed := method(db, app_label, **hints)) is not None:
                return bool(allowed)
        return True

    def allow_migrate_model(self, db: str, model: type[Any]) -> bool:
        """Return whether the table of ``model`` belongs on the database ``db``."""
        opts = model._meta
        return self.allow_migrate(db, opts.app_label, model_name=opts.model_name, model=model)


def _load(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)()


router = ConnectionRouter()
"""Asks the routers of the setting ``DATABASE_ROUTERS`` which database a model is read from and written to."""


@configuration.on_change
def _forget_routers(changed: frozenset[str]) -> None:
    if "DATABASE_ROUTERS" in changed:
        router.__dict__.pop("routers", None)
