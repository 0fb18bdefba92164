"""What plans are kept by: databases for which the same plans are right have one key in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING

from facade import configuration
from facade.foundation.seams import Changes

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

outdated: Changes[[]] = Changes("what plans are made of")

_PLAIN = (bool, int, float, str, tuple, type(None))
_PLACE = "default_schema_name"  # where tables are is not said in SQL; on MySQL it is the database itself
_shared: dict[Hashable, PlanKey] = {}


class PlanKey:
    """Stands for all dialects that write the same SQL and make the same of values."""

    __slots__ = ("dialect",)

    def __init__(self, dialect: type[Dialect]) -> None:
        self.dialect = dialect

    def __repr__(self) -> str:
        return f"<PlanKey of {self.dialect.__name__}>"


class _Own:
    """Whether plans are kept by dialects that belong to one database, and go with it."""

    handed_out = False


def shared_key(dialect: Dialect, of_server: bool) -> PlanKey:
    """Return the key of a dialect as facade makes it; with `of_server`, its SQL depends on what it has learnt of its server."""
    learnt = frozenset(_learnt(dialect)) if of_server else None
    return _shared.setdefault((type(dialect), dialect.paramstyle, learnt), PlanKey(type(dialect)))


def _learnt(dialect: Dialect) -> Iterator[tuple[str, object]]:
    for name, value in vars(dialect).items():
        if isinstance(value, _PLAIN) and name != _PLACE:
            yield name, value


def own_key(dialect: Dialect) -> Dialect:
    """Return the key of a dialect of which more is not known: itself."""
    _Own.handed_out = True
    return dialect


@configuration.on_change
def _settings_changed(changed: frozenset[str]) -> None:
    """Tell of settings that plans depend on. Other databases are none, unless one had plans that nobody else can use."""
    if changed != {"DATABASES"} or _Own.handed_out:
        _Own.handed_out = False
        outdated.tell()
