"""Classes of endpoints around one queryset; each framework makes routes of them."""

from __future__ import annotations

import builtins
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, cast

from facade.contrib.schemas.storing import stored
from facade.contrib.schemas.values import values_of
from facade.contrib.service.errors import ParameterError, text_of
from facade.contrib.service.etags import Preconditions, etag
from facade.contrib.service.evaluation import prepared
from facade.contrib.service.filtering import Filtering, Filters
from facade.contrib.service.pagination.numbered import Paginating
from facade.contrib.service.parameters import Queried
from facade.contrib.service.serialization import as_json, given_values, reader_of, represented
from facade.db.connection import connections
from facade.exceptions import ImproperlyConfigured, ValidationError
from facade.models import Model, QuerySet, aprefetch_related_objects
from facade.orm.querysets.manager import BaseManager

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=Model)
Given: TypeAlias = Any
"""What a client has given: the schema that the class of the user's names, which no base class knows."""

_NO_QUERYSET = "{view} has no queryset: say queryset = Model.objects… in the class, or write get_queryset()."
_NO_SCHEMA = "{view} has no schema: say schema = … in the class, or write {action}()."


@dataclass(frozen=True)
class Route:
    """What leads to one method of a view set: `path` is the part behind the place of the view set, "" or "/{pk}" or more."""

    name: str
    methods: tuple[str, ...]
    path: str
    status: int
    detail: bool


STANDARD: Final = (
    Route("list", ("GET",), "", 200, detail=False),
    Route("create", ("POST",), "", 201, detail=False),
    Route("retrieve", ("GET",), "/{pk}", 200, detail=True),
    Route("update", ("PUT",), "/{pk}", 200, detail=True),
    Route("partial_update", ("PATCH",), "/{pk}", 200, detail=True),
    Route("destroy", ("DELETE",), "/{pk}", 204, detail=True),
)
"""The methods that have a route wherever a class has them."""

_CONDITIONAL: Final = frozenset({"retrieve", "update", "partial_update", "destroy"})
_ROUTE = "__facade_route__"


def action(*methods: str, detail: bool, path: str | None = None, status: int = 200) -> Callable[[F], F]:
    """Give a method of a view set a route of its own, below that of the list, or with ``detail`` that of an object.

        @action("POST", detail=True)
        async def publish(self, pk: int): ...

    This is POST /books/7/publish. ``path``: the last part of the address, where it is not the method's name.
    """

    def routed(function: F) -> F:
        place = f"{'/{pk}' if detail else ''}/{path or function.__name__.replace('_', '-')}"
        setattr(function, _ROUTE, Route(function.__name__, methods or ("GET",), place, status, detail))
        return function

    return routed


class SharedQuerySet:
    """The queryset of a class: each time that it is asked for a new one, so that no request sees what another one has loaded."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self._queryset = queryset

    def __get__(self, view: object, owner: type) -> QuerySet[Any, Any]:
        return self._queryset.all()


class ViewSet:
    """Endpoints around one queryset: methods called list, create, retrieve, update, partial_update and destroy have routes.

        class BookViews(ViewSet):
            queryset = Book.objects.select_related("author")

            async def list(self):
                return [{"title": book.title} async for book in await self.get_queryset()]

            async def retrieve(self, pk: int):
                return {"title": (await self.get_object(pk)).title}

    Each request has an instance of its own: `request`, `action` (the name of the method) and `headers`, which the answer gets. The queryset of
    the class may be used as it is: whoever asks for it has a new one. Methods may be `def`, too, and run in threads
    then. `viewset_routes` or `viewset_router` of the framework makes routes of the class.
    """

    queryset: Any = None
    lookup_field: ClassVar[str] = "pk"
    """By which field `get_object` finds an object."""

    def __init__(self, request: object = None, action: str = "") -> None:
        self.request: Any = request
        self.action = action
        self.headers: dict[str, str] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        queryset = vars(cls).get("queryset")
        if isinstance(queryset, QuerySet | BaseManager):
            cls.queryset = SharedQuerySet(cast("QuerySet[Any, Any]", queryset))

    @classmethod
    def routes(cls) -> Iterator[Route]:
        """Yield what leads to the methods of the class."""
        for route in STANDARD:
            if cls._serves(route):
                yield route
        for name in dir(cls):
            if (own := getattr(getattr(cls, name, None), _ROUTE, None)) is not None:
                yield own

    @classmethod
    def _serves(cls, route: Route) -> bool:
        return hasattr(cls, route.name)

    @classmethod
    def lookup_type(cls) -> type[Any]:
        """Return the Python type of what `get_object` finds an object by."""
        found = values_of(cls.model_of()._meta.get_field(cls._lookup_name())).kind
        return found if isinstance(found, type) and found is not Any else str

    @classmethod
    def _lookup_name(cls) -> str:
        return cls.model_of()._meta.pk.name if cls.lookup_field == "pk" else cls.lookup_field

    @classmethod
    def model_of(cls) -> type[Model]:
        """Return the model of the queryset; raises ImproperlyConfigured where there is none."""
        if cls.queryset is None:
            raise ImproperlyConfigured(_NO_QUERYSET.format(view=cls.__name__))
        return cls.queryset.model  # type: ignore[no-any-return] # a queryset has a model

    async def get_queryset(self) -> QuerySet[Any, Any]:
        """Return what this request may see: a queryset that has asked nothing yet. May be a `def` in a subclass."""
        self.model_of()
        return cast("QuerySet[Any, Any]", self.queryset)

    async def rows(self) -> QuerySet[Any, Any]:
        """Return `get_queryset()`, whose objects fetch nothing later unless it says that they may."""
        found: object = self.get_queryset()
        if inspect.iscoroutine(found):  # a queryset, which can be awaited as well, is taken as it is
            found = await found
        return cast("QuerySet[Any, Any]", prepared(found))

    async def get_object(self, pk: object) -> Any:
        """Return the object of a request, with what the queryset loads with it; raises DoesNotExist, which is a 404."""
        return await self._at(await self.rows(), pk).aget()

    def _at(self, rows: QuerySet[Any, Any], pk: object) -> QuerySet[Any, Any]:
        """Return the one row that a request means; ParameterError for a value that no row can have."""
        try:
            return rows.filter(**{self.lookup_field: pk})
        except (ValueError, TypeError, ArithmeticError, ValidationError) as error:
            raise ParameterError("pk", text_of(error), where="path") from error


class ModelViewSet(ViewSet):
    """A view set with all methods: lists, reads, makes, changes and deletes the objects of its queryset.

        class BookViews(ModelViewSet):
            queryset = Book.objects.select_related("author")
            schema = BookOut
            create_schema = update_schema = BookIn
            partial_update_schema = BookPatch
            filtering = Filtering(Book, {"title": ["icontains"]}, ordering=["title"])
            pagination = PageNumberPagination()

    ``schema``: what is told of an object; ``create_schema``, ``update_schema`` and ``partial_update_schema``: what is given;
    a method whose schema is missing has no route. Schemas are those of `facade.contrib.pydantic` or `.msgspec`, or any
    models and Structs; an object is checked by `full_clean()` before it is saved. `perform_create`, `perform_update` and
    `perform_destroy` are there to be overridden. ``etags``: answers for one object have an ETag, and conditions on it are
    heeded: 304, 412; ``require_match``: who changes has to send If-Match (428).
    """

    schema: ClassVar[type[Any] | None] = None
    create_schema: ClassVar[type[Any] | None] = None
    update_schema: ClassVar[type[Any] | None] = None
    partial_update_schema: ClassVar[type[Any] | None] = None
    filtering: ClassVar[Filtering | None] = None
    pagination: ClassVar[Queried[Any] | None] = None
    etags: ClassVar[bool] = False
    require_match: ClassVar[bool] = False

    @classmethod
    def _serves(cls, route: Route) -> bool:
        return cls.given_schema(route.name) is not None or route.name in ("list", "retrieve", "destroy")

    @classmethod
    def condition_headers(cls, action: str) -> tuple[str, ...]:
        """Return the headers by which a client says of an action's object which state it has seen."""
        if not cls.etags or action not in _CONDITIONAL:
            return ()
        return ("If-Match", "If-None-Match")

    @classmethod
    def given_schema(cls, action: str) -> type[Any] | None:
        """Return the schema of what an action is given."""
        return cast("type[Any] | None", getattr(cls, f"{action}_schema", None))

    async def list(self, filters: Filters | None = None, page: Paginating | None = None) -> Any:
        """Return the objects, or a page of them."""
        rows = await self.rows()
        if filters is not None:
            rows = filters.apply(rows)
        return self.represent(await rows if page is None else await page.apage(rows))

    async def retrieve(self, pk: object) -> Any:
        """Return an object."""
        return self._answer(await self.get_object(pk), check=True)

    async def create(self, data: object) -> Any:
        """Make an object of what is given, and return it."""
        return self._answer(await self._read_again(await self.perform_create(data)))

    async def update(self, pk: object, data: object) -> Any:
        """Give an object all values, and return it."""
        return await self._change(pk, data)

    async def partial_update(self, pk: object, data: object) -> Any:
        """Give an object some values, and return it."""
        return await self._change(pk, data)

    async def destroy(self, pk: object) -> None:
        """Delete an object."""
        await self.perform_destroy(await self._locked(pk))

    async def perform_create(self, data: Given) -> Model:
        """Save and return a new object."""
        if hasattr(data, "acreate"):
            return cast("Model", await data.acreate())
        model = self.model_of()
        return await _save(model(), _by_column(model, given_values(data)), self.queryset.db)

    async def perform_update(self, instance: M, data: Given) -> M:
        """Save what is given in an object, and return it."""
        if hasattr(data, "aupdate"):
            return cast("M", await data.aupdate(instance))
        values = _by_column(type(instance), given_values(data))
        return await _save(instance, _without_key(instance, values), None)

    async def perform_destroy(self, instance: Model) -> None:
        """Delete an object."""
        await instance.adelete()

    def tag_of(self, instance: Model) -> str:
        """Return the ETag of an object: of its columns, and of all that is told of it, related objects included."""
        return etag(instance, as_json(self.represent(instance)))

    def represent(self, answer: object) -> Any:
        """Return what is told of an object, of a list or of a page of them."""
        if self.schema is None:
            raise ImproperlyConfigured(
                _NO_SCHEMA.format(view=type(self).__name__, action=self.action or "list")
            )
        return represented(answer, reader_of(self.schema))

    async def _change(self, pk: object, data: object) -> Any:
        instance = await self.perform_update(await self._locked(pk), data)
        return self._answer(await self._read_again(instance))

    async def _locked(self, pk: object) -> Any:
        """Return the object that is going to be changed, when nobody else can change it, and the client has seen what it is."""
        rows = await self.rows()
        database = connections[rows.db]
        if database.in_atomic_block and database.features.has_select_for_update:
            lock = self.model_of()._base_manager.using(rows.db).select_for_update()
            await self._at(lock, pk).values_list("pk")
        instance = await self._at(rows.defer(None), pk).aget()  # with all columns: checks compare them
        if self.etags:
            self._conditions().check(self.tag_of(instance), required=self.require_match)
        return instance

    async def _read_again(self, instance: Model) -> Any:
        """Return the object as the queryset loads it; where it is not among those, with what the schema shows of its relations."""
        found = await (await self.rows()).filter(pk=instance.pk).afirst()
        relations: Callable[[type[Model]], Iterable[str]] | None = getattr(self.schema, "_relations", None)
        if found is None and relations is not None:
            await aprefetch_related_objects([instance], *relations(type(instance)))
        return found or instance

    def _answer(self, instance: Model, *, check: bool = False) -> Any:
        if self.etags:
            tag = self.tag_of(instance)
            if check:
                self._conditions().check(tag)
            self.headers["ETag"] = tag
        return self.represent(instance)

    def _conditions(self) -> Preconditions:
        return Preconditions.of(self.request.method, self.request.headers)


class ReadOnlyViewSet(ModelViewSet):
    """A view set that lists and reads.

        class BookViews(ReadOnlyViewSet):
            queryset = Book.objects.select_related("author")
            schema = BookOut
            pagination = PageNumberPagination()

    Its attributes are those of `ModelViewSet`.
    """

    @classmethod
    def _serves(cls, route: Route) -> bool:
        return route.name in ("list", "retrieve")


def _by_column(model: type[Model], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by attributes that take them: the key of a related object by that of the column."""
    columns = {column.name: column.attname for column in model._meta.concrete_fields if column.is_relation}
    return {
        columns.get(name, name) if not isinstance(value, Model) else name: value
        for name, value in values.items()
    }


def _without_key(instance: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values without the primary key; ValidationError for another key than that of the object."""
    keys = {"pk", *(key.attname for key in instance._meta.pk_fields)}
    for name in keys & values.keys():
        if values[name] != getattr(instance, name):
            raise ValidationError({name: [ValidationError("The key of a row does not change.", code="key")]})
    return {name: value for name, value in values.items() if name not in keys}


def _set(instance: Model, values: Mapping[str, Any]) -> None:
    """Set what a client has given; ValidationError for what the columns cannot hold, or compute themselves."""
    columns = {
        attribute: column for column in instance._meta.fields for attribute in (column.name, column.attname)
    }
    errors: dict[str, builtins.list[ValidationError]] = {}
    for name, value in values.items():
        try:
            is_column = name in columns and not isinstance(value, Model)
            setattr(instance, name, stored(columns[name], value) if is_column else value)
        except ValidationError as error:
            errors[name] = [error]
    if errors:
        raise ValidationError(errors)


async def _save(instance: M, values: Mapping[str, Any], using: str | None) -> M:
    _set(instance, values)
    await instance.afull_clean()
    if instance._state.adding:
        await instance.asave(using=using, force_insert=True)
    else:
        await instance.asave(update_fields=builtins.list(values))
    return instance
