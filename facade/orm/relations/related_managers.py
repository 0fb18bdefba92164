"""The managers behind ``author.books``: the rows that refer to one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from facade.bridge import twin
from facade.db.routing import router
from facade.db.scopes.atomic import atomic
from facade.db.scopes.together import check_together
from facade.db.settings.moved import moved
from facade.orm.instances.state import remember, some_unset
from facade.orm.querysets.manager import BaseManager, Manager
from facade.orm.querysets.prefetched import PREFETCHED, Alike, Grouped, prefetched_objects

if TYPE_CHECKING:
    from facade.db.channels.execution import Execution
    from facade.fields.contracts import Instance
    from facade.fields.relations.reverse import ForeignObjectRel
    from facade.orm.instances.model import Model
    from facade.orm.querysets.queryset import QuerySet

    class Whole(BaseManager):
        """The manager class that comes behind, with the methods of querysets that it has."""

        def exists(self) -> bool: ...
        def count(self) -> int: ...
        def filter(self, *args: Any, **kwargs: Any) -> Any: ...
        def using(self, alias: str | None) -> Any: ...

else:
    Whole = object

__all__ = ["RelatedManager", "create_reverse_many_to_one_manager"]

M = TypeVar("M", bound="Model")


class ToMany(Whole):
    """What the managers of an object's related objects have in common; it comes before the manager class of their model."""

    instance: Any

    do_not_call_in_templates = True

    def __class_getitem__(cls, model: object) -> Any:
        return cls  # the model is for type checkers only

    def _prefetched_from(self, instances: list[Any], querysets: Sequence[Any] | None) -> Any:
        """Return the queryset that a prefetch was given, or that of all objects."""
        if querysets and len(querysets) != 1:
            raise ValueError("querysets argument of get_prefetch_querysets() should have a length of 1.")
        queryset = querysets[0] if querysets else super().get_queryset()
        queryset._add_hints(instance=instances[0])
        return queryset if self._db is None or queryset._db else queryset.using(self._db)


if TYPE_CHECKING:

    class RelatedManager(Manager[M]):
        """The manager of an object's related objects: `author.books`, `book.tags`.

        As an annotation, `books: models.RelatedManager["Book"]`, it tells type checkers of what the other model declares.
        """

        def add(
            self, *objs: Any, bulk: bool = ..., through_defaults: Mapping[str, Any] | None = ...
        ) -> None: ...
        def set(
            self,
            objs: Iterable[Any],
            *,
            bulk: bool = ...,
            clear: bool = ...,
            through_defaults: Mapping[str, Any] | None = ...,
        ) -> None: ...
        def remove(self, *objs: Any, bulk: bool = ...) -> None: ...
        def clear(self, *, bulk: bool = ...) -> None: ...

        aadd = twin(add)
        aset = twin(set)
        aremove = twin(remove)
        aclear = twin(clear)

else:
    RelatedManager = ToMany


class ReverseManager(ToMany):
    """What a manager of the rows that refer to `instance` adds to a manager of their model.

    `create_reverse_many_to_one_manager` puts it before the manager class of the model.
    """

    rel: Any
    superclass: type[Any]
    field: Any

    def __init__(self, instance: Instance) -> None:
        super().__init__()
        self.instance = instance
        self.model = self.rel.related_model
        self.field = self.rel.field
        self.core_filters = {self.field.name: instance}

    def __call__(self, *, manager: str) -> Any:
        """Return the same rows through another manager of the model: ``author.books(manager="published")``."""
        found = getattr(self.model, manager)
        return create_reverse_many_to_one_manager(type(found), self.rel)(self.instance)

    # -- the rows --------------------------------------------------------------------------------

    def get_queryset(self) -> Any:
        """Return the rows, from the prefetched ones if there are any."""
        if not self.instance._is_pk_set():
            raise ValueError(
                f"{type(self.instance).__name__!r} instance needs to have a primary key value before this "
                "relationship can be used."
            )
        found = prefetched_objects(self.instance, self.field.remote_field.cache_name)
        return self._apply_rel_filters(super().get_queryset()) if found is None else found

    def _apply_rel_filters(self, queryset: QuerySet[Any, Any]) -> Any:
        queryset._add_hints(instance=self.instance)
        if self._db:
            queryset = queryset.using(self._db)
        queryset = queryset.fetch_mode(self.instance._state.fetch_mode)
        key = self.field.get_foreign_related_value(self.instance)
        if None in key:
            return queryset.filter(**self.core_filters).none()
        queryset = queryset.filter(**self.core_filters)
        if self.field.many_to_one:  # a generic relation has no column to tell the object by
            queryset._known_related_objects = {self.field: {key[0] if len(key) == 1 else key: self.instance}}
        return queryset

    def get_prefetch_querysets(
        self, instances: list[Any], querysets: Sequence[Any] | None = None, execution: Execution | None = None
    ) -> tuple[Any, ...]:
        """Return the rows of all `instances` and how to hand them out, for ``prefetch_related``."""
        queryset = self._prefetched_from(instances, querysets)._under(execution)
        field = self.field
        far, kinds = field.foreign_related_fields, {*map(type, instances)}
        own_key = field.value_getter(far, kinds)
        owners = {own_key(one): one for one in instances}
        # The keys say as much as the instances, which would be looked at one by one; but those must be saved, and of this kind.
        quick = len(kinds) == len(far) == 1 and far[0].primary_key and not some_unset(owners)
        queryset = queryset._filter_prefetch(field.name, [*owners] if quick else instances)
        rows = queryset._results()
        row_key = Grouped(field.value_getter(field.local_related_fields, {*map(type, rows)}), rows)
        remember(row_key.groups, field.cache_name, owners)
        return queryset, row_key, own_key, False, field.remote_field.cache_name, False

    def _querysets_alike(self, given: QuerySet[Any, Any] | None) -> Alike | None:
        """Return what makes this manager's queryset for other objects of the instance's class, and their keys.

        The rows are some of the `given` ones, or of all where that is None. None where the querysets may differ in more
        than a key: a manager that the user has written may look at its instance.
        """
        objects: Any = super().get_queryset
        field = self.field
        if given is None and objects.__func__ is not BaseManager.get_queryset:
            return None
        if len(field.foreign_related_fields) > 1:
            return None
        queryset = objects() if given is None else given
        if self._db:
            queryset = queryset.using(self._db)
        return Alike(queryset, field.name, field=field if field.many_to_one else None)

    def _remove_prefetched_objects(self) -> None:
        if prefetched := self.instance.__dict__.get(PREFETCHED):
            prefetched.pop(self.field.remote_field.cache_name, None)

    def _check_fk_val(self) -> None:
        for field in self.field.foreign_related_fields:
            if getattr(self.instance, field.attname) is None:
                raise ValueError(
                    f'"{self.instance!r}" needs to have a value for field "{field.attname}" before this '
                    "relationship can be used."
                )

    def _check_type(self, obj: Instance) -> None:
        if not isinstance(obj, self.model):
            raise TypeError(f"'{self.model._meta.object_name}' instance expected, got {obj!r}")
        if moved.names or moved.blocks:
            check_together(obj, self.instance._state.db, "relate")

    def _write_alias(self) -> str:
        return router.db_for_write(self.model, instance=self.instance)

    # -- changes ---------------------------------------------------------------------------------

    def add(self, *objs: Any, bulk: bool = True) -> None:
        """Make `objs` refer to the instance: by one UPDATE, or, with ``bulk=False``, by saving each.

        Raises ``TypeError`` for objects of another model, ``ValueError`` for unsaved ones with ``bulk=True``.
        """
        self._check_fk_val()
        self._remove_prefetched_objects()
        alias = self._write_alias()
        for obj in objs:
            self._check_type(obj)
            setattr(obj, self.field.name, self.instance)
            if bulk and (obj._state.adding or obj._state.db != alias):
                raise ValueError(f"{obj!r} instance isn't saved. Use bulk=False or save the object first.")
        if bulk:
            rows = self.model._base_manager.using(alias).filter(pk__in=[obj.pk for obj in objs])
            rows.update(**{self.field.name: self.instance})
            return
        with atomic(using=alias, savepoint=False):
            for obj in objs:
                obj.save()

    aadd = twin(add)

    def set(self, objs: Iterable[Any], *, bulk: bool = True, clear: bool = False) -> None:
        """Make `objs`, and no others, refer to the instance; only what differs is written unless `clear` is true.

        Where the foreign key cannot be NULL the others stay.
        """
        self._check_fk_val()
        wanted = tuple(objs)  # a queryset would change under the writes below
        if not self.field.null:
            self.add(*wanted, bulk=bulk)
            return
        alias = self._write_alias()
        with atomic(using=alias, savepoint=False):
            if clear:
                self.clear(bulk=bulk)  # type: ignore[attr-defined]
                self.add(*wanted, bulk=bulk)
                return
            for obj in wanted:
                self._check_type(obj)
            present = set(self.using(alias).all())
            self.remove(*present.difference(wanted), bulk=bulk)  # type: ignore[attr-defined]
            self.add(*(obj for obj in wanted if obj not in present), bulk=bulk)

    aset = twin(set)

    def _writing(self) -> Any:
        """Return the manager of the model, past this class, on the database to write to."""
        self._check_fk_val()
        return super(ReverseManager, self.db_manager(self._write_alias()))

    def create(self, /, **kwargs: Any) -> Any:
        """Save and return a new object that refers to the instance."""
        writing = self._writing()
        self._remove_prefetched_objects()
        return writing.create(**{**kwargs, self.field.name: self.instance})

    acreate = twin(create)

    def get_or_create(self, /, **kwargs: Any) -> tuple[Any, bool]:
        """Find a row among those that refer to the instance, or make it; see ``QuerySet.get_or_create``."""
        found: tuple[Any, bool] = self._writing().get_or_create(**{**kwargs, self.field.name: self.instance})
        return found

    aget_or_create = twin(get_or_create)

    def update_or_create(self, /, **kwargs: Any) -> tuple[Any, bool]:
        """Update a row among those that refer to the instance, or make it; see ``QuerySet.update_or_create``."""
        found: tuple[Any, bool] = self._writing().update_or_create(
            **{**kwargs, self.field.name: self.instance}
        )
        return found

    aupdate_or_create = twin(update_or_create)


class NullableReverseManager(ReverseManager):
    """The manager where the foreign key may be NULL: rows can be let go."""

    def remove(self, *objs: Any, bulk: bool = True) -> None:
        """Set the foreign key of `objs` to NULL; ``DoesNotExist`` if one of them refers to another object."""
        if not objs:
            return
        self._check_fk_val()
        key = self.field.get_foreign_related_value(self.instance)
        for obj in objs:
            self._check_type(obj)
            if self.field.get_local_related_value(obj) != key:
                raise self.field.remote_field.model.DoesNotExist(
                    f"{obj!r} is not related to {self.instance!r}."
                )
        self._let_go(self.filter(pk__in={obj.pk for obj in objs}), bulk)

    aremove = twin(remove)

    def clear(self, *, bulk: bool = True) -> None:
        """Set the foreign key of all rows that refer to the instance to NULL."""
        self._check_fk_val()
        self._let_go(self, bulk)

    aclear = twin(clear)

    def _let_go(self, rows: Any, bulk: bool) -> None:
        self._remove_prefetched_objects()
        alias = self._write_alias()
        rows = rows.using(alias)
        if bulk:
            rows.update(**{self.field.name: None})
            return
        with atomic(using=alias, savepoint=False):
            for obj in rows:
                setattr(obj, self.field.name, None)
                obj.save(update_fields=[self.field.name])


def create_reverse_many_to_one_manager(superclass: type[Any], rel: ForeignObjectRel) -> type[Any]:
    """Return a subclass of a model's manager class for the rows that refer to one object through `rel`."""
    base = NullableReverseManager if rel.field.null else ReverseManager
    return type("RelatedManager", (base, superclass), {"rel": rel})
