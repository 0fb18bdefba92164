"""Many-to-many relations: the models between, the attributes at both ends and their managers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from facade.bridge import twin
from facade.db.connection import connections
from facade.db.routing import router
from facade.db.scopes.atomic import atomic
from facade.db.scopes.together import check_together
from facade.db.settings.moved import moved
from facade.expressions.q import Q
from facade.expressions.references import F
from facade.fields.relations.foreign_keys import ForeignKey
from facade.fields.relations.foreign_objects import lazy_related_operation, resolve_relation
from facade.fields.relations.many_to_many import ManyToManyField
from facade.orm.existing.pairs import association, is_distinct, stand_between
from facade.orm.instances.model import Model, ModelBase
from facade.orm.instances.on_delete import CASCADE
from facade.orm.instances.state import is_unset, some_unset
from facade.orm.querysets.manager import BaseManager, Manager
from facade.orm.querysets.prefetched import PREFETCHED, Alike, prefetched_objects
from facade.orm.relations.descriptors import ReverseManyToOneDescriptor
from facade.orm.relations.related_managers import ToMany, Whole
from facade.signals import m2m_changed

if TYPE_CHECKING:
    from facade.db.channels.execution import Execution
    from facade.fields.contracts import Instance
    from facade.fields.relations.foreign_objects import ForeignObject
    from facade.fields.relations.reverse import ManyToManyRel
    from facade.orm.querysets.queryset import QuerySet
    from facade.sql.plan.shape import Shape


__all__ = [
    "ManyToManyDescriptor",
    "create_forward_many_to_many_manager",
    "create_many_to_many_intermediary_model",
]

MAX_TABLE_NAME = 63
Keys = set[Any]
PREFETCHED_KEY = "_prefetch_related_val_"


# -- the model between ---------------------------------------------------------------------------------


def create_many_to_many_intermediary_model(field: ManyToManyField[Any], model: type[Any]) -> type[Any]:
    """Return a model for the pairs of a many-to-many field of `model`."""
    opts = model._meta
    target = resolve_relation(model, field.remote_field.model)
    name = f"{opts.object_name}_{field.name}"
    near, far = opts.model_name, _model_name(target)
    if near == far:
        near, far = f"from_{near}", f"to_{far}"
    options: dict[str, Any] = {
        "related_name": f"{name}+",
        "db_constraint": field.remote_field.db_constraint,
        "db_tablespace": field.db_tablespace,
        "on_delete": CASCADE,
    }
    keys = {near: ForeignKey(model, **options), far: ForeignKey(target, **options)}
    meta = {
        "auto_created": model,
        "app_label": opts.app_label,
        "verbose_name": f"{near}-{far} relationship",
        "verbose_name_plural": f"{near}-{far} relationships",
        "apps": opts.apps,
    }
    if isinstance(table := field.remote_field.through, sa.Table):
        meta["table"] = table
        for key, column in zip(keys.values(), association(field, table), strict=True):
            stand_between(key, column)
        field.remote_field.through_fields = (near, far)
    else:
        meta |= _new_table_between(field, (near, far))
        lazy_related_operation(_set_managed, model, target, name)
    space = {"Meta": type("Meta", (), meta), "__module__": model.__module__, **keys}
    made: type[Any] = ModelBase(name, (Model,), space)
    return made


def _new_table_between(field: ManyToManyField[Any], names: tuple[str, str]) -> dict[str, Any]:
    opts = field.model._meta
    options = {
        "db_table": field.db_table or _table_name(f"{opts.db_table}_{field.name}"),
        "db_tablespace": opts.db_tablespace,
        "unique_together": names,
    }
    return options if opts.metadata is None else {**options, "metadata": opts.metadata}


def _model_name(model: type[Model] | str) -> str:
    return model.rpartition(".")[2].lower() if isinstance(model, str) else str(model._meta.model_name)


def _table_name(name: str) -> str:
    """Shorten a name that some database would cut off, so that it stays its own."""
    if len(name) <= MAX_TABLE_NAME:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:4]
    return f"{name[: MAX_TABLE_NAME - 4]}{digest}"


def _set_managed(model: type[Instance], related: type[Model], through: type[Model]) -> None:
    through._meta.managed = model._meta.managed or related._meta.managed


# -- the attribute ---------------------------------------------------------------------------------------


class ManyToManyDescriptor(ReverseManyToOneDescriptor):
    """``pizza.toppings`` and ``topping.pizza_set``: a manager of the related objects."""

    rel: ManyToManyRel

    def __init__(self, rel: ManyToManyRel, reverse: bool = False) -> None:
        super().__init__(rel)
        self.reverse = reverse

    @property
    def through(self) -> Any:
        """The model of the table between."""
        return self.rel.through

    @cached_property
    def related_manager_cls(self) -> Any:
        model = self.rel.related_model if self.reverse else self.rel.model
        return create_forward_many_to_many_manager(type(model._default_manager), self.rel, self.reverse)

    def __set__(self, instance: Model | None, value: object) -> None:
        side, name = ("reverse", self.rel.accessor_name) if self.reverse else ("forward", self.field.name)
        raise TypeError(
            f"Direct assignment to the {side} side of a many-to-many set is prohibited. Use {name}.set() instead."
        )


# -- the manager -------------------------------------------------------------------------------------------


class ManyRelatedManager(ToMany):
    """What a manager of the objects related to `instance` by pairs adds to a manager of their model."""

    rel: Any
    reverse: bool

    # What the relation is from this side: `_side` tells it to the class, as it is the same for all instances.
    related_model: ClassVar[Any]
    through: ClassVar[Any]
    symmetrical: ClassVar[bool]
    source_field: ClassVar[Any]
    target_field: ClassVar[Any]
    source_field_name: ClassVar[str]
    target_field_name: ClassVar[str]
    query_field_name: ClassVar[str]
    near_key: ClassVar[str]
    _keyed: ClassVar[tuple[Shape, Shape] | None] = None
    prefetch_cache_name: ClassVar[str]

    def __init__(self, instance: Model) -> None:
        super().__init__()
        self.instance, self.model = instance, self.related_model
        key = None if instance._meta.parents else instance.__dict__.get(self.near_key)
        if key is not None and not is_unset(key):  # most often: a primary key, and one that is set
            self.related_val = (key,)
            return
        self.related_val = self.source_field.get_foreign_related_value(instance)
        if None in self.related_val:
            missing = self.source_field.foreign_related_fields[self.related_val.index(None)].name
            raise ValueError(
                f'"{instance!r}" needs to have a value for field "{missing}" before this many-to-many relationship can be used.'
            )
        if not instance._is_pk_set():
            raise ValueError(
                f"{type(instance).__name__!r} instance needs to have a primary key value before a many-to-many "
                "relationship can be used."
            )

    def __call__(self, *, manager: str) -> Any:
        """Return the same objects through another manager of the model."""
        found = getattr(self.model, manager)
        return create_forward_many_to_many_manager(type(found), self.rel, self.reverse)(self.instance)

    # reading

    @property
    def core_filters(self) -> dict[str, Any]:
        """The conditions that the related objects meet."""
        keys = self.source_field.foreign_related_fields
        return {
            f"{self.query_field_name}__{key.name}": value
            for key, value in zip(keys, self.related_val, strict=True)
        }

    def _ancestors(self) -> Iterable[Any]:
        """Yield the instance, then the objects of the parent models it remembers, up to the field's model."""
        current: Any = self.instance
        while current is not None:
            yield current
            link = current._meta.get_ancestor_link(self.rel.field.model)
            current = link.get_cached_value(current, default=None) if link else None

    def get_prefetch_cache(self) -> Any:
        """Return the prefetched objects, None if there are none."""
        found = prefetched_objects(self.instance, self.prefetch_cache_name)
        if found is None and self.instance._meta.parents:
            for one in self._ancestors():
                if (found := prefetched_objects(one, self.prefetch_cache_name)) is not None:
                    break
        return found

    def _remove_prefetched_objects(self) -> None:
        for one in self._ancestors():
            if prefetched := one.__dict__.get(PREFETCHED):
                prefetched.pop(self.prefetch_cache_name, None)

    def get_queryset(self) -> Any:
        """Return the related objects, the prefetched ones if there are any."""
        prefetched = self.get_prefetch_cache()
        return self._apply_rel_filters(super().get_queryset()) if prefetched is None else prefetched

    def _apply_rel_filters(self, queryset: QuerySet[Any, Any]) -> Any:
        queryset._add_hints(instance=self.instance)
        if self._db:
            queryset = queryset.using(self._db)
        queryset = queryset.fetch_mode(self.instance._state.fetch_mode)
        return queryset._next_is_sticky().filter(**self.core_filters)

    def get_prefetch_querysets(
        self, instances: list[Any], querysets: Sequence[Any] | None = None, execution: Execution | None = None
    ) -> tuple[Any, ...]:
        """Return the objects related to all `instances` and how to hand them out, for ``prefetch_related``."""
        queryset = self._prefetched_from(instances, querysets)._under(execution)
        # One object may belong to several instances: each of its rows has to tell to which. The condition is on that
        # very value, so that it is about the same pair.
        name = f"{PREFETCHED_KEY}{self.source_field.attname}"
        far = self.source_field.target_field
        queryset = self._with_key(queryset, name, F(f"{self.query_field_name}__{far.name}"))
        kinds = {*map(type, instances)}
        own_key = self.source_field.value_getter((far,), kinds)
        keys = [*map(own_key, instances)]
        if len(kinds) > 1 or some_unset(keys):
            # A comparison with the instances refuses those of another model, and those that are not saved.
            self.through._base_manager.filter(**{f"{self.source_field_name}__in": instances})
        queryset = queryset._filter_prefetch(name, keys)
        return queryset, attrgetter(name), own_key, False, self.prefetch_cache_name, False

    def _with_key(self, queryset: QuerySet[Any, Any], name: str, key: F) -> Any:
        """Return a queryset whose rows have the key of the instance; what became of its shape is known the next time."""
        known, shape = self._keyed, queryset._shape
        if known is not None and known[0] is shape:
            return queryset._with(_shape=known[1])
        found = queryset.annotate(**{name: key})
        type(self)._keyed = (shape, found._shape)
        return found

    def _querysets_alike(self, given: QuerySet[Any, Any] | None) -> Alike | None:
        """Return what makes this manager's queryset for other objects of the instance's class, and their keys.

        The objects are some of the `given` ones, or of all where that is None. None where the querysets may differ in more
        than a key: a manager that the user has written may look at its instance.
        """
        objects: Any = super().get_queryset
        if given is None and objects.__func__ is not BaseManager.get_queryset:
            return None
        queryset = objects() if given is None else given
        if self._db:
            queryset = queryset.using(self._db)
        (lookup,) = self.core_filters
        return Alike(queryset, lookup, sticky=True)

    @property
    def constrained_target(self) -> Any:
        """The rows of the table between, where they alone can tell how many objects there are, else None."""
        if not self.target_field.db_constraint or self.get_prefetch_cache() is not None:
            return None
        alias = self._db or router.db_for_read(self.through, instance=self.instance)
        manager = self.through._base_manager.db_manager(alias, hints={"instance": self.instance})
        rows = manager.filter(**{self.source_field_name: self.related_val[0]})
        return rows.exclude(**{self.target_field_name: None}) if self.target_field.null else rows

    # writing

    def _write_alias(self) -> str:
        return router.db_for_write(self.through, instance=self.instance)

    def add(self, *objs: Any, through_defaults: Mapping[str, Any] | None = None) -> None:
        """Relate objects, or primary keys, to the instance; those related already stay so.

        ``through_defaults`` are values for the other fields of the model between; callables are called.
        """
        self._remove_prefetched_objects()
        self._add(self._write_alias(), objs, through_defaults)

    aadd = twin(add)

    def _add(
        self, alias: str, objs: tuple[Any, ...], defaults: Mapping[str, Any] | None, raw: bool = False
    ) -> None:
        with atomic(using=alias, savepoint=False):
            self._add_pairs(self.source_field, self.target_field, objs, defaults, alias, raw)
            if self.symmetrical:
                self._add_pairs(self.target_field, self.source_field, objs, defaults, alias, raw)

    def remove(self, *objs: Any) -> None:
        """End the relation to objects, or primary keys."""
        self._remove_prefetched_objects()
        self._remove(self._write_alias(), objs)

    aremove = twin(remove)

    def clear(self) -> None:
        """End the relation to all objects."""
        self._remove_prefetched_objects()
        self._clear(self._write_alias())

    aclear = twin(clear)

    def set(
        self, objs: Iterable[Any], *, clear: bool = False, through_defaults: Mapping[str, Any] | None = None
    ) -> None:
        """Relate `objs`, and no others, to the instance; only what differs is written unless `clear` is true."""
        self.set_base(objs, clear=clear, through_defaults=through_defaults)

    aset = twin(set)

    def set_base(
        self,
        objs: Iterable[Any],
        *,
        clear: bool = False,
        through_defaults: Mapping[str, Any] | None = None,
        raw: bool = False,
    ) -> None:
        """Do what ``set`` does; `raw` is told to the signals, for loading fixtures."""
        wanted = tuple(objs)  # a queryset would change under the writes below
        alias = self._write_alias()
        with atomic(using=alias, savepoint=False):
            self._remove_prefetched_objects()
            if clear:
                self._clear(alias, raw)
                self._add(alias, wanted, through_defaults, raw)
                return
            rows = self.using(alias).values_list(self.target_field.target_field.attname, flat=True)
            present, new = {*rows}, []
            for obj in wanted:
                key = self._key(self.target_field, obj)
                if key in present:
                    present.remove(key)
                else:
                    new.append(obj)
            self._remove(alias, tuple(present), raw)
            self._add(alias, tuple(new), through_defaults, raw)

    def _key(self, field: ForeignObject[Any], obj: Model) -> Any:
        """Return the value by which the table between refers to an object, given itself or by that value."""
        if not isinstance(obj, self.model):
            return field.get_prep_value(obj)
        if moved.names or moved.blocks:
            check_together(obj, self.instance._state.db, "relate")
        return field.get_foreign_related_value(obj)[0]

    def _writing(self) -> Any:
        """Return the manager of the model, past this class, on the database to write to."""
        alias = router.db_for_write(type(self.instance), instance=self.instance)
        return super(ManyRelatedManager, self.db_manager(alias))

    def create(self, /, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """Save and return a new object, related to the instance."""
        obj = self._writing().create(**kwargs)
        self.add(obj, through_defaults=through_defaults)
        return obj

    acreate = twin(create)

    def get_or_create(
        self, /, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[Any, bool]:
        """Find a related object, or make one and relate it; see ``QuerySet.get_or_create``."""
        obj, created = self._writing().get_or_create(**kwargs)
        if created:
            self.add(obj, through_defaults=through_defaults)
        return obj, created

    aget_or_create = twin(get_or_create)

    def update_or_create(
        self, /, *, through_defaults: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> tuple[Any, bool]:
        """Update a related object, or make one and relate it; see ``QuerySet.update_or_create``."""
        obj, created = self._writing().update_or_create(**kwargs)
        if created:
            self.add(obj, through_defaults=through_defaults)
        return obj, created

    aupdate_or_create = twin(update_or_create)

    # pairs

    def _announce(self, action: str, keys: object, alias: str, raw: bool) -> None:
        m2m_changed.send(
            sender=self.through,
            action=action,
            instance=self.instance,
            reverse=self.reverse,
            model=self.model,
            pk_set=keys,
            using=alias,
            raw=raw,
        )

    def _target_keys(self, field: ForeignObject[Any], objs: Iterable[Any]) -> Keys:
        """Return the values by which the table between refers to `objs`; refuse objects that cannot be related."""
        keys: Keys = Keys()
        for obj in objs:
            if isinstance(obj, self.model):
                if not router.allow_relation(obj, self.instance):
                    raise ValueError(
                        f'Cannot add "{obj!r}": instance is on database "{self.instance._state.db}", value is on database '
                        f'"{obj._state.db}"'
                    )
            elif isinstance(obj, Model):
                raise TypeError(f"'{self.model._meta.object_name}' instance expected, got {obj!r}")
            if (key := self._key(field, obj)) is None and isinstance(obj, self.model):
                raise ValueError(f'Cannot add "{obj!r}": the value for field "{field.name}" is None')
            keys.add(key)
        return keys

    def _add_pairs(
        self,
        source: ForeignObject[Any],
        target: ForeignObject[Any],
        objs: tuple[Any, ...],
        defaults: Mapping[str, Any] | None,
        alias: str,
        raw: bool,
    ) -> None:
        """Store pairs of the instance in the column of `source` and each object in that of `target`."""
        if not objs:
            return
        values = {name: value() if callable(value) else value for name, value in (defaults or {}).items()}
        keys = self._target_keys(target, objs)
        # A model of the user's own may forbid a pair for other reasons than being there: those must be seen.
        ignore = is_distinct(self.through) and connections[alias].features.supports_ignore_conflicts
        # The mirrored pairs of a symmetrical relation are no news.
        announced = (self.reverse or source is self.source_field) and m2m_changed.has_listeners(self.through)
        manager = self.through._default_manager.using(alias)
        if not ignore or announced:
            there = manager.filter(**{source.name: self.related_val[0], f"{target.name}__in": keys})
            keys = keys.difference(there.values_list(target.name, flat=True))
        pairs = [
            self.through(**values, **{source.attname: self.related_val[0], target.attname: key})
            for key in keys
        ]
        if not announced:
            manager.bulk_create(pairs, ignore_conflicts=bool(ignore))
            return
        with atomic(using=alias, savepoint=False):
            self._announce("pre_add", keys, alias, raw)
            manager.bulk_create(pairs, ignore_conflicts=bool(ignore))
            self._announce("post_add", keys, alias, raw)

    def _remove(self, alias: str, objs: tuple[Any, ...], raw: bool = False) -> None:
        if not objs:
            return
        keys = {self._key(self.target_field, obj) if isinstance(obj, self.model) else obj for obj in objs}
        with atomic(using=alias, savepoint=False):
            self._announce("pre_remove", keys, alias, raw)
            objects = super().get_queryset()
            chosen: Any = keys
            if objects._has_filters():
                chosen = objects.using(alias).filter(
                    **{f"{self.target_field.target_field.attname}__in": keys}
                )
            self._delete_pairs(chosen, alias)
            self._announce("post_remove", keys, alias, raw)

    def _clear(self, alias: str, raw: bool = False) -> None:
        with atomic(using=alias, savepoint=False):
            self._announce("pre_clear", None, alias, raw)
            objects = super().get_queryset().using(alias)
            self._delete_pairs(objects if objects._has_filters() else None, alias)
            self._announce("post_clear", None, alias, raw)

    def _delete_pairs(self, chosen: object, alias: str) -> None:
        """Delete the instance's pairs with the objects `chosen`: keys, a queryset, or None for all of them."""

        def condition(source: str, target: str) -> Q:
            own = Q((source, self.related_val[0]))
            return own if chosen is None else own & Q((f"{target}__in", chosen))

        wanted = condition(self.source_field_name, self.target_field_name)
        if self.symmetrical:
            wanted |= condition(self.target_field_name, self.source_field_name)
        self.through._default_manager.using(alias).filter(wanted).delete()


class _CountedBetween(Whole):
    """`exists` and `count` for models with a plain manager, asked of the table between alone."""

    constrained_target: Any

    def exists(self) -> bool:
        """Return whether there are related objects."""
        rows = self.constrained_target
        return super().exists() if rows is None else bool(rows.exists())

    aexists = twin(exists)

    def count(self) -> int:
        """Return how many related objects there are."""
        rows = self.constrained_target
        return super().count() if rows is None else int(rows.count())

    acount = twin(count)


def create_forward_many_to_many_manager(
    superclass: type[Any], rel: ManyToManyRel, reverse: bool
) -> type[Any]:
    """Return a subclass of a model's manager class for the objects related to one object."""
    plain = superclass is Manager
    bases = (ManyRelatedManager, _CountedBetween, superclass) if plain else (ManyRelatedManager, superclass)
    return type("ManyRelatedManager", bases, {"rel": rel, "reverse": reverse, **_side(rel, reverse)})


def _side(rel: ManyToManyRel, reverse: bool) -> dict[str, Any]:
    """Return what a manager knows of its relation; `reverse` is the side that the field was not declared on."""
    field = rel.field
    ends = [field.link_field, field.reverse_link_field]
    names = [field.related_query_name(), field.name]
    source, target = reversed(ends) if reverse else ends
    far = source.foreign_related_fields
    queried, cached = reversed(names) if reverse else names
    return {
        "related_model": rel.related_model if reverse else rel.model,
        "through": rel.through,
        "symmetrical": rel.symmetrical and not reverse,
        "source_field": source,
        "target_field": target,
        "source_field_name": source.name,
        "target_field_name": target.name,
        "query_field_name": queried,
        "near_key": far[0].attname if len(far) == 1 and far[0].primary_key else "",
        "prefetch_cache_name": cached,
    }


ManyToManyField.build_through.fill(create_many_to_many_intermediary_model)
ManyToManyField.accessor_class.fill(ManyToManyDescriptor)
