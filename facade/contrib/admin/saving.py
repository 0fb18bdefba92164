"""From what a form has sent to a row: converting, checking, storing, and telling at which field something is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette_admin.exceptions import FormValidationError
from starlette_admin.fields import BaseField, RelationField

from facade import models
from facade.contrib.admin.fields import AsSent, File, Json, Unreadable
from facade.contrib.admin.keys import key_text
from facade.exceptions import (
    NON_FIELD_ERRORS,
    DataError,
    IntegrityError,
    ObjectNotUpdated,
    UnsupportedFeature,
    ValidationError,
)
from facade.files import ContentFile
from facade.foundation.texts import capfirst, one_line

if TYPE_CHECKING:
    from starlette.requests import Request

    from facade.contrib.admin.contracts import Formed
    from facade.fields import Field
    from facade.models import Model

__all__ = ["Filled", "check", "filled", "refused", "said_by_database", "telling_fields"]

NO_CHOICE = "Select a valid choice. That choice is not one of the available choices."
NO_NULL_CHARACTERS = "Null characters are not allowed."
CHANGED_MEANWHILE = "Somebody else has changed or deleted this meanwhile. Open it again."


@dataclass
class Filled:
    """What a form has made of an object."""

    errors: dict[str, list[str]] = field(default_factory=dict)
    """What could not be read, by field."""
    links: dict[str, list[Model]] = field(default_factory=dict)
    """The objects of the many-to-many relations that are to change; they are stored after the object."""
    shown: set[str] = field(default_factory=set)
    """The fields that the form has."""
    relations: dict[str, object] = field(default_factory=dict)
    """What the form has chosen in relations: objects, or the keys of those that stay as they were."""


async def filled(view: Formed, request: Request, obj: Model, sent: Mapping[str, object]) -> Filled:
    """Give an object the values of a form. What the form shows as it stood is left alone."""
    form = Filled()
    for one in view.get_fields_list(request):
        if one.read_only or one.name not in sent:
            continue
        form.shown.add(one.name)
        value = sent[one.name]
        if isinstance(one, RelationField):
            await _relate(view, request, obj, one, value, form)
        elif isinstance(one, File):
            await _upload(obj, one.name, value)
        else:
            _assign(view, obj, one, value, form)
    return form


def _assign(view: Formed, obj: Model, one: BaseField, sent: object, form: Filled) -> None:
    column = view.model_field(one.name)
    if column is None:  # a property of the model
        setattr(obj, one.name, sent)
        return
    adding = obj._state.adding
    if isinstance(one, AsSent):
        if not adding and one.is_shown(sent, getattr(obj, column.attname)):
            return
        sent = None if sent is None or sent == "" else one.read(sent)
    if sent is None or sent == "":
        if adding and _has_hidden_default(view, column, one):
            return
        sent = "" if column.empty_strings_allowed and not column.null else None
    try:
        value = _python_value(column, sent)
        if value is None and not column.null:
            column._refuse("null")  # full_clean() passes over what may be blank
        setattr(obj, column.attname, value)
    except ValidationError as error:
        form.errors[one.name] = error.messages


def _has_hidden_default(view: Formed, column: Field[Any], one: BaseField) -> bool:
    """Return whether there is a default that the empty form did not show: the editor shows nothing for an empty document."""
    hidden = view.hides_defaults or isinstance(one, Json)
    return column.has_db_default() or (hidden and column.has_default())


def _python_value(column: Field[Any], sent: object) -> object:
    if isinstance(sent, Unreadable):
        raise ValidationError(sent.complaint)
    if isinstance(sent, str) and "\0" in sent:
        raise ValidationError(NO_NULL_CHARACTERS)
    try:
        return column.to_python(sent)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValidationError(str(error)) from error


async def _relate(
    view: Formed, request: Request, obj: Model, one: RelationField, sent: object, form: Filled
) -> None:
    keys = [str(key) for key in sent] if isinstance(sent, list) else [str(sent)] if sent else []
    form.relations[one.name] = keys if one.multiple else keys[0] if keys else None
    if not obj._state.adding and set(keys) == await _present_keys(request, obj, one):
        return
    found = await view.related(request, one.name, keys) if keys else []
    if len(found) != len(set(keys)):
        form.errors[one.name] = [NO_CHOICE]
    elif one.multiple:
        form.relations[one.name] = form.links[one.name] = found
    else:
        form.relations[one.name] = found[0] if found else None
        setattr(obj, one.name, form.relations[one.name])


async def _present_keys(request: Request, obj: Model, one: RelationField) -> set[str]:
    if one.multiple:
        return {key_text(other) async for other in getattr(obj, one.name).all()}
    present = await one.parse_obj(request, obj)
    if present is None:
        return set()
    return {key_text(present) if isinstance(present, models.Model) else str(present)}


async def _upload(obj: Model, name: str, sent: object) -> None:
    upload, is_to_go = sent if isinstance(sent, tuple) else (None, False)
    if upload is not None:
        setattr(obj, name, ContentFile(await upload.read(), name=upload.filename))
    elif is_to_go:
        setattr(obj, name, None)


def check(obj: Model, form: Filled, others: Iterable[str]) -> None:
    """Let the object check itself, but for what could not be read; raises one `ValidationError` with all errors.

    `others` are fields that the form does not have: of an object that is there already, they are not this form's affair.
    Neither is a column that has and may have no value.
    """
    left_out = {*form.errors, *others}
    if not obj._state.adding:
        left_out |= {
            one.name for one in obj._meta.concrete_fields if one.null and getattr(obj, one.attname) is None
        }
    errors: dict[str, list[str]] = dict(form.errors)
    try:
        obj.full_clean(exclude=left_out)
    except ValidationError as error:
        for name, messages in error.update_error_dict({}).items():
            errors.setdefault(name, []).extend(ValidationError(messages).messages)
    if errors:
        raise ValidationError(dict(errors))


def refused(error: ValidationError, model: type[Model], shown: Iterable[str]) -> FormValidationError:
    """Return the errors as the form shows them: each at its field, those of other fields with the field's name at the top."""
    found = error.update_error_dict({})
    told: dict[str | int, Any] = {}
    for name, errors in found.items():
        messages = ValidationError(errors).messages
        if name in shown:
            told[name] = " ".join(messages)
        else:
            label = "" if name == NON_FIELD_ERRORS else f"{_label(model, name)}: "
            told.setdefault(NON_FIELD_ERRORS, []).extend(f"{label}{message}" for message in messages)
    return FormValidationError(told)


def _label(model: type[Model], name: str) -> str:
    known = {one.name: one for one in (*model._meta.fields, *model._meta.many_to_many)}
    return capfirst(known[name].verbose_name if name in known else name)


def said_by_database(error: Exception) -> str:
    """Return what a database said when it refused something, in one line."""
    return f"The database refused this: {one_line(getattr(error, 'orig', None) or error)}"


@contextmanager
def telling_fields(model: type[Model], shown: Iterable[str]) -> Iterator[None]:
    """Have a form show what a block is refused for."""
    try:
        yield
    except ValidationError as error:
        raise refused(error, model, shown) from error
    except ObjectNotUpdated as error:
        raise FormValidationError({NON_FIELD_ERRORS: [CHANGED_MEANWHILE]}) from error
    except (IntegrityError, DataError) as error:
        raise FormValidationError({NON_FIELD_ERRORS: [said_by_database(error)]}) from error
    except UnsupportedFeature as error:
        raise FormValidationError({NON_FIELD_ERRORS: [str(error)]}) from error
