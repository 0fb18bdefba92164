"""What an instance knows about itself besides its values: its database, and objects related to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from facade.expressions.calls import DatabaseDefault
from facade.orm.instances.fetching import FETCH_ONE

if TYPE_CHECKING:
    from facade.fields.contracts import Instance


__all__ = ["LOADED_FROM", "UNSET", "ModelState", "Origin", "StateAttribute"]

#: The types of a primary key that is none yet.
UNSET = (type(None), DatabaseDefault)

#: The key under which an instance's database, or an `Origin`, may stand instead of a state for each row.
LOADED_FROM = "_loaded_from"


class Origin(tuple[Any, str, Any]):
    """What rows loaded for one object have in common: their database, the name of the relation, and that object."""

    __slots__ = ()


class ModelState:
    """``instance._state``.

    ``db`` is the alias of the database the instance came from or was saved to. ``adding`` is true until
    then. ``fields_cache`` holds related objects by the name of the relation, ``fetch_mode`` says what reading
    a missing value does, and ``peers`` holds weak references to the instances loaded together with this one.

    Nothing is set when a state is made, because one is made for each row: what is missing gets its first
    value when it is looked at.
    """

    __slots__ = ("adding", "db", "fetch_mode", "fields_cache", "peers")

    db: str | None
    adding: bool
    fields_cache: dict[str, Any]
    fetch_mode: Any
    peers: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        first = FIRST_VALUES.get(name)
        if first is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute {name!r}")
        value = first()
        setattr(self, name, value)
        return value

    def __getstate__(self) -> dict[str, Any]:
        """Return what can be pickled: everything but the weak references in ``peers``."""
        names = [name for name in self.__slots__ if name != "peers"]
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


#: How each attribute of a state begins.
FIRST_VALUES: dict[str, Callable[[], Any]] = {
    "adding": lambda: True,
    "db": lambda: None,
    "fetch_mode": lambda: FETCH_ONE,
    "fields_cache": dict,
    "peers": tuple,
}


def remember(groups: Mapping[Any, list[Any]], name: str, owners: Mapping[Any, object]) -> None:
    """Put on the rows of each group the object they belong to, found by its key, where nothing is remembered yet."""
    for key, rows in groups.items():
        owner, alias, origin = owners[key], None, None
        for row in rows:
            data = row.__dict__
            loaded = data.get(LOADED_FROM)
            if type(loaded) is str:  # nobody has looked at the row: its state, when it is made, will say it
                if loaded is not alias:
                    alias, origin = loaded, Origin((loaded, name, owner))
                data[LOADED_FROM] = origin
            elif name not in (cache := row._state.fields_cache):
                cache[name] = owner


def is_unset(key: object) -> bool:
    """Return whether a primary key's value is none yet."""
    return isinstance(key, UNSET)


def some_unset(keys: Iterable[object]) -> bool:
    """Return whether one of many primary keys has no value yet."""
    return any(issubclass(kind, UNSET) for kind in {*map(type, keys)})


class StateAttribute:
    """``_state``, made when it is first looked at; an instance's own ``__dict__`` holds it from then on."""

    def __get__(self, instance: Instance | None, owner: object = None) -> Any:
        if instance is None:
            return self
        data = instance.__dict__
        state, origin = ModelState(), data.get(LOADED_FROM)
        if type(origin) is Origin:
            state.db, name, owner = origin
            state.fields_cache = {name: owner}
        else:
            state.db = origin
        state.adding = state.db is None
        # Another thread may have been here in the meantime: all must see one and the same state.
        state = data.setdefault("_state", state)
        data.pop(LOADED_FROM, None)
        return state
