"""Whether objects of several schemas of one database may have to do with each other: a key is that of a row in one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.db.channels.execution import SCHEMAS
from facade.db.handler import connections
from facade.db.scopes.optioned import OptionedDatabase
from facade.db.settings.aliases import Bound, alias_behind, in_schemas

if TYPE_CHECKING:
    from collections.abc import Iterable

    from facade.db.channels.schemas import SchemaMap
    from facade.fields.contracts import Instance

__all__ = ["check_compared", "check_together"]

_APART = (
    'Cannot {} "{!r}": it is from {}, and its key may be another row\'s in {}. Objects of several schemas cannot be related or stored '
    "together: load it there."
)


def check_together(obj: Instance, name: str | None, verb: str) -> None:
    """Raise ValueError where the key of an object does not name its row for the database `name`, as another schema has its table.

    Nothing is said of objects of another database, which is for the routers to say, nor of those that have no row yet. Where the
    object's table stands in the same schema for both, as those that tenants share do, it may be related.
    """
    home = obj._state.db
    if home is None or name is None or obj._state.adding or alias_behind(home) != alias_behind(name):
        return
    name = connections[name].home
    if home == name or (its := _schemas(home)) == (here := _schemas(name)):
        return
    default = connections[alias_behind(home) or home]._plain_dialect().default_schema_name
    model = type(obj)
    for table in {one.__table__ for one in (model, *model._meta.all_parents)}:
        places = {schemas.get(table.schema, table.schema) or default for schemas in (its, here)}
        if len(places) > 1:
            raise ValueError(_APART.format(verb, obj, home, name))


def _schemas(name: str) -> SchemaMap:
    """Return which schemas stand for which, for objects that remember this name."""
    if isinstance(name, Bound) and isinstance(name.database, OptionedDatabase):
        found: SchemaMap | None = name.database.execution.options.get(SCHEMAS)
        if found is not None:
            return found
    return connections[alias_behind(name) or name]._own_schemas()


def check_compared(values: Iterable[Any], name: str | None, owner: Instance | None) -> None:
    """Raise ValueError for an object among the values of a condition whose key may be another row's where the query will run.

    ``name`` is what the query was told, ``owner`` whose relation it follows. A query that was told nothing runs in the block in which
    it is run: nothing can be said of it where there is no block yet.
    """
    for value in values:
        for one in value if isinstance(value, (list, tuple, set, frozenset)) else (value,):
            home = getattr(getattr(one, "_state", None), "db", None)
            if home is None or one is owner:
                continue
            owners: str | None = None if owner is None else owner._state.db
            place = name or owners or alias_behind(home) or home
            if in_schemas(connections[place].home):
                check_together(one, place, "compare with")
