"""Managers: the way from a model to its querysets."""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload

from facade.db.routing import router
from facade.db.scopes.binding import Using, alias_of
from facade.orm.querysets.queryset import QuerySet, manager_class

if TYPE_CHECKING:
    from facade.orm.instances.model import Model

M = TypeVar("M", bound="Model")
Q = TypeVar("Q", covariant=True)
S = TypeVar("S")


# A count on the class would make Python forget, each time, what it knows of all manager classes.
_created = itertools.count()


class BaseManager:
    """What every manager has; `from_queryset` adds a queryset class's methods."""

    creation_counter = 0
    auto_created = False
    use_in_migrations = False
    _built_with_asmanager = False
    _shared: Any = None
    _queryset_class: ClassVar[type[Any]]

    model: Any
    name: str | None
    _db: str | None
    _hints: dict[str, Any]
    _constructor_args: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        obj = super().__new__(cls)
        obj._constructor_args = (args, kwargs)
        return obj

    def __init__(self) -> None:
        self.creation_counter = next(_created)
        self.model = None
        self.name = None
        self._db = None
        self._hints = {}

    def __str__(self) -> str:
        return f"{self.model._meta.label}.{self.name}"

    def __class_getitem__(cls, *args: Any, **kwargs: Any) -> Any:
        return cls

    def deconstruct(self) -> tuple[Any, ...]:
        """Return (as_manager, manager path, queryset path, args, kwargs) from which an equal manager can be made."""
        queryset_class = self._queryset_class
        if self._built_with_asmanager:
            return True, None, f"{queryset_class.__module__}.{queryset_class.__name__}", None, None
        module, name = self.__class__.__module__, self.__class__.__name__
        if not hasattr(import_module(module), name):
            raise ValueError(
                f"Could not find manager {name} in {module}.\nPlease note that you need to inherit from managers you "
                "dynamically generated with 'from_queryset()'."
            )
        args, kwargs = self._constructor_args
        return False, f"{module}.{name}", None, args, kwargs

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    @classmethod
    def _get_queryset_methods(cls, queryset_class: type[Any]) -> dict[str, Any]:
        """Return a method for each public method of the queryset class that the manager has not got."""
        methods: dict[str, Any] = {}
        for name, method in inspect.getmembers(queryset_class, predicate=_is_method):
            if hasattr(cls, name):
                continue
            only = getattr(method, "queryset_only", None)
            if only or (only is None and name.startswith("_")):
                continue
            methods[name] = _forwarder(name, method)
        return methods

    @classmethod
    def from_queryset(
        cls, queryset_class: type[S], class_name: str | None = None
    ) -> type[QuerySetManager[S]]:
        """Return a manager class whose methods are those of `queryset_class`, beside its own.

        >>> from facade.models import QuerySet
        >>> class Adults(QuerySet):
        ...     def adults(self):
        ...         return self.filter(age__gte=18)
        >>> manager = Manager.from_queryset(Adults)()
        >>> hasattr(manager, "adults")
        True
        """
        name = class_name or f"{cls.__name__}From{queryset_class.__name__}"
        return type(
            name, (cls,), {"_queryset_class": queryset_class, **cls._get_queryset_methods(queryset_class)}
        )

    def contribute_to_class(self, cls: type[Any], name: str) -> None:
        self.name = self.name or name
        self.model = cls
        setattr(cls, name, ManagerDescriptor(self))
        cls._meta.add_manager(self)

    def db_manager(self, using: Using | None = None, hints: dict[str, Any] | None = None) -> Any:
        """Return a copy whose querysets run on another database: `Author.objects.db_manager("other").create(…)`."""
        manager = copy.copy(self)
        manager._db = alias_of(using) or self._db
        manager._hints = hints or self._hints
        manager._shared = None
        return manager

    @property
    def db(self) -> str:
        """The alias this manager's querysets run on."""
        return self._db or router.db_for_read(self.model, **self._hints)

    def get_queryset(self) -> Any:
        """Return a new queryset; override it to change what the manager shows.

        >>> class Adults(Manager):
        ...     def get_queryset(self):
        ...         return super().get_queryset().filter(age__gte=18)
        """
        return self._queryset_class(model=self.model, using=self._db, hints=self._hints)

    def _share(self) -> Any:
        """Return the queryset that reading methods start from; it is kept where get_queryset() is not overridden."""
        queryset = self.get_queryset()
        if type(self).get_queryset is BaseManager.get_queryset:
            self._shared = queryset
        return queryset

    def all(self) -> Any:
        """Return a queryset of everything the manager shows."""
        return self.get_queryset()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, self.__class__)
            and self.__class__ is other.__class__
            and self._constructor_args == other._constructor_args
        )

    def __hash__(self) -> int:
        return id(self)


def _is_method(item: object) -> bool:
    return inspect.isfunction(item)


# Methods that leave the queryset they are called on as it is: one queryset can serve all calls of the manager.
READING = frozenset(
    {
        "aggregate",
        "alias",
        "annotate",
        "count",
        "defer",
        "distinct",
        "exclude",
        "exists",
        "filter",
        "first",
        "get",
        "get_or_none",
        "in_bulk",
        "last",
        "none",
        "only",
        "order_by",
        "prefetch_related",
        "select_related",
        "using",
        "values",
        "values_list",
    }
)

# Methods that note on the queryset that it was written to: each call gets a copy.
WRITING = frozenset(
    {"bulk_create", "bulk_insert", "bulk_update", "create", "get_or_create", "update", "update_or_create"}
)


def _forwarder(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a manager's method that calls the queryset's."""

    def forward(self: BaseManager, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.get_queryset(), name)(*args, **kwargs)

    def read(self: BaseManager, *args: Any, **kwargs: Any) -> Any:
        queryset = self._shared
        if queryset is None or not queryset._shape.current:
            queryset = self._share()
        return getattr(queryset, name)(*args, **kwargs)

    def write(self: BaseManager, *args: Any, **kwargs: Any) -> Any:
        queryset = self._shared
        if queryset is None or not queryset._shape.current:
            queryset = self._share()
        return getattr(queryset._clone(), name)(*args, **kwargs)

    bare = name[1:] if name[0] == "a" and name[1:] in READING | WRITING else name
    made = read if bare in READING else write if bare in WRITING else forward
    functools.update_wrapper(made, method)
    made.__signature__ = _bare_signature(method)  # type: ignore[attr-defined]
    return made


def _bare_signature(method: Callable[..., Any]) -> inspect.Signature:
    """Return the signature without annotations: at run time they are names that only type checkers can look up."""
    signature = inspect.signature(method)
    bare = [item.replace(annotation=item.empty) for item in signature.parameters.values()]
    return signature.replace(parameters=bare, return_annotation=signature.empty)


if TYPE_CHECKING:

    class DefaultManager:
        """`Model.objects` for type checkers: a manager, of which an instance has none; any other may take its place."""

        @overload
        def __get__(self, instance: None, owner: type[M]) -> Manager[M]: ...
        @overload
        def __get__(self, instance: object, owner: type[object] | None = None) -> object: ...
        def __get__(self, instance: object, owner: object = None) -> object: ...

    class QuerySetManager(BaseManager, Generic[Q]):
        """What `as_manager` and `from_queryset` make, for type checkers: the model has the queryset's methods."""

        @overload
        def __get__(self, instance: None, owner: type[object] | None) -> Q: ...
        @overload
        def __get__(self, instance: object, owner: type[object] | None = None) -> object: ...
        def __get__(self, instance: object, owner: object = None) -> object: ...

    class Manager(QuerySet[M, M], BaseManager, Generic[M]):
        """The default manager."""

        # As an annotation, `books: models.Manager[Book]`, it tells of the objects at the other end of a relation.
        @overload
        def __get__(self, instance: None, owner: type[object] | None) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type[object] | None = None) -> Self: ...
        def __get__(self, instance: object, owner: type[object] | None = None) -> Self: ...

        def all(self) -> QuerySet[M]: ...  # type: ignore[override]
        def get_queryset(self) -> QuerySet[M]: ...

else:

    class Manager(BaseManager.from_queryset(QuerySet)):
        """The default manager: everything a QuerySet can, from the model.

        See https://docs.djangoproject.com/en/6.1/topics/db/managers/
        """


class ManagerDescriptor:
    """`Model.objects`: managers are for classes, not for instances."""

    def __init__(self, manager: BaseManager) -> None:
        self.manager = manager

    def __get__(self, instance: object, cls: type[Any] | None = None) -> Any:
        if instance is not None:
            raise AttributeError(f"Manager isn't accessible via {cls.__name__ if cls else None} instances")
        opts = cls._meta  # type: ignore[union-attr]
        if opts.abstract:
            raise AttributeError(f"Manager isn't available; {opts.object_name} is abstract")
        if opts.swapped:
            raise AttributeError(
                f"Manager isn't available; '{opts.label}' has been swapped for '{opts.swapped}'"
            )
        return opts.managers_map[self.manager.name]


class EmptyManager(Manager):  # type: ignore[type-arg]
    """A manager that shows nothing."""

    def __init__(self, model: object) -> None:
        super().__init__()
        self.model = model

    def get_queryset(self) -> Any:
        return super().get_queryset().none()


def _make_manager(queryset_class: type[S]) -> type[QuerySetManager[S]]:
    return Manager.from_queryset(queryset_class)


manager_class.fill(_make_manager)
