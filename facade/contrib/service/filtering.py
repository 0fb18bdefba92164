"""Filters, search and ordering from query parameters: what is allowed, by name, and nothing else."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from facade.contrib.schemas.storing import TIME_WITH_ZONE, moment
from facade.contrib.schemas.values import values_of
from facade.contrib.service.errors import ParameterError, text_of
from facade.contrib.service.parameters import Parameter, check_limits, times_given
from facade.db.connection import connections
from facade.exceptions import FieldDoesNotExist, FieldError, ImproperlyConfigured, ValidationError
from facade.fields import Field
from facade.models import Model, Q, QuerySet
from facade.orm.querysets.manager import BaseManager

M = TypeVar("M")
R = TypeVar("R")

MOST_VALUES: Final = 200
"""How many values a parameter may have at most, and how many words a search."""

_MANY = frozenset({"in", "range"})
_OF_TRUTH = frozenset({"isnull"})
_OF_TEXT = frozenset({
    "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "iexact", "regex", "iregex",
    "has_key",
})  # fmt: skip

_UNKNOWN = "{model}: {path!r} cannot be filtered by ({reason})."
_NO_LOOKUP = "{model}: {path!r} has no lookup {lookup!r}. Lookups: {known}."
_NO_TEXT = "{model}: {path!r} cannot be searched, since it is no text. Name a lookup, as in '{path}__exact'."
_NOT_ALLOWED = "{name!r} is no filter here. Filters: {known}."
_MANY_ROWS = "{model} cannot be ordered by {path!r}: an object has several of them."
_TAKEN = "{model}: ?{name}= is the {what} itself, and no filter: allow a lookup of {name!r} by another name, such as {name}__in."
_TWICE = "{name!r} is given {count} times, and takes one value."
_NO_PATTERN = "This is no regular expression."
_NO_MOMENT = "No calendar has this moment in the time zone of the service."
_TWO = "Two values are expected, from and to."
_NO_TYPE = (
    "{model}: nothing is known of the values of {path!r}, so that they cannot be read from a query. Lookups of texts, as iexact and "
    "icontains, take texts; isnull takes true and false."
)


class Filtering:
    """What may be asked of a list of `model`, by the parameters of a request.

        books = Filtering(Book, {"title": ["icontains"], "author": ["exact", "in"]}, search=["title"], ordering=["title"])

    ``fields``: paths, as in `filter()`, and the lookups of each that are allowed: ``{"price": ["gte", "lte"]}`` allows
    ``?price__gte=…``; "exact" is the name alone, and all that a list of paths allows; "date" and "year__gte" are allowed, too. "in" and "range" take their parameter several times.
    ``search``: texts that each word of ``?search=`` is looked for in, without regard to case; a path may end in a lookup.
    ``ordering``: paths that ``?ordering=`` takes, with "-" for descending; it may be given several times.

    Values have the types of the fields, and choices are those of the fields. A parameter that begins with one of the
    paths and is not allowed is refused, so that a misspelt filter is not taken for none; others are left alone.

    Raises ImproperlyConfigured for a path or a lookup that the model has not.
    """

    def __init__(
        self,
        model: type[Model],
        fields: Mapping[str, Iterable[str]] | Iterable[str] = (),
        *,
        search: Iterable[str] = (),
        ordering: Iterable[str] = (),
    ) -> None:
        self.model = model
        lookups = fields if isinstance(fields, Mapping) else dict.fromkeys(fields, ("exact",))
        self._conditions = {
            one.parameter.name: one
            for path, names in lookups.items()
            for one in _conditions(model, path, names)
        }
        self._search = tuple(_searched(model, path) for path in search)
        self._paths = frozenset(lookups)
        self._order = _order_parameter(model, tuple(ordering))
        for name, what in (("search", self._search), ("ordering", self._order)):
            if what and name in self._conditions:
                raise ImproperlyConfigured(_TAKEN.format(model=model._meta.label, name=name, what=name))
        self.parameters: Sequence[Parameter] = self._all_parameters()
        """One for each lookup that is allowed, and those of the search and the order."""

    def _all_parameters(self) -> list[Parameter]:
        found = [one.parameter for one in self._conditions.values()]
        if self._search:
            found.append(Parameter("search", str, None, "Words that all have to be found."))
        return found if self._order is None else [*found, self._order]

    def check_names(self, given: Iterable[str]) -> None:
        """Raise ParameterError for a parameter that looks like a filter and is not allowed."""
        for name in given:
            path = next((path for path in self._paths if name == path or name.startswith(f"{path}__")), None)
            if path is not None and name not in self._conditions:
                known = ", ".join(one for one in self._conditions if one.startswith(path))
                raise ParameterError(name, _NOT_ALLOWED.format(name=name, known=known), "filter")
        for one in self.parameters:
            if not one.many and (count := times_given(given, one.name)) > 1:
                raise ParameterError(one.name, _TWICE.format(name=one.name, count=count), "too_many")

    def bind(self, values: Mapping[str, Any]) -> Filters:
        """Return the filters of one request; raises ParameterError for a value that is not one of the field's."""
        conditions = [
            self._conditions[name].on(value)
            for name, value in values.items()
            if value is not None and name in self._conditions
        ]
        if self._search and values.get("search"):
            conditions += self._words(str(values["search"]))
        order = tuple(values.get("ordering") or ()) if self._order is not None else ()
        for term in order:
            check_limits(cast("Parameter", self._order), term)
        return Filters(self, tuple(conditions), order)

    def _words(self, text: str) -> Iterator[Condition]:
        words = text.split()
        if len(words) > MOST_VALUES:
            raise ParameterError("search", f"No more than {MOST_VALUES} words are looked for.", "too_many")
        many = any(is_many(self.model, path) for path in self._search)
        for word in words:
            found = Q()
            for path in self._search:
                found |= Q((path, word))
            yield Condition(found, many, "search", word if any(map(_is_pattern, self._search)) else "")


@dataclass(frozen=True)
class Condition:
    """What a request asks for by one parameter; `many`: several rows of a relation may meet it."""

    q: Q
    many: bool
    parameter: str
    pattern: str = ""
    """The regular expression among what is asked for."""


class Filters:
    """What one request asks for.

        Asked = Annotated[Filters, Depends(query(Filtering(Book, {"title": ["icontains"]})))]

        @app.get("/titles")
        async def list_titles(asked: Asked) -> list[str]:
            return [book.title async for book in asked.apply(Book.objects.order_by("title"))]

    ``conditions`` and ``ordering`` are what it says; `Filtering.bind` makes it, by way of the framework's `query`.
    """

    def __init__(
        self, filtering: Filtering, conditions: tuple[Condition, ...], ordering: tuple[str, ...]
    ) -> None:
        self.filtering, self.conditions, self.ordering = filtering, conditions, ordering

    def apply(self, queryset: QuerySet[M, R]) -> QuerySet[M, R]:
        """Return the queryset with the filters, the search and the order of the request; nothing is asked.

        A condition over a to-many relation is one on the objects: none comes twice. Raises ParameterError for a regular expression that
        is none, and for a value that the column cannot be compared with.
        """
        found: Any = queryset.all() if isinstance(queryset, BaseManager) else queryset
        for condition in self.conditions:
            try:
                q = condition.q
                if condition.pattern and connections[found.db].features.matches_patterns_in_python:
                    re.compile(condition.pattern)
                if condition.many:
                    keys = self.filtering.model._base_manager.using(found.db).filter(q).values("pk")
                    q = Q(pk__in=keys)
                found = found.filter(q)
            except (re.error, RecursionError) as error:
                raise ParameterError(condition.parameter, _NO_PATTERN, "regex") from error
            except (ValueError, TypeError, ArithmeticError, ValidationError) as error:
                raise ParameterError(condition.parameter, text_of(error)) from error
        if self.ordering:
            found = found.order_by(*self.ordering)._with(_asked_order=self.ordering)
        return cast("QuerySet[M, R]", found)


def asked_order(queryset: QuerySet[Any, Any]) -> tuple[str, ...]:
    """Return the order that a client has asked for, as long as the queryset is in it."""
    asked: tuple[str, ...] = vars(queryset).get("_asked_order", ())
    return asked if queryset._shape.query.order.order_by == asked else ()


@dataclass(frozen=True)
class _Allowed:
    """One lookup of a path that is allowed."""

    parameter: Parameter
    path: str
    many: bool
    field: Field[Any]

    def on(self, value: object) -> Condition:
        """Return the condition for a value, or several."""
        if self.parameter.many:
            values = list(cast("Iterable[object]", value))
            if len(values) > MOST_VALUES:
                raise ParameterError(
                    self.parameter.name, f"No more than {MOST_VALUES} values are taken.", "too_many"
                )
            if self.path.endswith("__range") and len(values) != 2:
                raise ParameterError(self.parameter.name, _TWO, "range")
            value = [self._checked(one) for one in values]
        else:
            value = self._checked(value)
        pattern = str(value) if _is_pattern(self.path) else ""
        return Condition(Q((self.path, value)), self.many, self.parameter.name, pattern)

    def _checked(self, value: object) -> object:
        check_limits(self.parameter, value)
        if isinstance(value, dt.time) and value.tzinfo is not None:
            raise ParameterError(self.parameter.name, TIME_WITH_ZONE)
        try:
            return moment(self.field, value)
        except OverflowError as error:
            raise ParameterError(self.parameter.name, _NO_MOMENT) from error


def _conditions(model: type[Model], path: str, lookups: Iterable[str]) -> Iterator[_Allowed]:
    field = _field_at(model, path)
    many = is_many(model, path)
    for lookup in [lookups] if isinstance(lookups, str) else lookups:
        head, _, tail = lookup.rpartition("__")
        if head or (field.get_lookup(lookup) is None and field.get_transform(lookup) is not None):
            further, name = (head, tail) if head else (lookup, "exact")
            yield from _conditions(model, f"{path}__{further}", [name])
            continue
        if field.get_lookup(lookup) is None:
            known = ", ".join(sorted(field.get_lookups()))
            raise ImproperlyConfigured(
                _NO_LOOKUP.format(model=model._meta.label, path=path, lookup=lookup, known=known)
            )
        name = path if lookup == "exact" else f"{path}__{lookup}"
        kind, choices = _values(model, path, field, lookup)
        about = "" if lookup == "exact" else f"{path} {lookup}"
        parameter = Parameter(name, kind, None, about, many=lookup in _MANY, choices=choices)
        yield _Allowed(parameter, f"{path}__{lookup}", many, field)


def _is_pattern(path: str) -> bool:
    return path.endswith(("__regex", "__iregex"))


def _values(model: type[Model], path: str, field: Field[Any], lookup: str) -> tuple[type, tuple[Any, ...]]:
    if lookup in _OF_TRUTH:
        return bool, ()
    if lookup in _OF_TEXT:
        return str, ()
    found = values_of(field)
    if found.kind is Any or not isinstance(found.kind, type):  # Any is a class, too
        raise ImproperlyConfigured(_NO_TYPE.format(model=model._meta.label, path=path))
    return found.kind, found.literals


def _order_parameter(model: type[Model], paths: tuple[str, ...]) -> Parameter | None:
    for path in paths:
        _field_at(model, path)
        if is_many(model, path):
            raise ImproperlyConfigured(_MANY_ROWS.format(model=model._meta.label, path=path))
    choices = tuple(f"{sign}{path}" for path in paths for sign in ("", "-"))
    about = 'What the list is ordered by; "-" is descending.'
    return Parameter("ordering", str, None, about, many=True, choices=choices) if paths else None


def _searched(model: type[Model], path: str) -> str:
    try:
        field = _field_at(model, path)
    except ImproperlyConfigured:
        path, _, lookup = path.rpartition("__")
        if not path or _field_at(model, path).get_lookup(lookup) is None:
            raise
        return f"{path}__{lookup}"
    if values_of(field).kind is not str:
        raise ImproperlyConfigured(_NO_TEXT.format(model=model._meta.label, path=path))
    return f"{path}__icontains"


def _field_at(model: type[Model], path: str) -> Field[Any]:
    """Return the field at the end of a path: of a relation that of its key, of a transform that of its values."""
    try:
        field = model._base_manager.values_list(path)._shape.query.output_field
    except (FieldError, FieldDoesNotExist) as error:
        raise ImproperlyConfigured(
            _UNKNOWN.format(model=model._meta.label, path=path, reason=error)
        ) from error
    return cast("Field[Any]", field)


def is_many(model: type[Model], path: str) -> bool:
    """Tell whether a path goes over a relation to many rows."""
    opts = model._meta
    for name in path.split("__"):
        try:
            field: Any = opts.get_field(name)
        except FieldDoesNotExist:
            return False
        if not field.is_relation:
            return False
        if field.many_to_many or field.one_to_many:
            return True
        opts = field.related_model._meta
    return False
