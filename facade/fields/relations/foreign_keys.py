"""Foreign keys and one-to-one fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, overload

from facade.db.routing import router
from facade.exceptions import FieldError, ValidationError
from facade.fields.attributes import DeferredAttribute
from facade.fields.keywords import AnyValue
from facade.fields.relations.foreign_objects import (
    RECURSIVE_RELATIONSHIP_CONSTANT,
    ForeignObject,
    RelatedField,
    lazy_related_operation,
    resolve_relation,
)
from facade.fields.relations.relation_declarations import ForeignKeyChecks
from facade.fields.relations.reverse import ForeignObjectRel, ManyToOneRel, OneToOneRel
from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.fields import Field
    from facade.fields.contracts import Instance, OnDelete
    from facade.fields.descriptions import Plain


__all__ = [
    "RECURSIVE_RELATIONSHIP_CONSTANT",
    "ForeignKey",
    "ForeignKeyAttribute",
    "ForeignObject",
    "OneToOneField",
    "RelatedField",
    "lazy_related_operation",
    "resolve_relation",
]

M = TypeVar("M")


class ForeignKeyAttribute(DeferredAttribute):
    """The attribute that holds a foreign key's value, such as ``book.author_id``.

    Setting another value forgets the object that belonged to the old one.
    """

    def __init__(self, field: ForeignKey[Any]) -> None:
        super().__init__(field)
        self.attname = field.attname
        self.cache_name = field.cache_name

    def __get__(self, instance: Instance | None, owner: object = None) -> Any:  # type: ignore[override]
        if instance is None:
            return self
        try:
            return instance.__dict__[self.attname]
        except KeyError:
            return instance._fetch_deferred(self.field)

    def __set__(self, instance: Instance, value: object) -> None:  # type: ignore[override]
        data = instance.__dict__
        if data.get(self.attname) != value:
            instance._state.fields_cache.pop(self.cache_name, None)
        data[self.attname] = value


class ForeignKey(ForeignKeyChecks, ForeignObject[AnyValue]):
    """A reference to a row of another model, kept in a column of this one's table.

    `to` is a model, its name (``"Author"``, ``"library.Author"``) or ``"self"``. `on_delete` says what happens to this row
    when the other is deleted: `CASCADE`, `PROTECT`, … `to_field` names the unique field that is referred to (the primary key by
    default). The attribute is the other object, which is loaded when it is read, once; the value itself is the attribute with
    ``_id`` at its end. The other model gets ``<model>_set``, or the `related_name`. The column has an index unless
    ``db_index=False``, and a foreign key unless ``db_constraint=False``.

    ValueError for an object of another model, and when an object that was never saved is stored.

    >>> trees = Book.objects.get(title="Trees")
    >>> trees.author, trees.author_id == trees.author.pk, list(trees.author.books.all())
    (<Author: Ben>, True, [<Book: Trees>])
    """

    rel_class: ClassVar[type[ForeignObjectRel]] = ManyToOneRel
    descriptor_class = ForeignKeyAttribute
    empty_strings_allowed = False
    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": "%(model)s instance with %(field)s %(value)r is not a valid choice."
    }
    description = "Foreign Key (type determined by related field)"

    @overload
    def __init__(
        self: ForeignKey[M], to: type[M], on_delete: OnDelete, *, null: Literal[False] = ..., **options: Any
    ) -> None: ...
    @overload
    def __init__(
        self: ForeignKey[M | None], to: type[M], on_delete: OnDelete, *, null: Literal[True], **options: Any
    ) -> None: ...
    @overload
    def __init__(
        self: ForeignKey[Any], to: str, on_delete: OnDelete, *, null: bool = ..., **options: Any
    ) -> None: ...
    def __init__(
        self,
        to: type[Any] | str,
        on_delete: OnDelete,
        related_name: str | None = None,
        related_query_name: str | None = None,
        limit_choices_to: object = None,
        parent_link: bool = False,
        to_field: str | None = None,
        db_constraint: bool = True,
        **options: Any,
    ) -> None:
        to_field = _target_name(self, to, to_field)
        if not callable(on_delete):
            raise TypeError("on_delete must be callable.")
        shared: dict[str, Any] = {
            "related_name": related_name,
            "related_query_name": related_query_name,
            "limit_choices_to": limit_choices_to,
        }
        rel = self.rel_class(self, to, to_field, parent_link=parent_link, on_delete=on_delete, **shared)
        options.setdefault("db_index", True)
        super().__init__(
            to, on_delete, [RECURSIVE_RELATIONSHIP_CONSTANT], [to_field], rel=rel, **shared, **options
        )
        self.db_constraint = db_constraint

    def contribute_to_related_class(self, cls: type[Instance], related: ForeignObjectRel) -> None:
        super().contribute_to_related_class(cls, related)
        self.remote_field.set_field_name()

    existing_attname: str | None = None
    """The attribute of the key, where it is called as the column of an existing table is."""

    def get_attname(self) -> str:
        return self.existing_attname or f"{self.name}_id"

    def get_attname_column(self) -> tuple[str, str | None]:
        attname = self.get_attname()
        return attname, self.db_column or attname

    def resolve_related_fields(self) -> list[tuple[Any, Any]]:
        pairs = super().resolve_related_fields()
        target = self.remote_field.model._meta.concrete_model
        for _, far in pairs:
            if far and far.model != target:
                raise FieldError(
                    f"'{self.model._meta.label}.{self.name}' refers to field '{far.name}' which is not local "
                    f"to model '{target._meta.label}'."
                )
        return pairs

    @property
    def target_field(self) -> Any:
        return self.foreign_related_fields[0]

    # -- values: what the field referred to says ------------------------------------------------------

    def to_python(self, value: object) -> Any:
        return self.target_field.to_python(value)

    def get_prep_value(self, value: object) -> Any:
        return self.target_field.get_prep_value(value)

    def get_db_prep_value(self, value: object, connection: Database, prepared: bool = False) -> Any:
        return self.target_field.get_db_prep_value(value, connection, prepared)

    def get_db_prep_save(self, value: object, connection: Database) -> Any:
        if value is None or (value == "" and not self.target_field.empty_strings_allowed):
            return None
        return self.target_field.get_db_prep_save(value, connection=connection)

    def unprepared(self, vendor: str) -> Plain | None:
        """Return what the field referred to says, which prepares the values."""
        if type(self).get_db_prep_save is not ForeignKey.get_db_prep_save:
            return None
        found: Plain | None = self.target_field.unprepared(vendor)
        return found

    def get_default(self) -> Any:
        """Return the default; of a default that is an object, the value that refers to it."""
        default = super().get_default()
        target = self.remote_field.model
        if not isinstance(target, str) and isinstance(default, target):
            return getattr(default, self.target_field.attname)
        return default

    def validate(self, value: object, model_instance: Instance | None) -> None:
        """Raise ``ValidationError`` if no row has this value, or none that ``limit_choices_to`` allows."""
        remote = self.remote_field
        if remote.parent_link:
            return
        super().validate(value, model_instance)
        if value is None:
            return
        using = router.db_for_read(remote.model, instance=model_instance)
        rows = remote.model._base_manager.using(using).filter(**{remote.field_name: value})
        if rows.complex_filter(self.get_limit_choices_to()).exists():
            return
        params = {
            "model": remote.model._meta.verbose_name,
            "pk": value,
            "field": remote.field_name,
            "value": value,
        }
        raise ValidationError(self.error_messages["invalid"], code="invalid", params=params)

    # -- the column -----------------------------------------------------------------------------------

    @property
    def column_type(self) -> Any:
        """The type of the column referred to, without its auto-increment; of an existing column its own."""
        return self.target_field.rel_column_type if self.existing is None else self.existing.type

    @property
    def rel_column_type(self) -> Any:
        """The type of a column that refers to this one."""
        return self.target_field.rel_column_type

    @property
    def integer_range(self) -> Any:
        """The range of the field referred to."""
        return self.target_field.integer_range

    @property
    def from_db_value(self) -> Any:
        """The conversion of the field referred to; ``AttributeError`` if it has none."""
        return self.target_field.from_db_value

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["to_fields"]
        del kwargs["from_fields"]
        if self.db_index:
            kwargs.pop("db_index", None)
        else:
            kwargs["db_index"] = False
        if self.db_constraint is not True:
            kwargs["db_constraint"] = self.db_constraint
        target_name = self.remote_field.field_name
        opts = getattr(self.remote_field.model, "_meta", None)
        if target_name and (opts is None or (opts.pk and target_name != opts.pk.name)):
            kwargs["to_field"] = target_name
        return name, path, args, kwargs


def _target_name(field: Field[Any], to: type[Instance] | str, to_field: str | None) -> str | None:
    opts = getattr(to, "_meta", None)
    if opts is not None:
        if not opts.is_reflected:
            return to_field
        return to_field or (opts.pk and opts.pk.name)
    if not isinstance(to, str):
        raise TypeError(
            f"{type(field).__name__}({to!r}) is invalid. First parameter to {type(field).__name__} must be either a "
            f"model, a model name, or the string {RECURSIVE_RELATIONSHIP_CONSTANT!r}"
        )
    return to_field


class OneToOneField(ForeignKey[AnyValue]):
    """A :class:`ForeignKey` that is unique: each row of the other model has at most one of this.

    The other model's attribute is the object itself; reading it where there is none raises
    ``RelatedObjectDoesNotExist``. ``parent_link=True`` makes it the link of multi-table inheritance.
    """

    one_to_one = True
    many_to_one = False
    rel_class: ClassVar[type[ForeignObjectRel]] = OneToOneRel
    description = "One-to-one relationship"

    forward_related_accessor_class: ClassVar[Seam[[Any], Any]] = Seam(
        "what a one-to-one relation's attribute is", filled_by="facade.orm.relations.descriptors"
    )
    related_accessor_class: ClassVar[Seam[[Any], Any]] = Seam(
        "what a one-to-one relation's attribute at the other end is",
        filled_by="facade.orm.relations.descriptors",
    )

    @overload
    def __init__(
        self: OneToOneField[M],
        to: type[M],
        on_delete: OnDelete,
        *,
        null: Literal[False] = ...,
        **options: Any,
    ) -> None: ...
    @overload
    def __init__(
        self: OneToOneField[M | None],
        to: type[M],
        on_delete: OnDelete,
        *,
        null: Literal[True],
        **options: Any,
    ) -> None: ...
    @overload
    def __init__(
        self: OneToOneField[Any], to: str, on_delete: OnDelete, *, null: bool = ..., **options: Any
    ) -> None: ...
    def __init__(
        self, to: type[Any] | str, on_delete: OnDelete, to_field: str | None = None, **options: Any
    ) -> None:
        options["unique"] = True
        super().__init__(to, on_delete, to_field=to_field, **options)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("unique", None)
        return name, path, args, kwargs

    def save_form_data(self, instance: Instance | None, data: object) -> None:
        if isinstance(data, self.remote_field.model):
            setattr(instance, self.name, data)
        else:
            setattr(instance, self.attname, data)
            if data is None:  # forget the object, or saving would take its key again
                setattr(instance, self.name, data)
