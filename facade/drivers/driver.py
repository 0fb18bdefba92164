"""`Driver`: what facade knows of one driver. Each has a record in the file of its name; whoever asks reads it there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import re

    from sqlalchemy.engine import URL

Face = Literal["sync", "async"]
Processor = Callable[[Any], Any]
Listener = tuple[str, Callable[..., None]]


def in_query(url: URL) -> Iterable[str]:
    """Return the arguments that SQLAlchemy makes of what a URL's query says."""
    arguments: Iterable[str] = url.get_dialect()().create_connect_args(url)[1] if url.query else ()
    return arguments


def arguments_of(module: str) -> frozenset[str]:
    """Return the arguments that the installed driver's `connect` names; none where it takes any."""
    parameters = inspect.signature(import_module(module).connect).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return frozenset()
    return frozenset(parameter.name for parameter in parameters) | {"async_creator_fn"}


def _no_defaults(pooled: bool) -> dict[str, Any]:
    return {}


def _has_no_stale_plan(raw: object, error: BaseException) -> bool:
    return False


@dataclass(frozen=True, kw_only=True, eq=False)
class Driver:
    """One driver: what it is called, how it connects, what its errors say, what it makes of values.

    What is said of none in particular, in `others.py`, holds for every driver of a database.
    """

    name: str
    """What SQLAlchemy and URLs call it: ``database+name``."""

    aliases: tuple[str, ...] = ()
    """Other names that a URL may give it, on one of its faces, and its likes that differ in nothing."""

    databases: frozenset[str]
    """SQLAlchemy's names for the databases that it drives."""

    faces: tuple[Face, ...] = ()
    """Which faces it can serve: a URL that names a driver of both is for both."""

    module: str = ""
    """What has to be importable."""

    package: str | None = None
    """What pip calls it, where that is another name."""

    extra: str | None = None
    """The extra of facade's that installs it."""

    roads: Mapping[Face, str] = field(default_factory=dict)
    """Its fast roads: the channel of a face, as ``module:class`` in `facade.db.roads`."""

    # SQL

    paramstyle: str | None = None
    """What to ask SQLAlchemy for where its default is by name: parameters are always sent by position."""

    numbers_names: bool = False
    """Whether a parameter by name is one however often it is written, while each by position is another."""

    same_sql: bool = False
    """Whether statements compile to the same text and processors as with the driver of the other face that says so, too."""

    max_parameters: int = 65535
    """How many values one statement may carry."""

    # connecting

    words: frozenset[str] = frozenset()
    """PostgreSQL's options in either driver's words, where it reads them."""

    translate: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None
    """Makes the driver's arguments of these words; raises ValueError for one that it cannot honour."""

    complete: Callable[[Mapping[str, Any], dict[str, Any]], dict[str, Any]] | None = None
    """Adds to the arguments, last of all, what these words want done beside the driver."""

    known: Callable[[], frozenset[str]] = frozenset
    """The arguments that the driver, as it is installed, takes; none if that cannot be known."""

    in_query: Callable[[URL], Iterable[str]] = in_query
    """The arguments that are said in a URL's query."""

    defaults: Callable[[bool], dict[str, Any]] = _no_defaults
    """The arguments where the user gave none; what is asked is whether a pooler hands servers out by transaction."""

    listeners: tuple[Listener, ...] = ()
    """What sets connections of facade's own engines up: SQLAlchemy's events, with what listens."""

    pings: bool = False
    """Whether a connection that was idle for a while is asked first: its server closes such, and nobody hears of it."""

    opens_whole: bool = False
    """Whether opening a connection goes to its end in spite of cancellation, which would lose it."""

    interrupt: Callable[[Any], None] | None = None
    """Makes the running statement of a connection fail, without waiting, where only that ends it."""

    # errors, by the names of their classes

    lost: frozenset[str] = frozenset()
    """Those with which the connection is gone, though they have no SQLSTATE."""

    passing: frozenset[str] = frozenset()
    """Those of connecting that may be over soon."""

    is_stale_plan: Callable[[BaseException], bool] | None = None
    """Tells whether an error is for a prepared statement whose table has changed; it has not run."""

    forgets_stale_plan: Callable[[Any, BaseException], bool] = _has_no_stale_plan
    """Tells of a connection and its error whether it was for such a plan, which is forgotten now."""

    is_libpq: bool = False
    """Whether libpq connects, which says in words only why it could not."""

    quoting: re.Pattern[str] | None = None
    """The beginning of a message that goes on with the value of a parameter."""

    # values

    day: Processor | None = None
    """Makes a parameter of a day, where that takes more than the day."""

    moment: Callable[[Processor], Processor] | None = None
    """Does the same for moments, on top of what makes one of the database's."""

    gives_utc: bool = False
    """Whether the moments of a column come aware and in UTC, whatever the session's zone."""

    gives_views: bool = False
    """Whether bytes come as a memoryview."""

    privates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What is used of the driver that it does not promise, by ``module`` or ``module:class``."""

    def has_road(self, database: str, face: Face) -> bool:
        """Tell whether there is a fast road to a database."""
        return database in self.databases and face in self.roads


class Unwritable(ValueError):
    """A driver was about to write a parameter as something else; `allow` has the connection write it as it is meant."""

    async def allow(self, raw: Any) -> None:
        """Give a driver connection converters that write what is meant."""
        raise NotImplementedError

    async def forget(self, raw: Any) -> None:
        """Let a driver connection convert as it did."""
        raise NotImplementedError


def unwritable(error: BaseException | None) -> Unwritable | None:
    """Return what made a statement fail before it was sent: a parameter that would have been written as another."""
    while error is not None and not isinstance(error, Unwritable):
        error = error.__cause__ or error.__context__
    return error
