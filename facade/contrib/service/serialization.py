"""From objects to what is told of them, and from bodies to values: by the schemas of `facade.contrib`, or any class of their libraries."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from facade.contrib.service.errors import BodyError, Problem
from facade.exceptions import ImproperlyConfigured
from facade.foundation.imports import later
from facade.models import Model
from facade.parsing.dates import duration_string

if TYPE_CHECKING:
    import msgspec
else:
    msgspec = later("msgspec")

_NO_SCHEMA = (
    "{schema} is no schema: it has no from_instance(), and is no model of pydantic and no Struct of msgspec."
)
Read = Callable[[Any], Any]


def is_schema(schema: object) -> bool:
    """Tell whether a class can be made of an object's attributes."""
    return isinstance(schema, type) and any(
        hasattr(schema, name) for name in ("from_instance", "model_validate", "__struct_fields__")
    )


def reader_of(schema: type[Any]) -> Read:
    """Return what makes a schema of an object. Raises ImproperlyConfigured for what is none."""
    if hasattr(schema, "from_instance"):
        return schema.from_instance  # type: ignore[no-any-return] # a schema of ours
    if hasattr(schema, "model_validate"):
        return partial(schema.model_validate, from_attributes=True)
    if hasattr(schema, "__struct_fields__"):
        return partial(msgspec.convert, type=schema, from_attributes=True)
    raise ImproperlyConfigured(_NO_SCHEMA.format(schema=schema))


def schema_in(annotation: object) -> type[Any] | None:
    """Return the schema that a return annotation names: itself, or what is in a list, a page or an optional one."""
    if is_schema(annotation):
        return annotation  # type: ignore[return-value] # it is a class
    return next((found for part in get_args(annotation) if (found := schema_in(part)) is not None), None)


def represented(answer: object, read: Read) -> Any:
    """Return an answer with each object of a model in it, or in its list or page, as the schema tells it."""
    if isinstance(answer, Model):
        return read(answer)
    if isinstance(answer, list):
        return [read(one) if isinstance(one, Model) else one for one in answer]
    if isinstance(getattr(answer, "items", None), list) and hasattr(answer, "map"):
        return answer.map(lambda one: read(one) if isinstance(one, Model) else one)
    return answer


def as_json(value: object) -> bytes:
    """Return the JSON of a value: of schemas, pages, and what `values()` gives. Numbers that JSON has not are texts, as "NaN"."""
    if hasattr(value, "model_dump_json"):
        return value.model_dump_json(by_alias=True).encode()  # type: ignore[no-any-return] # pydantic's
    try:
        return _written(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # NaN, or half a character
        return _written(json.loads(_written(value), parse_constant=str)).encode()


def _written(value: object, **options: Any) -> str:
    return json.dumps(value, default=_jsonable, separators=(",", ":"), **options)


def _jsonable(value: object) -> object:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if hasattr(value, "__struct_fields__"):
        return msgspec.to_builtins(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    return plain(value)


def plain(value: object) -> object:
    """Return what JSON has of a value that it does not know; raises TypeError."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, dt.timedelta):
        return duration_string(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no JSON: row=… says what is told of it.")


def read_body(schema: type[Any] | None, body: bytes) -> Any:
    """Return what a client has sent as JSON: a schema, or without one what JSON says. Raises BodyError."""
    try:
        if schema is None:
            return json.loads(body)
        if hasattr(schema, "model_validate_json"):
            return schema.model_validate_json(body)
        return msgspec.json.decode(body, type=schema)
    except RecursionError as error:
        raise BodyError([Problem(("body",), "The document is too deep.", "too_deep")]) from error
    except ValueError as error:  # those of pydantic and msgspec, too
        raise BodyError(_problems(error)) from error


def _problems(error: ValueError) -> list[Problem]:
    errors = getattr(error, "errors", None)
    if callable(errors):
        return [Problem(("body", *one["loc"]), one["msg"], one["type"]) for one in errors()]
    text, _, place = str(error).partition(" - at `$")
    return [Problem(("body", *re.findall(r"\w+", place)), text)]


def given_values(data: object) -> dict[str, Any]:
    """Return what a client has given: the values of a schema that were set, or a dict as it is."""
    if hasattr(data, "model_dump"):
        return data.model_dump(exclude_unset=True)  # type: ignore[no-any-return] # pydantic's
    if hasattr(data, "__struct_fields__"):
        names: Iterable[str] = data.__struct_fields__
        found = {name: getattr(data, name) for name in names}
        return {name: value for name, value in found.items() if value is not msgspec.UNSET}
    if not isinstance(data, Mapping):
        raise BodyError([Problem(("body",), "An object is expected.")])
    return dict(data)
