"""What all relations share: names that wait for their models, and joins over columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from facade.exceptions import FieldError
from facade.fields.base import Field
from facade.fields.keywords import AnyValue
from facade.fields.relations.relation_declarations import ForeignObjectChecks, RelationChecks
from facade.fields.relations.reverse import FieldCacheMixin, ForeignObjectRel, Hop
from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.fields.contracts import Instance, OnDelete, RelationAttribute
    from facade.meta.options import Options


__all__ = [
    "RECURSIVE_RELATIONSHIP_CONSTANT",
    "ForeignObject",
    "RelatedField",
    "StoredValue",
    "lazy_related_operation",
    "resolve_relation",
    "values_of",
]

RECURSIVE_RELATIONSHIP_CONSTANT = "self"

#: What is computed from the models at both ends, and must not travel with a copy of the field.
_RESOLVED = (
    "cache_name",
    "foreign_related_fields",
    "hops",
    "local_related_fields",
    "related_fields",
    "reverse_hops",
    "reverse_related_fields",
)


def resolve_relation(scope_model: type[Instance], relation: ForeignObjectRel) -> Any:
    """Return the model, or its full name, that ``relation`` means in a field of ``scope_model``.

    ``"self"`` is that model, a bare name a model of the same application.
    """
    if relation == RECURSIVE_RELATIONSHIP_CONSTANT:
        return scope_model
    if isinstance(relation, str) and "." not in relation:
        return f"{scope_model._meta.app_label}.{relation}"
    return relation


def lazy_related_operation(
    function: Callable[..., Any], model: type[Instance], *related_models: Any, **kwargs: Any
) -> None:
    """Call ``function(model, *related_models, **kwargs)`` once all these models are defined.

    They are classes or names, seen from ``model``; they are looked up in its registry.
    """
    apps = model._meta.apps
    keys, places = [_key(model)], [0]
    models: list[Any] = [model]
    for related in related_models:
        resolved = resolve_relation(model, related)
        if isinstance(resolved, str) or resolved._meta.apps is apps:
            places.append(len(models))
            keys.append(_key(resolved))
        models.append(resolved)  # a model of another registry is at hand already

    def call(*found: Any) -> None:
        for place, one in zip(places, found, strict=True):
            models[place] = one
        function(*models, **kwargs)

    apps.lazy_model_operation(call, *keys)


def _is_inherited(field: Field[Any], model: type[Instance]) -> bool:
    opts = model._meta
    return bool(field.primary_key and opts.parents and field.model is not opts.model)


class StoredValue:
    """Reads a value whose attribute is more than a place in ``__dict__``, as that of a foreign key is."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, instance: Instance) -> Any:
        return getattr(instance, self.name)

    def of(self, instances: Iterable[Instance]) -> list[Any]:
        """Return the values of many, without a call for each that has it."""
        name = self.name
        return [data[name] if name in (data := one.__dict__) else getattr(one, name) for one in instances]


def values_of(getter: Callable[[Any], Any], instances: Iterable[Instance]) -> list[Any]:
    """Return what a function, that of `ForeignObject.value_getter` above all, finds on instances."""
    return getter.of(instances) if type(getter) is StoredValue else [*map(getter, instances)]


def _key(model: type[Instance] | str) -> tuple[str, str]:
    if isinstance(model, str):
        app_label, _, name = model.rpartition(".")
        return app_label, name.lower()
    return model._meta.app_label, model._meta.model_name


class RelatedField(RelationChecks, FieldCacheMixin, Field[AnyValue]):
    """Base of the fields that relate their model to another one."""

    one_to_many: bool | None = False
    one_to_one: bool | None = False
    many_to_many: bool | None = False
    many_to_one: bool | None = False

    remote_field: Any
    swappable: bool = True

    def __init__(
        self,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: object = None,
        *,
        rel: ForeignObjectRel | None = None,
        **options: Any,
    ) -> None:
        self._related_name = related_name
        self._related_query_name = related_query_name
        self._limit_choices_to = limit_choices_to
        super().__init__(rel=rel, **options)

    if TYPE_CHECKING:

        @overload  # type: ignore[override]
        def __get__(self, instance: None, owner: type[object] | None) -> RelationAttribute: ...
        @overload
        def __get__(self, instance: object, owner: type[object] | None = None) -> AnyValue: ...
        def __get__(self, instance: object, owner: object = None) -> Any: ...

    def __copy__(self) -> Self:
        new = super().__copy__()
        for name in _RESOLVED:
            new.__dict__.pop(name, None)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        new = super().__deepcopy__(memo)
        if new.remote_field is not None:
            for name in ("related_model", "name", "hidden", "accessor_name", "cache_name"):
                new.remote_field.__dict__.pop(name, None)
        return new

    @property
    def related_model(self) -> Any:
        """The model that the relation points at; its name while it is not defined."""
        return self.remote_field.model

    @property
    def opts(self) -> Any:
        """The options of the model that has the field."""
        return self.model._meta

    @cached_property
    def cache_name(self) -> str:
        return str(self.name)

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only=private_only)
        opts = cls._meta
        if opts.abstract:
            return
        remote = self.remote_field
        names = {
            "class": cls.__name__.lower(),
            "model_name": opts.model_name,
            "app_label": opts.app_label.lower(),
        }
        related_name = remote.related_name or opts.default_related_name
        if related_name:
            remote.related_name = related_name % names
        if remote.related_query_name:
            remote.related_query_name %= names
        lazy_related_operation(self._resolve, cls, remote.model)

    def _resolve(self, model: type[Instance], related: type[Instance]) -> None:
        self.remote_field.model = related
        self.do_related_class(related, model)

    def do_related_class(self, other: type[Instance], cls: type[Instance]) -> None:
        """Finish the relation once both models are defined."""
        self.set_attributes_from_rel()
        self.contribute_to_related_class(other, self.remote_field)

    def set_attributes_from_rel(self) -> None:
        opts = self.remote_field.model._meta
        self.name = self.name or f"{opts.model_name}_{opts.pk.name}"
        if self.verbose_name is None:
            self.verbose_name = opts.verbose_name
        self.remote_field.set_field_name()

    def contribute_to_related_class(self, cls: type[Instance], related: ForeignObjectRel) -> None:
        """Give the model pointed at its side of the relation."""
        raise NotImplementedError

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        if self._limit_choices_to:
            kwargs["limit_choices_to"] = self._limit_choices_to
        if self._related_name is not None:
            kwargs["related_name"] = self._related_name
        if self._related_query_name is not None:
            kwargs["related_query_name"] = self._related_query_name
        return name, path, args, kwargs

    def get_limit_choices_to(self) -> Any:
        """Return ``limit_choices_to``, or what it returns if it is callable."""
        limit = self.remote_field.limit_choices_to
        return limit() if callable(limit) else limit

    def related_query_name(self) -> str:
        """Return the name that lookups use from the other side."""
        remote = self.remote_field
        return str(remote.related_query_name or remote.related_name or self.opts.model_name)

    @property
    def swappable_setting(self) -> str | None:
        """The setting that may swap the model pointed at, if there is one."""
        if not self.swappable or getattr(self, "model", None) is None:
            return None
        target = self.remote_field.model
        label = target if isinstance(target, str) else target._meta.label
        return self.opts.apps.get_swappable_settings_name(label)  # type: ignore[no-any-return]

    @property
    def target_field(self) -> Any:
        """The field that values are compared with when a query filters by this relation."""
        raise NotImplementedError


class ForeignObject(ForeignObjectChecks, RelatedField[AnyValue]):
    """A relation over columns that other fields hold: ``from_fields`` here, ``to_fields`` there.

    It has no column of its own and puts no constraint into the database.
    """

    many_to_one = True
    requires_unique_target = True
    rel_class: ClassVar[type[ForeignObjectRel]] = ForeignObjectRel

    #: What the attributes at both ends become: `(field)` and `(relation)` -> a descriptor.
    forward_related_accessor_class: ClassVar[Seam[[Any], Any]] = Seam(
        "what a relation's attribute is", filled_by="facade.orm.relations.descriptors"
    )
    related_accessor_class: ClassVar[Seam[[Any], Any]] = Seam(
        "what a relation's attribute at the other end is", filled_by="facade.orm.relations.descriptors"
    )

    def __init__(
        self,
        to: type[Instance] | str,
        on_delete: OnDelete,
        from_fields: Sequence[Any],
        to_fields: Sequence[Any],
        rel: ForeignObjectRel | None = None,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: object = None,
        parent_link: bool = False,
        swappable: bool = True,
        **options: Any,
    ) -> None:
        if rel is None:
            rel = self.rel_class(
                self,
                to,
                related_name=related_name,
                related_query_name=related_query_name,
                limit_choices_to=limit_choices_to,
                parent_link=parent_link,
                on_delete=on_delete,
            )
        super().__init__(related_name, related_query_name, limit_choices_to, rel=rel, **options)
        self.from_fields = from_fields
        self.to_fields = to_fields
        self.swappable = swappable

    # -- both ends ----------------------------------------------------------------------------------

    @classmethod
    def get_class_lookups(cls) -> dict[str, type[Any]]:
        """Return what is registered for relations; what fields know makes no sense for objects."""
        return cls.lookups_since(ForeignObject)

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only=private_only)
        setattr(cls, self.name, type(self).forward_related_accessor_class(self))

    def contribute_to_related_class(self, cls: type[Instance], related: ForeignObjectRel) -> None:
        own = related.related_model._meta
        # A model of another registry, as tests make them, is not to be changed from here.
        if related.hidden or own.swapped or own.apps is not cls._meta.apps:
            return
        accessor = type(self).related_accessor_class(related)
        setattr(cls._meta.concrete_model, str(related.accessor_name), accessor)
        if related.limit_choices_to:
            cls._meta.related_fkey_lookups.append(related.limit_choices_to)

    # -- columns ------------------------------------------------------------------------------------

    def get_attname_column(self) -> tuple[str, str | None]:
        return self.get_attname(), None

    def resolve_related_fields(self) -> list[tuple[Any, Any]]:
        """Return pairs of a field of this model and the field it points at."""
        target = self.remote_field.model
        if not self.from_fields or len(self.from_fields) != len(self.to_fields):
            raise ValueError("Foreign Object from and to fields must be the same non-zero length")
        if isinstance(target, str):
            raise ValueError(f"Related model {target!r} cannot be resolved")
        pairs = zip(self.from_fields, self.to_fields, strict=True)
        return [(self._own_field(own), self._far_field(target._meta, far)) for own, far in pairs]

    def _own_field(self, name: str) -> Any:
        return self if name == RECURSIVE_RELATIONSHIP_CONSTANT else self.opts.get_field(name)

    def _far_field(self, opts: Options, name: str | None) -> Any:
        return opts.pk if name is None else opts.get_field(name)

    @cached_property
    def related_fields(self) -> list[tuple[Any, Any]]:
        """Pairs of a field of this model and the field it points at."""
        return self.resolve_related_fields()

    @cached_property
    def reverse_related_fields(self) -> list[tuple[Any, Any]]:
        """The same pairs, the field pointed at first."""
        return [(far, own) for own, far in self.related_fields]

    @cached_property
    def local_related_fields(self) -> tuple[Any, ...]:
        """The fields of this model that hold the reference."""
        return tuple(own for own, _ in self.related_fields)

    @cached_property
    def foreign_related_fields(self) -> tuple[Any, ...]:
        """The fields pointed at."""
        return tuple(far for _, far in self.related_fields if far)

    def get_joining_fields(self, reverse_join: bool = False) -> tuple[tuple[Any, Any], ...]:
        return tuple(self.reverse_related_fields if reverse_join else self.related_fields)

    def get_reverse_joining_fields(self) -> tuple[tuple[Any, Any], ...]:
        return self.get_joining_fields(reverse_join=True)

    @property
    def target_field(self) -> Any:
        if len(self.foreign_related_fields) > 1:
            raise FieldError(
                "The relation has multiple target fields, but only single target field was asked for"
            )
        return self.foreign_related_fields[0]

    # -- values of instances ------------------------------------------------------------------------

    def get_local_related_value(self, instance: Instance) -> tuple[Any, ...]:
        """Return the values by which an instance of this model refers to another row."""
        return self.get_instance_value_for_fields(instance, self.local_related_fields)

    def get_foreign_related_value(self, instance: Instance) -> tuple[Any, ...]:
        """Return the values by which an instance of the other model is referred to."""
        return self.get_instance_value_for_fields(instance, self.foreign_related_fields)

    @staticmethod
    def get_instance_value_for_fields(instance: Instance, fields: tuple[Any, ...]) -> tuple[Any, ...]:
        values = []
        opts = instance._meta
        for field in fields:
            if _is_inherited(field, type(instance)):
                # An inherited key may still differ from the link to the parent: the link counts.
                link = opts.get_ancestor_link(field.model)
                if not link or link.primary_key or link.model._meta.abstract:
                    values.append(instance.pk)
                    continue
            values.append(getattr(instance, field.attname))
        return tuple(values)

    @classmethod
    def value_getter(cls, fields: tuple[Any, ...], models: Iterable[type[Any]]) -> Callable[[Any], Any]:
        """Return what reads the values of `fields` from instances of these models, quicker than one by one.

        It returns a tuple only where there are several fields.
        """
        if not any(_is_inherited(field, model) for field in fields for model in models):
            stored = len(fields) == 1 and hasattr(fields[0].descriptor_class, "__set__")
            return (
                StoredValue(fields[0].attname) if stored else attrgetter(*[field.attname for field in fields])
            )
        values = cls.get_instance_value_for_fields
        return (lambda one: values(one, fields)[0]) if len(fields) == 1 else lambda one: values(one, fields)

    def get_forward_related_filter(self, obj: Instance) -> dict[str, Any]:
        """Return the lookups that find the rows of this model that refer to ``obj``."""
        return {f"{self.name}__{far.name}": getattr(obj, far.attname) for _, far in self.related_fields}

    def get_reverse_related_filter(self, obj: Instance) -> dict[str, Any]:
        """Return the lookups that find the row that ``obj``, an instance of this model, refers to."""
        wanted = {far.attname: getattr(obj, own.attname) for own, far in self.related_fields}
        return {**wanted, **self.get_extra_descriptor_filter(obj)}

    def get_extra_descriptor_filter(self, instance: Instance) -> dict[str, Any]:
        """Return more lookups for the object behind the attribute; none unless a subclass adds some."""
        return {}

    # -- joins --------------------------------------------------------------------------------------

    @cached_property
    def hops(self) -> tuple[Hop, ...]:
        """The join from this model to the one it points at."""
        return (
            Hop(
                source=self.model,
                target=self.remote_field.model,
                columns=tuple(self.related_fields),
                join_field=self,
                many=False,
                direct=True,
                nullable=self.null,
            ),
        )

    @cached_property
    def reverse_hops(self) -> tuple[Hop, ...]:
        """The join from the model pointed at to this one."""
        return (
            Hop(
                source=self.remote_field.model,
                target=self.model,
                columns=tuple(self.reverse_related_fields),
                join_field=self.remote_field,
                many=not self.unique,
                direct=False,
                nullable=True,
            ),
        )

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs["on_delete"] = self.remote_field.on_delete
        kwargs["from_fields"] = self.from_fields
        kwargs["to_fields"] = self.to_fields
        if self.remote_field.parent_link:
            kwargs["parent_link"] = True
        to = self.remote_field.model
        if isinstance(to, str):
            label, dot, model_name = to.rpartition(".")
            kwargs["to"] = f"{label}{dot}{model_name.lower()}"
        else:
            kwargs["to"] = to._meta.label_lower
        return name, path, args, kwargs
