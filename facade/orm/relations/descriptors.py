"""The attributes at both ends of a relation, and the loading of what an instance lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from facade.db.routing import router
from facade.db.scopes.together import check_together
from facade.db.settings.moved import moved
from facade.exceptions import SynchronousOnlyOperation
from facade.expressions.q import Q
from facade.fields.relations.foreign_keys import ForeignObject, OneToOneField
from facade.orm.querysets.prefetch import prefetch_related_objects
from facade.orm.relations.related_managers import create_reverse_many_to_one_manager

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.db.channels.execution import Execution
    from facade.fields import Field
    from facade.fields.relations.reverse import ForeignObjectRel
    from facade.orm.instances.fetching import Fetcher
    from facade.orm.instances.model import Model
    from facade.orm.querysets.queryset import QuerySet


__all__ = [
    "DeferredFetcher",
    "ForwardManyToOneDescriptor",
    "ForwardOneToOneDescriptor",
    "ReverseManyToOneDescriptor",
    "ReverseOneToOneDescriptor",
    "fetch_missing",
]


def _unordered(queryset: QuerySet[Any, Any]) -> Any:
    """Return a queryset of at most one object per instance without its order, which would only cost time."""
    return queryset.order_by() if queryset._can_filter() and not queryset.query.distinct_fields else queryset


def fetch_missing(fetcher: Fetcher, instance: Model, name: str) -> None:
    """Load what an instance lacks, in the way that its fetch mode says.

    ``SynchronousOnlyOperation`` where that would block an event loop, with the ways to load it without.
    """
    try:
        instance._state.fetch_mode.fetch(fetcher, instance)
    except SynchronousOnlyOperation:
        what = f"{type(instance).__name__}.{name}"
        raise SynchronousOnlyOperation(
            f"{what} is not loaded, and loading it here would block the running event loop. Load it with the query, "
            f"{fetcher.beforehand}, or with `await obj.afetch({name!r})`, or run the code around it with facade.run()."
        ) from None


class _Fetcher:
    """What a fetch mode needs to load one attribute, for one instance or for many."""

    field: Any
    #: How a query loads the attribute at once, for error messages.
    beforehand = ""

    def is_cached(self, instance: Model) -> bool:
        raise NotImplementedError

    def fetch_one(self, instance: Model) -> None:
        raise NotImplementedError

    def fetch_many(self, instances: list[Any]) -> None:
        raise NotImplementedError


class DeferredFetcher(_Fetcher):
    """Loads a field that ``only()`` or ``defer()`` left out."""

    def __init__(self, field: Field[Any]) -> None:
        self.field = field
        self.beforehand = f"without leaving {field.name!r} out by only() or defer()"

    def fetch_one(self, instance: Model) -> None:
        instance.refresh_from_db(fields=[self.field.attname])

    def fetch_many(self, instances: list[Any]) -> None:
        attname = self.field.attname
        missing = [one for one in instances if attname not in one.__dict__ and one._is_pk_set()]
        if not missing:
            return
        rows = self.field.model._base_manager.using(router.home_of(missing[0]))
        values = dict(rows.filter(pk__in=[one.pk for one in missing]).values_list("pk", attname))
        for instance in missing:
            if instance.pk in values:
                setattr(instance, attname, values[instance.pk])


class _RelationDescriptor(_Fetcher):
    """What the single-valued ends of a relation have in common."""

    #: The relation from the instance's side: the field, or the object that stands for it on the other side.
    relation: Any
    #: Whether the instance has the columns that refer to the other object.
    refers = True

    def is_cached(self, instance: Model) -> bool:
        return bool(self.relation.is_cached(instance))

    def fetch_many(self, instances: list[Any]) -> None:
        missing = [one for one in instances if not self.is_cached(one)]
        prefetch_related_objects(missing, self.accessor)

    @property
    def accessor(self) -> str:
        raise NotImplementedError

    @property
    def beforehand(self) -> str:  # type: ignore[override]
        return f"select_related({self.accessor!r}) or prefetch_related({self.accessor!r})"

    def get_queryset(self, *, instance: Model) -> Any:
        """Return the queryset in which the related object of ``instance`` is looked up."""
        related = self.relation.related_model
        queryset = related._base_manager.db_manager(hints={"instance": instance}).all()
        return queryset.fetch_mode(instance._state.fetch_mode)

    def _prefetch_queryset(self, instances: list[Any], querysets: Sequence[Any] | None) -> Any:
        if not querysets:
            return self.get_queryset(instance=instances[0]).order_by()
        if len(querysets) != 1:
            raise ValueError("querysets argument of get_prefetch_querysets() should have a length of 1.")
        querysets[0]._add_hints(instance=instances[0])
        return querysets[0]

    def _check_value(self, instance: Model, value: object, model: type[Model]) -> None:
        """Raise ``ValueError`` unless ``value`` may be related to ``instance``; settle their databases."""
        if not isinstance(value, model):
            raise ValueError(
                f'Cannot assign "{value!r}": "{instance._meta.object_name}.{self.accessor}" must be a '
                f'"{self.relation.related_model._meta.object_name}" instance.'
            )
        own, other = instance._state, value._state
        if own.db is None:
            own.db = router.db_for_write(type(instance), instance=value)
        if other.db is None:
            other.db = router.db_for_write(type(value), instance=instance)
        if not router.allow_relation(value, instance):
            raise ValueError(
                f'Cannot assign "{value!r}": the current database router prevents this relation.'
            )
        if moved.names or moved.blocks:
            referred, referring = (value, own) if self.refers else (instance, other)
            check_together(referred, referring.db, "assign")


class ForwardManyToOneDescriptor(_RelationDescriptor):
    """``book.author``: the object that a foreign key refers to, loaded when it is first read."""

    def __init__(self, field_with_rel: ForeignObject[Any]) -> None:
        self.field = self.relation = field_with_rel
        self.cache_name = field_with_rel.cache_name

    @property
    def accessor(self) -> str:
        return str(self.field.name)

    @cached_property
    def RelatedObjectDoesNotExist(self) -> type[Exception]:  # noqa: N802
        """Raised where there is no object though the field says there has to be one."""
        return _missing_class(self.field.remote_field.model, self.field.model, self.field.name)

    def __get__(self, instance: Model | None, owner: object = None) -> Any:
        if instance is None:
            return self
        try:
            found = instance._state.fields_cache[self.cache_name]
        except KeyError:
            found = self._find(instance)
        if found is None and not self.field.null:
            raise self.RelatedObjectDoesNotExist(f"{self.field.model.__name__} has no {self.field.name}.")
        return found

    def _find(self, instance: Model) -> Any:
        field = self.field
        found = None
        if None not in field.get_local_related_value(instance):
            found = self._known_by_ancestors(instance)
            if found is None:
                fetch_missing(self, instance, self.accessor)
                return field.get_cached_value(instance)
        field.set_cached_value(instance, found)
        return found

    def _known_by_ancestors(self, instance: Model) -> Any:
        """The object that an instance of a parent model remembers, if a query came along there."""
        for ancestor in _ancestors(instance, self.field.model):
            found = self.field.get_cached_value(ancestor, default=None)
            if found is not None:
                return found
        return None

    def get_object(self, instance: Model) -> Any:
        """Query for the object that ``instance`` refers to."""
        wanted = self.field.get_reverse_related_filter(instance)
        return self.get_queryset(instance=instance).get(**wanted)

    def fetch_one(self, instance: Model) -> None:
        found = self.get_object(instance)
        self.field.set_cached_value(instance, found)
        self._remember_reverse(found, instance)

    def _remember_reverse(self, related: object, instance: Model) -> None:
        remote = self.field.remote_field
        if not remote.multiple:
            remote.set_cached_value(related, instance)

    def get_prefetch_querysets(
        self, instances: list[Any], querysets: Sequence[Any] | None = None, execution: Execution | None = None
    ) -> tuple[Any, ...]:
        """Return the query for the objects of many instances, and how to tell which is whose."""
        field = self.field
        queryset = self._prefetch_queryset(instances, querysets)._under(execution)
        own_key, far_key = field.get_local_related_value, field.get_foreign_related_value
        owners = {own_key(one): one for one in instances}
        queryset = queryset.filter(_any_of(field.foreign_related_fields, owners))
        queryset = _unordered(queryset)
        if not field.remote_field.multiple:
            for related in queryset:
                field.remote_field.set_cached_value(related, owners[far_key(related)])
        return queryset, far_key, own_key, True, field.cache_name, False

    def __set__(self, instance: Model, value: object) -> None:
        field = self.field
        if value is None:
            self._clear(instance)
        else:
            self._check_value(instance, value, field.remote_field.model._meta.concrete_model)
            for own, far in field.related_fields:
                setattr(instance, own.attname, getattr(value, far.attname))
        instance._state.fields_cache[self.cache_name] = value
        if value is not None:
            self._remember_reverse(value, instance)

    def _clear(self, instance: Model) -> None:
        # The other object must not go on believing that it is related: deleting it would delete this one.
        related = self.field.get_cached_value(instance, default=None)
        if related is not None:
            self.field.remote_field.set_cached_value(related, None)
        for own in self.field.local_related_fields:
            setattr(instance, own.attname, None)

    def __reduce__(self) -> Any:
        return getattr, (self.field.model, self.field.name)


class ForwardOneToOneDescriptor(ForwardManyToOneDescriptor):
    """``profile.user``: the object that a one-to-one field refers to."""

    def get_object(self, instance: Model) -> Any:
        if self.field.remote_field.parent_link:
            parent = self._parent_from(instance)
            if parent is not None:
                return parent
        return super().get_object(instance)

    def _parent_from(self, instance: Model) -> Any:
        """Make the parent's instance of the child's values, if they are all there."""
        model = self.field.remote_field.model
        names = [field.attname for field in model._meta.concrete_fields]
        if instance.get_deferred_fields().intersection(names):
            return None
        parent = model(**{name: getattr(instance, name) for name in names})
        state, own = parent._state, instance._state
        state.adding, state.db, state.fetch_mode = own.adding, own.db, own.fetch_mode
        return parent

    def __set__(self, instance: Model, value: object) -> None:
        super().__set__(instance, value)
        if not (self.field.primary_key and self.field.remote_field.parent_link):
            return
        # The link is the primary key: the keys inherited from the parents follow it.
        for field in instance._meta.concrete_fields:
            if field.primary_key and field.remote_field:
                name = field.remote_field.model._meta.pk.attname
                setattr(instance, name, None if value is None else getattr(value, name))


class ReverseOneToOneDescriptor(_RelationDescriptor):
    """``user.profile``: the object whose one-to-one field refers to this one."""

    refers = False

    def __init__(self, related: ForeignObjectRel) -> None:
        self.related = self.relation = related
        self.cache_name = related.cache_name

    @property
    def field(self) -> Any:
        return self.related

    @property
    def accessor(self) -> str:
        return str(self.related.accessor_name)

    @cached_property
    def RelatedObjectDoesNotExist(self) -> type[Exception]:  # noqa: N802
        """Raised where no object refers to this one."""
        return _missing_class(self.related.related_model, self.related.model, self.related.name)

    def __get__(self, instance: Model | None, owner: object = None) -> Any:
        if instance is None:
            return self
        try:
            found = instance._state.fields_cache[self.cache_name]
        except KeyError:
            if instance._is_pk_set():
                fetch_missing(self, instance, self.accessor)
            else:
                self.related.set_cached_value(instance, None)
            found = self.related.get_cached_value(instance)
        if found is None:
            raise self.RelatedObjectDoesNotExist(f"{type(instance).__name__} has no {self.accessor}.")
        return found

    def fetch_one(self, instance: Model) -> None:
        field = self.related.field
        wanted = field.get_forward_related_filter(instance)
        try:
            found = self.get_queryset(instance=instance).get(**wanted)
        except self.related.related_model.DoesNotExist:
            found = None
        else:
            field.set_cached_value(found, instance)
        self.related.set_cached_value(instance, found)

    def get_prefetch_querysets(
        self, instances: list[Any], querysets: Sequence[Any] | None = None, execution: Execution | None = None
    ) -> tuple[Any, ...]:
        """Return the query for the objects of many instances, and how to tell which is whose."""
        field = self.related.field
        queryset = self._prefetch_queryset(instances, querysets)._under(execution)
        own_key, far_key = field.get_foreign_related_value, field.get_local_related_value
        owners = {own_key(one): one for one in instances}
        queryset = queryset.filter(_any_of(field.local_related_fields, owners))
        queryset = _unordered(queryset)
        for related in queryset:
            field.set_cached_value(related, owners[far_key(related)])
        return queryset, far_key, own_key, True, self.related.cache_name, False

    def __set__(self, instance: Model, value: object) -> None:
        related, field = self.related, self.related.field
        if value is None:
            known = related.get_cached_value(instance, default=None)
            if known is not None:
                related.delete_cached_value(instance)
                setattr(known, field.name, None)
            return
        self._check_value(instance, value, related.related_model)
        for own, far in field.related_fields:
            setattr(value, own.attname, getattr(instance, far.attname))
        related.set_cached_value(instance, value)
        field.set_cached_value(value, instance)

    def __reduce__(self) -> Any:
        return getattr, (self.related.model, self.related.name)


class ReverseManyToOneDescriptor:
    """``author.book_set``: a manager of the objects whose foreign key refers to this one."""

    def __init__(self, rel: ForeignObjectRel) -> None:
        self.rel = rel
        self.field = rel.field

    @cached_property
    def related_manager_cls(self) -> Any:
        """The class of the managers, made of the model's default manager."""
        manager = self.rel.related_model._default_manager
        return create_reverse_many_to_one_manager(manager.__class__, self.rel)

    def __get__(self, instance: Model | None, owner: object = None) -> Any:
        if instance is None:
            return self
        return self.related_manager_cls(instance)

    def __set__(self, instance: Model | None, value: object) -> None:
        name = self.rel.accessor_name
        raise TypeError(
            f"Direct assignment to the reverse side of a related set is prohibited. Use {name}.set() instead."
        )


def _any_of(fields: tuple[Any, ...], keys: Iterable[tuple[Any, ...]]) -> Q:
    """The condition that the fields hold one of the keys; those with a None refer to nothing."""
    keys = [key for key in keys if None not in key]
    if len(fields) == 1:
        wanted: dict[str, Any] = {f"{fields[0].attname}__in": [key for (key,) in keys]}
        return Q(**wanted)
    names = [field.attname for field in fields]
    found = [Q(**dict(zip(names, key, strict=True))) for key in keys]
    return Q(*found, _connector=Q.OR) if found else Q(pk__in=[])


def _missing_class(related: type[Model], model: type[Model], name: str) -> type[Exception]:
    """A ``DoesNotExist`` that is an ``AttributeError``, too, for ``hasattr()``."""
    return type(
        "RelatedObjectDoesNotExist",
        (related.DoesNotExist, AttributeError),
        {
            "__module__": model.__module__,
            "__qualname__": f"{model.__qualname__}.{name}.RelatedObjectDoesNotExist",
        },
    )


def _ancestors(instance: Model, model: type[Model]) -> Iterator[Any]:
    """The instances of parent models that lead from ``instance`` to ``model``, as far as they are known."""
    while instance is not None:
        link = instance._meta.get_ancestor_link(model)
        if not link:
            return
        instance = link.get_cached_value(instance, None)
        if instance is not None:
            yield instance


ForeignObject.forward_related_accessor_class.fill(ForwardManyToOneDescriptor)
ForeignObject.related_accessor_class.fill(ReverseManyToOneDescriptor)
OneToOneField.forward_related_accessor_class.fill(ForwardOneToOneDescriptor)
OneToOneField.related_accessor_class.fill(ReverseOneToOneDescriptor)
