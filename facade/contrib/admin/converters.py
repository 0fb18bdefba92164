"""The field of forms and lists for each field of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette_admin.fields import BaseField

from facade import models
from facade.contrib.admin import fields
from facade.exceptions import ImproperlyConfigured
from facade.foundation.texts import capfirst
from facade.models.fields import ForeignObject, ForeignObjectRel

if TYPE_CHECKING:
    from facade.fields import Field
    from facade.models import Model

__all__ = ["converted", "default_names", "key_of_view"]

RELATION = "facade/relation.html"
YES_NO: Any = ((True, "Yes"), (False, "No"))
_NUMBERS = (models.IntegerField, models.AutoField)
_TEXTS = (
    models.CharField,
    models.GenericIPAddressField,
    models.UUIDField,
    models.DurationField,
    models.FilePathField,
)


def key_of_view(model: type[Model]) -> str:
    """Return the key that the view of a model has in URLs unless it says another one."""
    return str(model._meta.model_name)


def default_names(model: type[Model]) -> list[str]:
    """Return the fields that a view shows if it names none: the model's own, without the links to parents' rows."""
    opts = model._meta
    links = set(opts.parents.values())
    plain = [field.name for field in opts.concrete_fields if field not in links]
    return plain + [field.name for field in opts.many_to_many]


def converted(model: type[Model], name: str) -> BaseField:
    """Return the field for a field or a relation of a model, by its name.

    Raises `ImproperlyConfigured` for a name that the model does not have.
    """
    opts = model._meta
    by_accessor = {
        rel.get_accessor_name(): rel for rel in opts.related_objects if rel.get_accessor_name() is not None
    }
    if name in by_accessor:
        return _referring(name, by_accessor[name])
    over_columns = [field for field in opts.fields if isinstance(field, ForeignObject) and not field.concrete]
    known = {field.name: field for field in (*opts.concrete_fields, *opts.many_to_many, *over_columns)}
    if name not in known:
        names = ", ".join(sorted([*known, *by_accessor]))
        raise ImproperlyConfigured(f"{opts.label} has no field {name!r} to show. There are: {names}.")
    return _made(known[name])


def _made(field: Field[Any]) -> BaseField:
    made = _of_kind(field)
    made.label = capfirst(field.verbose_name)
    made.help_text = str(field.help_text) or None
    made.required = not (field.blank or field.null) and not isinstance(made, fields.Flag)
    if field.has_default():
        made.default = field.get_default
    # A relation over columns that are fields themselves is edited by these.
    hidden = field.generated or not field.editable or not (field.concrete or field.many_to_many)
    made.exclude_from_create = made.exclude_from_create or hidden or isinstance(field, models.AutoField)
    # An object that is saved with another key is another object.
    made.exclude_from_edit = made.exclude_from_edit or hidden or field in field.model._meta.pk_fields
    return made


def _of_kind(field: Field[Any]) -> BaseField:
    if isinstance(field, ForeignObject):
        return _to_one(field)
    if field.many_to_many:
        made = fields.ToMany(
            field.name, key=key_of_view(field.related_model), multiple=True, form_template=RELATION
        )
        made.exclude_from_create = made.exclude_from_edit = not field.remote_field.through._meta.auto_created
        return made
    if field.choices is not None:
        return fields.Choice(field.name, choices=field.flatchoices)
    for kinds, make in _MAKERS:
        if isinstance(field, kinds):
            return make(field)
    # What a type of one's own makes of a text, nobody knows.
    return fields.Text(field.name, exclude_from_create=True, exclude_from_edit=True)


def _to_one(field: ForeignObject[Any]) -> BaseField:
    made = fields.ToOne(field.name, key=key_of_view(field.related_model), form_template=RELATION)
    targets = field.foreign_related_fields
    if len(targets) == 1 and targets[0] in field.related_model._meta.pk_fields:
        made.key_attribute = field.attname
    return made


def _referring(name: str, rel: ForeignObjectRel) -> BaseField:
    """Return the field for a relation that points here; what refers by a foreign key is edited at its own place."""
    made: BaseField
    key = key_of_view(rel.related_model)
    if rel.one_to_one:
        made = fields.ToOne(name, key=key, form_template=RELATION)
    else:
        made = fields.ToMany(name, key=key, multiple=True, form_template=RELATION)
    own_rows = rel.many_to_many and rel.field.remote_field.through._meta.auto_created
    made.exclude_from_create = made.exclude_from_edit = not own_rows
    return made


def _boolean(field: Field[Any]) -> BaseField:
    return fields.Choice(field.name, choices=YES_NO) if field.null else fields.Flag(field.name)


def _text(field: Field[Any]) -> BaseField:
    made = fields.Text(field.name, maxlength=field.max_length)
    if isinstance(field, models.EmailField):
        made.input_type, made.list_template = "email", "fields/list/email.html"
        made.detail_template = "fields/detail/email.html"
    elif isinstance(field, models.URLField):
        made.input_type, made.list_template = "url", "fields/list/url.html"
        made.detail_template = "fields/detail/url.html"
    return made


def _binary(field: Field[Any]) -> BaseField:
    def size(request: object, obj: Model) -> str | None:
        value = getattr(obj, field.attname)
        return None if value is None else f"{len(value)} bytes"

    return fields.Text(field.name, getter=size, exclude_from_create=True, exclude_from_edit=True)


Make = Callable[[Any], BaseField]

_MAKERS: tuple[tuple[type[Any] | tuple[type[Any], ...], Make], ...] = (
    (models.BooleanField, _boolean),
    (models.FileField, lambda field: fields.File(field.name)),
    (models.JSONField, lambda field: fields.Json(field.name)),
    (models.BinaryField, _binary),
    (models.TextField, lambda field: fields.LongText(field.name)),
    (_TEXTS, _text),
    (models.DateTimeField, lambda field: fields.Moment(field.name)),
    (models.DateField, lambda field: fields.Date(field.name)),
    (models.TimeField, lambda field: fields.Time(field.name)),
    (models.DecimalField, lambda field: fields.Decimal(field.name)),
    (models.FloatField, lambda field: fields.Float(field.name)),
    (_NUMBERS, lambda field: fields.Integer(field.name)),
)
