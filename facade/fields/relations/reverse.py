"""Relations seen from the model they point at, and the joins that follow a relation either way."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldDoesNotExist, FieldError
from facade.fields.descriptions import ValueDescription

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from facade.fields.contracts import Instance, Relation


__all__ = [
    "FieldCacheMixin",
    "ForeignObjectRel",
    "Hop",
    "ManyToManyRel",
    "ManyToOneRel",
    "OneToOneRel",
    "final_target",
]

_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Hop:
    """One join of a path: from the rows of ``source`` to those of ``target``.

    ``columns`` pairs a field of the source with the field of the target that holds the same value.
    ``many``: one row of the source may meet several of the target. ``direct``: the join follows a field
    of the source, not a relation that points at it. ``nullable``: a row may meet none, so that the join
    has to be an outer one to keep it.
    """

    source: type[Any]
    target: type[Any]
    columns: tuple[tuple[Any, Any], ...]
    join_field: Any
    many: bool
    direct: bool
    nullable: bool


class FieldCacheMixin:
    """Access to the related object that an instance remembers for a relation."""

    @cached_property
    def cache_name(self) -> str:
        """The key of the relation in ``instance._state.fields_cache``."""
        raise NotImplementedError

    def get_cached_value(self, instance: Instance, default: object = _MISSING) -> Any:
        """Return the remembered object, else ``default``; ``KeyError`` without a default."""
        cache = instance._state.fields_cache
        if default is _MISSING:
            return cache[self.cache_name]
        return cache.get(self.cache_name, default)

    def is_cached(self, instance: Instance) -> bool:
        """Return whether the instance remembers an object, or that there is none."""
        return self.cache_name in instance._state.fields_cache

    def set_cached_value(self, instance: Instance, value: object) -> None:
        """Remember a related object."""
        instance._state.fields_cache[self.cache_name] = value

    def delete_cached_value(self, instance: Instance) -> None:
        """Forget the related object; ``KeyError`` if there is none."""
        del instance._state.fields_cache[self.cache_name]


def _identity(value: object) -> Any:
    """A hashable stand-in for plain data such as ``limit_choices_to``."""
    if isinstance(value, dict):
        return tuple((key, _identity(item)) for key, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_identity(item) for item in value)
    return value


class ForeignObjectRel(FieldCacheMixin, ValueDescription):
    """A relation as the model it points at sees it; ``_meta.get_fields()`` lists it there.

    ``field`` is the relation itself, ``model`` the model it points at and ``related_model`` the model
    that has the field.
    """

    auto_created = True
    concrete = False
    editable = False
    is_relation = True
    generated = False
    primary_key = False
    null = True  # nothing makes a row point here
    empty_strings_allowed = False
    column: str | None = None

    def __init__(
        self,
        field: Relation,
        to: type[Instance] | str,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: object = None,
        parent_link: bool = False,
        on_delete: Callable[..., Any] | None = None,
    ) -> None:
        self.field: Any = field
        self.model: Any = to
        self.related_name = related_name
        self.related_query_name = related_query_name
        self.limit_choices_to = {} if limit_choices_to is None else limit_choices_to
        self.parent_link = parent_link
        self.on_delete = on_delete
        self.symmetrical = False
        self.multiple = True
        self.field_name: str | None = None

    @cached_property
    def hidden(self) -> bool:
        """Whether the model pointed at gets no accessor: ``related_name`` ends with ``+``."""
        return bool(self.related_name) and str(self.related_name)[-1] == "+"

    @cached_property
    def name(self) -> str:
        """The name of the relation in lookups."""
        return str(self.field.related_query_name())

    @property
    def remote_field(self) -> Any:
        return self.field

    @property
    def target_field(self) -> Any:
        """The field that values are compared with when a query filters by this relation."""
        targets = self.path_targets
        if len(targets) > 1:
            raise FieldError("Can't use target_field for multicolumn relations.")
        return targets[0]

    @property
    def path_targets(self) -> tuple[Any, ...]:
        """The fields that identify the object at the end of the relation."""
        return (self.hops[-1].target._meta.pk,)

    @cached_property
    def related_model(self) -> Any:
        if not self.field.model:
            raise AttributeError(
                "This property can't be accessed before self.field.contribute_to_class has been called."
            )
        return self.field.model

    @cached_property
    def many_to_many(self) -> bool | None:
        return self.field.many_to_many  # type: ignore[no-any-return]

    @cached_property
    def many_to_one(self) -> bool | None:
        return self.field.one_to_many  # type: ignore[no-any-return]

    @cached_property
    def one_to_many(self) -> bool | None:
        return self.field.many_to_one  # type: ignore[no-any-return]

    @cached_property
    def one_to_one(self) -> bool | None:
        return self.field.one_to_one  # type: ignore[no-any-return]

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The joins from the model pointed at to the model that has the field."""
        return self.field.reverse_hops  # type: ignore[no-any-return]

    def get_lookup(self, lookup_name: str) -> Any:
        return self.field.get_lookup(lookup_name)

    def get_lookups(self) -> Any:
        return self.field.get_lookups()

    def get_transform(self, name: str) -> Any:
        return self.field.get_transform(name)

    def get_internal_type(self) -> str:
        return str(self.field.get_internal_type())

    def __repr__(self) -> str:
        opts = self.related_model._meta
        return f"<{type(self).__name__}: {opts.app_label}.{opts.model_name}>"

    @property
    def identity(self) -> tuple[Any, ...]:
        """What two equal relations have in common."""
        return (
            self.field,
            self.model,
            self.related_name,
            self.related_query_name,
            _identity(self.limit_choices_to),
            self.parent_link,
            self.on_delete,
            self.symmetrical,
            self.multiple,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self.__class__):
            return NotImplemented
        return self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state.pop("related_model", None)
        return state

    def get_choices(
        self,
        include_blank: bool = True,
        blank_choice: list[Any] | None = None,
        limit_choices_to: object = None,
        ordering: tuple[str, ...] = (),
    ) -> list[tuple[Any, str]]:
        """Return ``(pk, str)`` of the objects that may point here, behind a blank choice."""
        blank = [("", "---------")] if blank_choice is None else blank_choice
        found = self.related_model._default_manager.complex_filter(limit_choices_to or self.limit_choices_to)
        if ordering:
            found = found.order_by(*ordering)
        return (blank if include_blank else []) + [(one.pk, str(one)) for one in found]

    def get_joining_fields(self) -> tuple[tuple[Any, Any], ...]:
        """Return pairs of a field of the model pointed at and the field that points at it."""
        return self.field.get_reverse_joining_fields()  # type: ignore[no-any-return]

    def set_field_name(self) -> None:
        """Settle which field is pointed at, once the models are known: none for several columns."""
        self.field_name = None

    @cached_property
    def accessor_name(self) -> str | None:
        """The attribute of the model pointed at that leads back here."""
        return self.get_accessor_name()

    def get_accessor_name(self, model: type[Instance] | None = None) -> str | None:
        """Return the attribute of the model pointed at that leads to ``model``'s objects."""
        model = model or self.related_model
        if self.multiple and self.symmetrical and model == self.model:
            return None
        if self.related_name:
            return self.related_name
        return f"{model._meta.model_name}{'_set' if self.multiple else ''}"

    @cached_property
    def cache_name(self) -> str:
        return str(self.accessor_name)


class ManyToOneRel(ForeignObjectRel):
    """The reverse side of a :class:`~facade.fields.relations.foreign_keys.ForeignKey`."""

    def __init__(
        self, field: Relation, to: type[Instance] | str, field_name: str | None, **options: Any
    ) -> None:
        super().__init__(field, to, **options)
        self.field_name = field_name

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.field_name)

    def get_related_field(self) -> Any:
        """Return the field pointed at; ``FieldDoesNotExist`` if it is no column."""
        field = self.model._meta.get_field(self.field_name or self.model._meta.pk.name)
        if not field.concrete:
            raise FieldDoesNotExist(f"No related field named '{self.field_name}'")
        return field

    def set_field_name(self) -> None:
        self.model._meta.when_reflected(self._take_key_name)

    def _take_key_name(self) -> None:
        self.field_name = self.field_name or self.model._meta.pk.name


class OneToOneRel(ManyToOneRel):
    """The reverse side of a :class:`~facade.fields.relations.foreign_keys.OneToOneField`."""

    def __init__(
        self, field: Relation, to: type[Instance] | str, field_name: str | None, **options: Any
    ) -> None:
        super().__init__(field, to, field_name, **options)
        self.multiple = False


class ManyToManyRel(ForeignObjectRel):
    """The reverse side of a many-to-many relation; ``through`` is the model of the table between."""

    def __init__(
        self,
        field: Relation,
        to: type[Instance] | str,
        symmetrical: bool = True,
        through: type[Instance] | sa.Table | str | None = None,
        through_fields: Sequence[Any] | None = None,
        db_constraint: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(field, to, **options)
        if through is not None and not db_constraint:
            raise ValueError("Can't supply a through model and db_constraint=False")
        if through_fields and through is None:
            raise ValueError("Cannot specify through_fields without a through model")
        self.through: Any = through
        self.through_fields = through_fields
        self.symmetrical = symmetrical
        self.db_constraint = db_constraint

    @property
    def identity(self) -> tuple[Any, ...]:
        return (*super().identity, self.through, _identity(self.through_fields), self.db_constraint)

    def get_related_field(self) -> Any:
        """Return the field of the model pointed at that the table between refers to."""
        opts = self.through._meta
        if self.through_fields:
            return opts.get_field(self.through_fields[0]).foreign_related_fields[0]
        for field in opts.fields:
            relation = getattr(field, "remote_field", None)
            if relation and relation.model == self.model:
                return field.foreign_related_fields[0]
        raise FieldDoesNotExist(f"{opts.object_name} has no foreign key to {self.model._meta.object_name}.")


def final_target(field: Any) -> Any:
    """Return the field whose values a relation holds, through relations to relations; another field is its own."""
    while field.is_relation:
        field = field.target_field
    return field
