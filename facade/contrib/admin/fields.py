"""The fields of forms and lists. A form's values stay as they were sent: the model's field cleans them, and says what is wrong."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, cast

from starlette.datastructures import UploadFile
from starlette_admin.fields import (
    BaseField,
    BooleanField,
    DateField,
    DateTimeField,
    DecimalField,
    EnumField,
    FileField,
    FloatField,
    HasMany,
    HasOne,
    IntegerField,
    JSONField,
    StringField,
    TextAreaField,
    TimeField,
)
from starlette_admin.helpers import is_empty_value
from starlette_admin.i18n import get_tzinfo, is_timezone_conversion_enabled
from starlette_admin.types import RequestAction

from facade.configuration import settings
from facade.contrib.admin.keys import key_text
from facade.fields import FieldFile
from facade.models import Model
from facade.timezone import get_default_timezone

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

    Shared = BaseField
else:
    Shared = object

__all__ = [
    "Choice",
    "Date",
    "Decimal",
    "File",
    "Flag",
    "Float",
    "Integer",
    "Json",
    "LongText",
    "Moment",
    "Text",
    "Time",
    "ToMany",
    "ToOne",
    "Unreadable",
]


class Unreadable(str):
    """What was sent and cannot be read, with what is wrong with it."""

    __slots__ = ("complaint",)
    complaint: str


class AsSent(Shared):
    """What the fields share: they keep what was sent, and know whether that is what the form had shown."""

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:
        """Return the text that was sent."""
        sent = form_data.get(self.id)
        return sent if isinstance(sent, str) else None

    async def validate(self, request: Request, value: object, form_values: dict[str, Any]) -> None:
        """Run the validators that the view gave; what is required, the model says."""
        if not is_empty_value(value):
            await super().validate(request, value, form_values)

    def shown(self, value: object) -> object:
        """Return what a form shows for a value."""
        return str(value)

    def is_shown(self, sent: object, value: object) -> bool:
        """Return whether what was sent is what the form shows for this value."""
        return ("" if sent is None else sent) == ("" if value is None else self.shown(value))

    def read(self, sent: object) -> object:
        """Return what was sent as `to_python` of a model's field takes it."""
        return sent

    async def serialize_value(self, request: Request, value: object) -> Any:
        """Return a value as the page shows it."""
        if request.state.action.is_form():
            return self.shown(value)
        return await super().serialize_value(request, value)


class Text(AsSent, StringField):
    """A line of text."""


class LongText(AsSent, TextAreaField):
    """Several lines of text; browsers send them with the line ends of another system."""

    def is_shown(self, sent: object, value: object) -> bool:
        return self.read(sent or "") == self.read("" if value is None else value)

    def read(self, sent: object) -> object:
        return sent.replace("\r\n", "\n") if isinstance(sent, str) else sent


class Integer(AsSent, IntegerField):
    """An integer."""


class Decimal(AsSent, DecimalField):
    """A decimal number."""


class Float(AsSent, FloatField):
    """A number with a fraction."""

    def shown(self, value: object) -> object:
        return repr(value)


class Flag(AsSent, BooleanField):
    """A truth value, as a switch."""

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:
        return await BooleanField.parse_form_data(self, request, form_data)

    def shown(self, value: object) -> object:
        return bool(value)

    def is_shown(self, sent: object, value: object) -> bool:
        return sent is value


class Choice(AsSent, EnumField):
    """One of a few values, shown by their labels."""

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:
        sent = form_data.get(self.id)
        if not isinstance(sent, str) or not sent:
            return None
        known = {str(value): value for value, _ in self._get_choices(request)}
        return known.get(sent, sent)

    async def get_create_default(self, request: Request) -> Any:
        """Return the default as the choices have it."""
        return await BaseField.get_create_default(self, request)

    def shown(self, value: object) -> object:
        return value

    async def serialize_value(self, request: Request, value: object) -> Any:
        """Return the label; a value that is no choice any more is shown as it is."""
        if request.state.action.is_form():
            return value
        if request.state.action == RequestAction.EXPORT:
            return getattr(value, "value", value)
        return next((str(label) for known, label in self._get_choices(request) if known == value), str(value))


class Moment(AsSent, DateTimeField):
    """A day and a time. Forms show whole seconds in the time zone of the user."""

    def shown(self, value: object) -> str:
        assert isinstance(value, dt.datetime)
        if value.tzinfo is not None:
            zone = get_tzinfo() if is_timezone_conversion_enabled() else get_default_timezone()
            value = value.astimezone(zone).replace(tzinfo=None)
        return value.isoformat(timespec="seconds")

    def is_shown(self, sent: object, value: object) -> bool:
        return str(sent or "").replace(" ", "T") == ("" if value is None else self.shown(value))

    def read(self, sent: object) -> object:
        try:
            moment = dt.datetime.fromisoformat(str(sent))
        except ValueError:
            return sent
        if moment.tzinfo is None and settings.USE_TZ:
            zone = get_tzinfo() if is_timezone_conversion_enabled() else get_default_timezone()
            return moment.replace(tzinfo=zone)
        if moment.tzinfo is not None and not settings.USE_TZ:
            return moment.astimezone(get_default_timezone()).replace(tzinfo=None)
        return moment


class Date(AsSent, DateField):
    """A day."""

    def shown(self, value: object) -> object:
        assert isinstance(value, dt.date)
        return value.isoformat()


class Time(AsSent, TimeField):
    """A time of the day, in whole seconds."""

    def shown(self, value: object) -> object:
        assert isinstance(value, dt.time)
        return value.isoformat(timespec="seconds")


class Json(AsSent, JSONField):
    """A JSON document, with an editor."""

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:
        sent = form_data.get(self.id)
        if not isinstance(sent, str) or not sent:
            return None
        try:
            return json.loads(sent)
        except (ValueError, RecursionError) as error:
            unreadable = Unreadable(sent)
            unreadable.complaint = f"This is not JSON: {error}."
            return unreadable

    def shown(self, value: object) -> object:
        return value

    def is_shown(self, sent: object, value: object) -> bool:
        return sent == value or (sent is None and not value)  # the editor shows nothing for what is empty


class File(AsSent, FileField):
    """A file that is uploaded into the storage of the model's field."""

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:
        """Return the upload, if any, and whether the stored file is to go."""
        sent = form_data.get(self.id)
        upload = sent if isinstance(sent, UploadFile) and sent.filename else None
        return upload, form_data.get(f"_{self.id}-delete") == "on"

    async def validate(self, request: Request, value: object, form_values: dict[str, Any]) -> None:
        """Check the size and the kind of the upload."""
        await FileField.validate(self, request, value, form_values)

    async def serialize_value(self, request: Request, value: object) -> Any:
        """Return what the page shows of a file: its name, and its URL if the storage has any."""
        if not isinstance(value, FieldFile) or not value:
            return None
        if request.state.action == RequestAction.EXPORT:
            return value.name
        try:
            url = value.url
        except (ValueError, NotImplementedError):
            url = ""
        return {"filename": value.name, "url": url, "content_type": "application/octet-stream"}


class Related(AsSent):
    """What both kinds of relations share: pages show the related objects' names, forms their keys."""

    @property
    def chooser(self) -> dict[str, str]:
        """The view and the field that objects are chosen for, as they stand in the URL that the form's box asks."""
        assert self._view is not None
        parent = getattr(self._view, "parent_view", None)
        if parent is None:
            return {"key": str(self._view.key), "field": self.name}
        return {"key": str(parent.key), "field": f"{self._view.key}.{self.name}"}

    async def _related(self, request: Request, value: Model) -> object:
        if request.state.action.is_form() or request.state.action == RequestAction.EXPORT:
            return key_text(value)
        assert self._view is not None
        view = self._view._find_foreign_view(getattr(self, "key"))  # noqa: B009
        return {"pk": key_text(value), "_meta": {"repr": await view.repr(value, request)}}


class ToOne(Related, HasOne):
    """The related object of a foreign key, chosen by searching."""

    key_attribute = ""
    """The attribute that holds the key of the related object, which forms need not read then."""

    async def parse_obj(self, request: Request, obj: Model) -> object:
        if self.key_attribute and request.state.action.is_form():
            return getattr(obj, self.key_attribute)
        return await super().parse_obj(request, obj)

    async def serialize_value(self, request: Request, value: object) -> Any:
        return await self._related(request, value) if isinstance(value, Model) else str(value)


class ToMany(Related, HasMany):
    """The related objects of a many-to-many field, or those that refer to the object."""

    async def parse_form_data(self, request: Request, form_data: FormData) -> Any:
        return [sent for sent in form_data.getlist(self.id) if isinstance(sent, str) and sent]

    async def parse_obj(self, request: Request, obj: Model) -> object:
        if self.getter is not None:
            return await super().parse_obj(request, obj)
        return list(getattr(obj, self.name).all())

    async def serialize_value(self, request: Request, value: object) -> Any:
        shown = [await self._related(request, one) for one in cast("list[Model]", value)]
        if request.state.action == RequestAction.EXPORT:
            return "\n".join(str(one) for one in shown)
        return shown
