"""Many-to-many relations: a field without a column, and the table between the two models."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import sqlalchemy as sa

from facade.fields.relations.foreign_objects import (
    RECURSIVE_RELATIONSHIP_CONSTANT,
    RelatedField,
    lazy_related_operation,
)
from facade.fields.relations.reverse import Hop, ManyToManyRel
from facade.fields.relations.through_tables import ManyToManyChecks
from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.fields.contracts import Instance
    from facade.fields.relations.foreign_objects import ForeignObject
    from facade.fields.relations.reverse import ForeignObjectRel


__all__ = ["ManyToManyField"]

T = TypeVar("T")


class ManyToManyField(ManyToManyChecks, RelatedField[T]):
    """Any number of rows of another model, kept as pairs in a table between.

    ``to`` is a model, its name or ``"self"``. The attribute is a manager with ``add``, ``remove``, ``set``, ``clear`` and
    ``create``; the other model gets one, too, called ``<model>_set`` or as ``related_name`` says. A relation to ``"self"``
    is mutual unless ``symmetrical=False``. ``through`` names a model for the table between, with a foreign key to either
    side (``through_fields`` chooses, where there are several), or is a SQLAlchemy ``Table`` that is there already;
    else one is made, called after ``db_table``.
    """

    many_to_many = True
    many_to_one = False
    one_to_many = False
    one_to_one = False
    rel_class: ClassVar[type[ManyToManyRel]] = ManyToManyRel
    description = "Many-to-many relationship"

    #: `(field, model)` -> the model of the table between, and `(relation, reverse)` -> a descriptor for either end.
    build_through: ClassVar[Seam[[Any, Any], Any]] = Seam(
        "how the model between two models is made", filled_by="facade.orm.relations.many_to_many_managers"
    )
    accessor_class: ClassVar[Seam[..., Any]] = Seam(
        "what a many-to-many relation's attributes are",
        filled_by="facade.orm.relations.many_to_many_managers",
    )

    def __init__(
        self,
        to: type[Instance] | str,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: object = None,
        symmetrical: bool | None = None,
        through: type[Instance] | sa.Table | str | None = None,
        through_fields: Sequence[Any] | None = None,
        db_constraint: bool = True,
        db_table: str | None = None,
        swappable: bool = True,
        **options: Any,
    ) -> None:
        if not hasattr(to, "_meta") and not isinstance(to, str):
            raise TypeError(
                f"{type(self).__name__}({to!r}) is invalid. First parameter to ManyToManyField must be either a model, a "
                f"model name, or the string {RECURSIVE_RELATIONSHIP_CONSTANT!r}"
            )
        if through is not None and db_table is not None:
            raise ValueError("Cannot specify a db_table if an intermediary model is used.")
        rel = self.rel_class(
            self,
            to,
            related_name=related_name,
            related_query_name=related_query_name,
            limit_choices_to=limit_choices_to,
            symmetrical=to == RECURSIVE_RELATIONSHIP_CONSTANT if symmetrical is None else symmetrical,
            through=through,
            through_fields=through_fields,
            db_constraint=db_constraint,
        )
        self.has_null_arg = "null" in options
        super().__init__(related_name, related_query_name, limit_choices_to, rel=rel, **options)
        self.db_table = db_table
        self.swappable = swappable

    # -- both ends ------------------------------------------------------------------------------------

    def contribute_to_class(self, cls: type[Instance], name: str, private_only: bool = False) -> None:
        remote, opts = self.remote_field, cls._meta
        if remote.symmetrical and remote.model in (RECURSIVE_RELATIONSHIP_CONSTANT, opts.object_name):
            remote.related_name = f"{name}_rel_+"
        elif remote.hidden:
            # Queries still follow the relation backwards: several hidden ones need names of their own.
            remote.related_name = f"_{opts.app_label}_{cls.__name__.lower()}_{name}_+"
        super().contribute_to_class(cls, name, private_only=private_only)
        if not opts.abstract:
            if isinstance(remote.through, sa.Table):
                lazy_related_operation(_build_between, cls, remote.model, field=self)
            elif remote.through:
                lazy_related_operation(_set_through, cls, remote.through, field=self)
            elif not opts.swapped:
                remote.through = type(self).build_through(self, cls)
        setattr(cls, self.name, type(self).accessor_class(remote, reverse=False))

    def contribute_to_related_class(self, cls: type[object], related: ForeignObjectRel) -> None:
        if not related.hidden and not related.related_model._meta.swapped:
            setattr(cls, str(related.accessor_name), type(self).accessor_class(related, reverse=True))

    def set_attributes_from_rel(self) -> None:
        """Nothing: the name is the field's own, and there is no column to refer to."""

    def get_attname_column(self) -> tuple[str, str | None]:
        return self.get_attname(), None

    # -- the table between ------------------------------------------------------------------------------

    @property
    def link_field(self) -> Any:
        """The foreign key of the table between that refers to this field's model."""
        return self._links[0]

    @property
    def reverse_link_field(self) -> Any:
        """The foreign key of the table between that refers to the other model."""
        return self._links[1]

    @property
    def _links(self) -> tuple[Any, Any]:
        remote = self.remote_field
        keys = [field for field in remote.through._meta.fields if field.is_relation]
        if remote.through_fields:
            own, far = (remote.through._meta.get_field(name) for name in remote.through_fields[:2])
            return own, far
        own = next(field for field in keys if field.remote_field.model == remote.related_model)
        others = [field for field in keys if field.remote_field.model == remote.model and field is not own]
        return own, others[0]

    def m2m_db_table(self) -> str:
        """Return the name of the table between."""
        return str(self.remote_field.through._meta.db_table)

    def m2m_field_name(self) -> str:
        """Return the name of the foreign key to this field's model, in the table between."""
        return str(self.link_field.name)

    def m2m_reverse_field_name(self) -> str:
        """Return the name of the foreign key to the other model, in the table between."""
        return str(self.reverse_link_field.name)

    def m2m_column_name(self) -> str:
        """Return the column that refers to this field's model, in the table between."""
        return str(self.link_field.column)

    def m2m_reverse_name(self) -> str:
        """Return the column that refers to the other model, in the table between."""
        return str(self.reverse_link_field.column)

    def m2m_target_field_name(self) -> str:
        """Return the name of the field of this model that the table between refers to."""
        return str(self.link_field.remote_field.field_name)

    def m2m_reverse_target_field_name(self) -> str:
        """Return the name of the field of the other model that the table between refers to."""
        return str(self.reverse_link_field.remote_field.field_name)

    # -- joins --------------------------------------------------------------------------------------------

    @property
    def target_field(self) -> Any:
        return self.hops[-1].target._meta.pk

    @cached_property
    def hops(self) -> tuple[Hop, ...]:
        """The joins from this model over the table between to the other model."""
        return _across(self.link_field, self.reverse_link_field)

    @cached_property
    def reverse_hops(self) -> tuple[Hop, ...]:
        """The joins from the other model over the table between to this one."""
        return _across(self.reverse_link_field, self.link_field)

    # -- values ---------------------------------------------------------------------------------------------

    def value_from_object(self, obj: Instance) -> list[Any]:
        return list(getattr(obj, self.attname).all()) if obj._is_pk_set() else []

    def save_form_data(self, instance: Instance, data: object) -> None:
        getattr(instance, self.attname).set(data)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        remote = self.remote_field
        if self.db_table is not None:
            kwargs["db_table"] = self.db_table
        if remote.db_constraint is not True:
            kwargs["db_constraint"] = remote.db_constraint
        kwargs["to"] = (
            _lower_name(remote.model) if isinstance(remote.model, str) else remote.model._meta.label_lower
        )
        if isinstance(remote.through, str):
            kwargs["through"] = remote.through
        elif remote.through is not None and not remote.through._meta.auto_created:
            kwargs["through"] = remote.through._meta.label
        if remote.through_fields:
            kwargs["through_fields"] = remote.through_fields
        return name, path, args, kwargs


def _build_between(model: type[Instance], _: object, field: ManyToManyField[Any]) -> None:
    field.remote_field.through = type(field).build_through(field, model)


def _set_through(_: object, through: type[Instance], field: ManyToManyField[Any]) -> None:
    field.remote_field.through = through


def _across(near: ForeignObject[Any], far: ForeignObject[Any]) -> tuple[Hop, ...]:
    """Return the joins that reach the table between by `near` and leave it by `far`."""
    between, onward = near.model, far.model
    steps: tuple[Hop, ...] = ()
    # The keys may lie in different tables, where the model between inherits one of them.
    if between is not onward:
        opts = between._meta if issubclass(between, onward) else onward._meta
        steps = (
            opts.get_path_to_parent(onward)
            if issubclass(between, onward)
            else opts.get_path_from_parent(between)
        )
    return (*near.reverse_hops, *steps, *far.hops)


def _lower_name(path: str) -> str:
    label, dot, name = path.rpartition(".")
    return f"{label}{dot}{name.lower()}"
