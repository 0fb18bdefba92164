"""Comparisons of a relation with objects, keys and querysets: `filter(author=author)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.expressions.comparisons import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    Lookup,
)
from facade.fields.relations.foreign_objects import ForeignObject
from facade.fields.relations.reverse import final_target
from facade.fields.usual_values import list_quickly, quickly

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.expressions.contracts import Query
    from facade.fields import Field
    from facade.fields.contracts import Instance
    from facade.meta.options import Options


class RelatedLookup(Lookup):
    """A comparison whose right side may be an instance of the related model.

    Its value is that of the field the relation points at. Raises ValueError for an instance that is not saved, and for an
    instance or a queryset of another model.
    """

    @property
    def compared_field(self) -> Any:
        return final_target(self.lhs.output_field)

    def prepare(self, value: object) -> Any:
        return super().prepare(self.key_of(value)) if self.prepare_rhs else value

    @property
    def preparation(self) -> Callable[[Any], Any]:
        own = type(self).prepare is not RelatedLookup.prepare
        return self.prepare if own or not self.prepare_rhs else quickly(self.prepare, self.compared_field)

    def key_of(self, value: Any) -> Any:
        """Return what the column holds where it refers to `value`; anything but an instance is a key already."""
        if not hasattr(type(value), "_meta"):
            return value
        field = self.lhs.output_field
        if not compatible(type(value), field):
            name = field.related_model._meta.object_name
            raise ValueError(f'Cannot query "{value}": Must be "{name}" instance.')
        if not value._is_pk_set():
            raise ValueError("Model instances passed to related filters must be saved.")
        return _value_of(value, field.target_field)

    def adapt_query(self, query: Query) -> None:
        """Make a queryset select the field that the relation points at."""
        if query.has_select_fields or query.select:
            query.refuse_several(self.lookup_name)
            return
        field = self.lhs.output_field
        self.check_model(query)
        query.clear_ordering()
        query.select_only(_selected_name(query.model, field))

    def check_model(self, query: Query) -> None:
        """Raise ValueError for a queryset of objects that the relation cannot lead to."""
        field = self.lhs.output_field
        if not (query.has_select_fields or query.select or compatible(query.model, field)):
            names = query.model._meta.object_name, field.related_model._meta.object_name
            raise ValueError(f'Cannot use QuerySet for "{names[0]}": Use a QuerySet for "{names[1]}".')


def compatible(model: type[Any], field: Field[Any]) -> bool:
    """Return whether instances of `model` can stand for objects that the relation leads to."""
    if _related(model, field.related_model._meta):
        return True
    return bool(getattr(field, "primary_key", False)) and _related(model, field.model._meta)


def _related(model: type[Instance], opts: Options) -> bool:
    own = model._meta
    return (
        own.concrete_model is opts.concrete_model
        or opts.concrete_model in own.all_parents
        or model in opts.all_parents
    )


def _value_of(instance: Instance, target: Field[Any]) -> Any:
    """Return an instance's value of a field; it may be of a model whose key leads to the field's model."""
    while not isinstance(instance, target.model) and target.remote_field:
        target = target.remote_field.model._meta.get_field(target.remote_field.field_name)
    return getattr(instance, target.attname) if hasattr(instance, target.attname) else instance.pk


def _selected_name(model: type[object], field: ForeignObject[Any]) -> str:
    """Return what a queryset of `model` has to select; a key that is a relation may be met by its own model."""
    if getattr(field, "primary_key", False) and field.model is model:
        return str(field.name)
    return str(field.target_field.name)


@ForeignObject.register_lookup
class RelatedExact(RelatedLookup, Exact):
    """Refers to this object."""

    def adapt_query(self, query: Query) -> None:
        self.check_model(query)
        if not query.one_row:
            raise ValueError(
                "The QuerySet value for an exact lookup must be limited to one result using slicing."
            )
        super().adapt_query(query)


@ForeignObject.register_lookup
class RelatedIn(RelatedLookup, In):
    """Refers to one of these objects."""

    def prepare(self, value: object) -> Any:
        return In.prepare(self, value)

    @property
    def preparation(self) -> Callable[[Any], Any]:
        own = (type(self).prepare, type(self)._prepare_item) != (RelatedIn.prepare, RelatedIn._prepare_item)
        return self.prepare if own else list_quickly(self.prepare, self.compared_field)

    def _prepare_item(self, item: object) -> Any:
        return super()._prepare_item(self.key_of(item))


@ForeignObject.register_lookup
class RelatedGreaterThan(RelatedLookup, GreaterThan):
    """Refers to an object with a larger key."""


@ForeignObject.register_lookup
class RelatedGreaterThanOrEqual(RelatedLookup, GreaterThanOrEqual):
    """Refers to this object or one with a larger key."""


@ForeignObject.register_lookup
class RelatedLessThan(RelatedLookup, LessThan):
    """Refers to an object with a smaller key."""


@ForeignObject.register_lookup
class RelatedLessThanOrEqual(RelatedLookup, LessThanOrEqual):
    """Refers to this object or one with a smaller key."""


@ForeignObject.register_lookup
class RelatedIsNull(RelatedLookup, IsNull):
    """Refers to nothing."""


__all__ = [
    "RelatedExact",
    "RelatedGreaterThan",
    "RelatedGreaterThanOrEqual",
    "RelatedIn",
    "RelatedIsNull",
    "RelatedLessThan",
    "RelatedLessThanOrEqual",
]
