"""What a view reads: the rows of lists and of relations, searched, filtered and ordered."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette_admin.fields import BaseField, RelationField
from starlette_admin.types import RequestAction
from starlette_admin.views import BaseModelView

from facade import models
from facade.bridge import run
from facade.contrib.admin import fields
from facade.contrib.admin.converters import converted, default_names, key_of_view
from facade.contrib.admin.filters import Filters, condition
from facade.contrib.admin.keys import has_key, key_text, read_key
from facade.contrib.service.filtering import is_many
from facade.db.routing import router
from facade.exceptions import ImproperlyConfigured, ValidationError
from facade.foundation.texts import capfirst
from facade.models import FETCH_PEERS, Model, Q

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette_admin.filters import FilterGroup, FilterRegistry

    from facade.models import QuerySet

__all__ = ["Rows"]

READING = frozenset({"GET", "HEAD", "OPTIONS"})
# What pages show of an object's relations; the rest of the requests need the object only.
SHOWING = frozenset(
    {
        RequestAction.LIST,
        RequestAction.DETAIL,
        RequestAction.EXPORT,
        RequestAction.EDIT,
        RequestAction.INLINE_EDIT,
    }
)
FARTHEST = 2**62
"""The last row that a page may begin at: databases count no farther."""


class Rows(BaseModelView):
    """The part of a view that reads and shows rows."""

    model: Any = None
    """The model, where it is not the first argument."""
    read_only: bool = False
    """Whether the rows can only be looked at."""
    search_fields: Sequence[str] | None = None
    """Where the search looks, as paths of lookups: ``["title", "author__name"]``. By default in the texts and whole numbers that the list shows."""
    select_related: Sequence[str] = ()
    """Foreign keys to read along with each page, for what `__str__` and getters look at; those that are columns are read anyway."""
    prefetch_related: Sequence[str] = ()
    """Other relations to read along with each page."""

    pk_attr = "pk"
    importers: Sequence[Any] = ()
    create_template = "facade/create.html"
    edit_template = "facade/edit.html"

    def __init__(self, model: type[Model] | None = None, **options: object) -> None:
        self._take(options)
        self.model = model or self.model
        opts = _options_of(self, self.model)
        self.key = self.key or key_of_view(self.model)
        self.menu_label = self.menu_label or capfirst(opts.verbose_name_plural)
        self.display_name = self.display_name or capfirst(opts.verbose_name)
        named = self.fields or default_names(self.model)
        self.fields = [converted(self.model, one) if isinstance(one, str) else one for one in named]
        self._columns = {one.name: one for one in (*opts.concrete_fields, *opts.many_to_many)}
        self._named: dict[str, BaseField] = {one.name: one for one in self.fields}
        for one in self.fields:
            one.getter = one.getter and _in_worker(one.getter)
        own = [one.name for one in self.fields if one.name in self._columns]
        if self.searchable_fields is None:
            self.searchable_fields = own
        if self.sortable_fields is None:
            unordered = (fields.ToMany, fields.Json, fields.File)
            self.sortable_fields = [name for name in own if not isinstance(self._named[name], unordered)]
        super().__init__()

    def _take(self, options: dict[str, object]) -> None:
        known = {
            name
            for name in dir(type(self))
            if not name.startswith("_") and not callable(getattr(type(self), name))
        }
        for name, value in options.items():
            if name not in known:
                close = get_close_matches(name, known, 1)
                raise TypeError(
                    f"{type(self).__name__}() has no option {name!r}."
                    + (f" Did you mean {close[0]!r}?" if close else "")
                )
            setattr(self, name, value)

    # -- what others ask of the view ------------------------------------------------------------------

    def write_alias(self) -> str:
        """Return the alias of the database that rows are written to."""
        return str(router.db_for_write(self.model))

    def is_writable(self) -> bool:
        """Return whether rows can be written at all: not if the view says so, the table has no key, or is a view of the database."""
        return (
            not self.read_only and has_key(self.model) and not self.model._meta.concrete_model._meta.read_only
        )

    def model_field(self, name: str) -> Any:
        """Return the model's field of that name, None for what is no field of the model."""
        return self._columns.get(name)

    def has_relation(self, request: Request, name: str) -> bool:
        """Return whether a form has a relation of that name for the user."""
        forms = (RequestAction.CREATE, RequestAction.EDIT)
        one = self._named.get(name)
        return isinstance(one, RelationField) and any(
            self.can_access_field(request, one, form) for form in forms
        )

    def read_value(self, name: str, value: object) -> object:
        """Return a value of a URL as the model's field holds it. Raises `ValidationError`."""
        column, one = self._columns[name], self._named[name]
        if isinstance(one, RelationField):
            key = read_key(column.related_model, value)
            if key is None:
                raise ValidationError(f"{str(value)!r} is no key of {column.related_model._meta.label}.")
            return key
        return column.to_python(one.read(value) if isinstance(one, fields.AsSent) else value)

    # -- permissions; override them, and call super() ---------------------------------------------------

    def can_view_detail(self, request: Request) -> bool:
        """Return whether the user may look at a row's page."""
        return has_key(self.model)

    def can_create(self, request: Request) -> bool:
        """Return whether the user may create rows."""
        return self.is_writable()

    def can_edit(self, request: Request) -> bool:
        """Return whether the user may change rows."""
        return self.is_writable()

    def can_delete(self, request: Request) -> bool:
        """Return whether the user may delete rows."""
        return self.is_writable()

    def can_import(self, request: Request) -> bool:
        """Return False: rows are not imported."""
        return False

    async def is_action_allowed(self, request: Request, name: str) -> bool:
        """Return whether the user may run an action: without writing, only the export."""
        writes = name != "export"
        return not (writes and not self.is_writable()) and await super().is_action_allowed(request, name)

    async def is_row_action_allowed(self, request: Request, name: str) -> bool:
        """Return whether the user may run an action on one row: without writing, only the look at it."""
        writes = name != "view"
        return not (writes and not self.is_writable()) and await super().is_row_action_allowed(request, name)

    # -- reading ----------------------------------------------------------------------------------------

    def get_queryset(self, request: Request) -> QuerySet[Any]:
        """Return the rows that the user may see; override it to leave some out."""
        return self.model._default_manager.all()  # type: ignore[no-any-return]

    def get_filter_registry(self) -> FilterRegistry:
        """Return which filters there are for which fields."""
        return Filters()

    def rows(self, request: Request) -> QuerySet[Any]:
        """Return `get_queryset` on the database that the request has to read."""
        found = self.get_queryset(request).fetch_mode(FETCH_PEERS)
        return found if request.method in READING else found.using(self.write_alias())

    def _with_relations(self, request: Request, rows: QuerySet[Any]) -> QuerySet[Any]:
        single, many = list(self.select_related), list(self.prefetch_related)
        action = request.state.action
        for one in self.get_fields_list(request) if action in SHOWING else ():
            if isinstance(one, fields.ToOne) and not (one.key_attribute and action.is_form()):
                single.append(one.name)
            elif isinstance(one, fields.ToMany):
                many.append(one.name)
        if single:
            rows = rows.select_related(*single)
        return rows.prefetch_related(*many) if many else rows

    def _matching(self, request: Request, q: str | None, filters: FilterGroup | None) -> QuerySet[Any]:
        rows = self.rows(request)
        try:
            if q:
                rows = self.search(request, rows, q)
            if filters is not None and not filters.is_empty():
                wanted = condition(filters, self, self._named, request)
                rows = rows if wanted is None else rows.filter(wanted)
        except (ValidationError, ValueError) as error:
            raise HTTPException(400, f"This cannot be looked for: {error}") from error
        return rows

    def search(self, request: Request, rows: QuerySet[Any], term: str) -> QuerySet[Any]:
        """Return the rows that have each word of `term` in one of `search_fields`."""
        if self.search_fields is None:
            shown = {one.name for one in self.get_fields_list(request) if one.searchable}
            columns = [column for name, column in self._columns.items() if name in shown]
            texts = [one.name for one in columns if isinstance(one, _TEXTS)]
            numbers = [one.name for one in columns if isinstance(one, _NUMBERS)]
        else:
            texts, numbers = list(self.search_fields), []
        wanted = []
        for word in term.split():
            places = [Q((f"{path}__icontains", word)) for path in texts]
            if word.isdecimal() and word.isascii():
                places += [Q((name, word)) for name in numbers]
            if not places:
                return rows.none()
            wanted.append(reduce(or_, places))
        if not wanted:
            return rows
        found = rows.filter(reduce(and_, wanted))
        return found.distinct() if any(is_many(self.model, path) for path in texts) else found

    def _ordered(self, rows: QuerySet[Any], sorts: Sequence[tuple[str, str]]) -> QuerySet[Any]:
        opts = self.model._meta
        keyed = has_key(self.model)
        names = [f"-{name}" if direction == "desc" else name for name, direction in sorts if name != "pk"]
        order = names or list(opts.ordering)
        if keyed:
            return rows.order_by(*order, "-pk" if ("pk", "desc") in sorts else "pk")
        return rows.order_by(*(order or [opts.concrete_fields[0].name]))

    async def find_all(
        self,
        request: Request,
        skip: int = 0,
        limit: int = 100,
        q: str | None = None,
        sorts: Sequence[tuple[str, str]] | None = None,
        filters: FilterGroup | None = None,
    ) -> Sequence[Any]:
        """Return the rows of a page: one query, and one for each to-many relation that is a column."""
        if skip > FARTHEST:
            return []
        rows = self._ordered(self._matching(request, q, filters), sorts or ())
        rows = self._with_relations(request, rows)
        return list(await (rows[skip : skip + limit] if limit > 0 else rows[skip:] if skip else rows))

    async def count(self, request: Request, q: str | None = None, filters: FilterGroup | None = None) -> int:
        """Return how many rows there are."""
        return int(await self._matching(request, q, filters).acount())

    async def find_by_pk(self, request: Request, pk: object) -> Any:
        """Return the row with this key, None if there is none or the user may not see it."""
        key = read_key(self.model, pk)
        if key is None:
            return None
        return await self._with_relations(request, self.rows(request)).filter(pk=key).afirst()

    async def find_by_pks(self, request: Request, pks: list[Any]) -> Sequence[Any]:
        """Return the rows with these keys that the user may see, in the order of the list."""
        keys = [key for key in (read_key(self.model, pk) for pk in pks) if key is not None]
        if not keys:
            return []
        rows = self._ordered(self.rows(request).filter(pk__in=keys), ())
        return list(await self._with_relations(request, rows))

    def view_of(self, name: str) -> Rows:
        """Return the view of the rows that a relation leads to."""
        return self._find_foreign_view(self._named[name].key)  # type: ignore[attr-defined, return-value]

    def choices(self, request: Request, name: str) -> QuerySet[Any]:
        """Return the rows that may stand in a relation: those that the user may see in their view, within `limit_choices_to`."""
        rows = self.view_of(name).rows(request)
        column = self._columns.get(name)
        limits = column.get_limit_choices_to() if column is not None else None
        return rows.complex_filter(limits) if limits else rows

    async def related(self, request: Request, name: str, keys: list[str]) -> list[Model]:
        """Return the rows with these keys that may stand in a relation."""
        model = self.view_of(name).model
        wanted = [key for key in (read_key(model, text) for text in keys) if key is not None]
        return list(await self.choices(request, name).filter(pk__in=wanted)) if wanted else []

    async def found_choices(
        self, request: Request, name: str, term: str, skip: int, limit: int
    ) -> tuple[list[Model], int]:
        """Return some of the rows that may stand in a relation and contain the words of `term`, and their number."""
        view = self.view_of(name)
        try:
            rows = view.search(request, self.choices(request, name), term)
        except ValueError as error:
            raise HTTPException(400, f"This cannot be looked for: {error}") from error
        return list(await view._ordered(rows, ())[skip : skip + limit]), int(await rows.acount())

    # -- showing ----------------------------------------------------------------------------------------

    async def get_pk_value(self, request: Request, obj: Model) -> str:
        """Return the text that stands for an object's key."""
        return key_text(obj)

    async def repr(self, obj: Model, request: Request) -> str:
        """Return what an object is called: its `__str__`, which may read relations."""
        if hasattr(obj, "__admin_repr__"):
            return await super().repr(obj, request)
        return await run(str, obj)

    async def select2_result(self, obj: Model, request: Request) -> str:
        """Return the HTML of an object among others to choose from."""
        if hasattr(obj, "__admin_select2_repr__"):
            return await super().select2_result(obj, request)
        return str(Markup("<span>{}</span>").format(await self.repr(obj, request)))


_TEXTS = (models.CharField, models.TextField)
_NUMBERS = (models.IntegerField, models.AutoField)


def _options_of(view: Rows, model: object) -> Any:
    if not isinstance(model, type) or not issubclass(model, Model):
        raise ImproperlyConfigured(
            f"{type(view).__name__} needs a model: {type(view).__name__}(Book), or model = Book in its class."
        )
    if not model._meta.is_reflected:
        raise ImproperlyConfigured(
            f"The table of {model._meta.label} is not known yet: call reflect() first."
        )
    return model._meta


def _in_worker(getter: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Let a getter use relations, which then are read once for the page."""

    async def read(request: Request, obj: Model) -> object:
        if inspect.iscoroutinefunction(getter):
            return await getter(request, obj)
        found = await run(getter, request, obj)
        return await found if inspect.isawaitable(found) else found

    return read
