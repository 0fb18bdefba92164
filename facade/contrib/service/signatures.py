"""What the methods of view sets take and return, for frameworks that read it from signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, get_type_hints

from facade.contrib.service.parameters import Queried
from facade.contrib.service.transactions import READING
from facade.contrib.service.viewsets import STANDARD, ModelViewSet, Route, ViewSet
from facade.exceptions import ImproperlyConfigured

_TWICE = "{view}: a filter and the pagination both read ?{names}=: allow another lookup, as in size__in, or leave the filter out."
KEYWORD: Final = inspect.Parameter.KEYWORD_ONLY
_HEADER: Final = "facade_header_"


class Taken(NamedTuple):
    """A parameter of a method; `kind`: what it means to view sets, "" for one of its own, `what` is its annotation then."""

    kind: str
    parameter: inspect.Parameter
    what: Any

    @property
    def is_queried(self) -> bool:
        """Whether it is bound to parameters of the query."""
        return self.kind in ("filters", "page")

    def declared(self, annotation: object) -> inspect.Parameter:
        """Return the parameter by which a framework gives it to the method."""
        known = self.parameter.replace(kind=KEYWORD, annotation=annotation)
        return known.replace(default=inspect.Parameter.empty) if self.kind else known


def taken(views: type[ViewSet], route: Route) -> Iterator[Taken]:
    """Yield the parameters of a method, without those that its view set has no use for.

    ``pk``, ``data``, ``filters`` and ``page`` are known by their names where a method does not say otherwise: `what` is a type, a
    schema, or what is bound to the parameters of the query.
    """
    method = getattr(views, route.name)
    hints = get_type_hints(method, include_extras=True)
    inherited = method is getattr(ModelViewSet, route.name, None)
    for name, parameter in [*inspect.signature(method).parameters.items()][1:]:
        said = hints.get(name, inspect.Parameter.empty)
        if not inherited and said is not inspect.Parameter.empty:
            yield Taken("pk" if name == "pk" else "", parameter, said)
        elif (known := _known(views, route, name)) is not None:
            yield Taken(name, parameter, known)


def _known(views: type[ViewSet], route: Route, name: str) -> Any:
    if name == "pk":
        return views.lookup_type()
    if not issubclass(views, ModelViewSet):
        return dict[str, Any] if name == "data" else None
    if name == "data":
        return views.given_schema(route.name)
    return queried_by(views).get(name)


def queried_by(views: type[ViewSet]) -> dict[str, Queried[Any]]:
    """Return what a view set reads from the query, by the names that its methods call it."""
    found = {"filters": getattr(views, "filtering", None), "page": getattr(views, "pagination", None)}
    kept = {name: queried for name, queried in found.items() if queried is not None}
    names = [one.name for queried in kept.values() for one in queried.parameters]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ImproperlyConfigured(_TWICE.format(view=views.__name__, names=", ".join(sorted(twice))))
    return kept


def told_headers(
    views: type[ViewSet], route: Route, of: Callable[[str], object]
) -> Iterator[inspect.Parameter]:
    """Yield parameters for the headers that a method reads from its request, to have them told; `without_headers` takes them away.

    ``of``: makes the framework's annotation for a header.
    """
    names = views.condition_headers(route.name) if issubclass(views, ModelViewSet) else ()
    for number, name in enumerate(names):
        yield inspect.Parameter(f"{_HEADER}{number}", KEYWORD, default=None, annotation=of(name))


def without_headers(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a method takes."""
    return {name: value for name, value in values.items() if not name.startswith(_HEADER)}


def returned(views: type[ViewSet], route: Route, pages: Mapping[type[Any], Any]) -> Any:
    """Return the type of an answer: what the method is annotated with, or what the schema and the pagination make; Any where nobody says.

    ``pages``: the framework's types of pages, by the paginations.
    """
    if route.status == 204:
        return None
    said = get_type_hints(getattr(views, route.name), include_extras=True).get("return", Any)
    if said not in (Any, type(None)):
        return said
    if not issubclass(views, ModelViewSet) or route not in STANDARD or views.schema is None:
        return Any
    schema: Any = views.schema
    if route.name != "list":
        return schema
    page = next((page for kind, page in pages.items() if isinstance(views.pagination, kind)), None)
    return list[schema] if page is None else page[schema]


def refusals(views: type[ViewSet], route: Route) -> dict[int, str]:
    """Return the statuses by which facade may refuse a request of a route, with what each means; those of values (422) are not among them."""
    found = {503: "The service is busy, or its database is away: Retry-After says when to try again."}
    if route.detail:
        found[404] = "There is no such object."
    if not READING.issuperset(route.methods):
        found[409] = "This conflicts with what is stored, or with what somebody else has changed."
    if issubclass(views, ModelViewSet) and views.condition_headers(route.name):
        found[412] = "The object is in another state than If-Match or If-None-Match say."
        if views.require_match and route.name != "retrieve":
            found[428] = "If-Match has to be sent."
    return dict(sorted(found.items()))


def signed(
    function: Callable[..., Any],
    views: type[ViewSet],
    route: Route,
    parameters: Iterable[inspect.Parameter],
    answer: object,
) -> Any:
    """Return a function that says that it is the method, and takes the parameters."""
    made: Any = function
    made.__name__, made.__qualname__ = f"{views.__name__}_{route.name}", f"{views.__name__}.{route.name}"
    made.__module__, made.__doc__ = views.__module__, inspect.getdoc(getattr(views, route.name))
    found = [*parameters]
    made.__signature__ = inspect.Signature(found, return_annotation=answer)
    made.__annotations__ = {one.name: one.annotation for one in found} | {"return": answer}
    return made
