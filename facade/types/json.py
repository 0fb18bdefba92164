"""JSON documents."""

from __future__ import annotations

import functools
import json
import re
import reprlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.foundation.imports import is_imported, later
from facade.types.base import Base, Processor, cast_where_bound
from facade.types.deep_json import read_deep, read_json
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine
else:
    postgresql = later("sqlalchemy.dialects.postgresql")


class JSONText(str):
    """A document as the text that is stored: it is not written once more."""

    __slots__ = ()


class JSON(Base[Any]):
    """JSON documents: jsonb on PostgreSQL, text on SQLite.

    `encoder` and `decoder` are classes like those of the module `json`. None is SQL's NULL; the null of JSON is
    `sqlalchemy.JSON.NULL`. NaN and infinities, NUL characters and lone surrogates raise ValueError: they are no JSON,
    or cannot be stored everywhere.
    """

    impl = sa.JSON

    label = "A JSON column"  # how errors call it
    stored_as: TypeEngine[Any] | None = None
    """The type of the column where it is not the database's own for documents."""

    def __init__(
        self, encoder: type[json.JSONEncoder] | None = None, decoder: type[json.JSONDecoder] | None = None
    ) -> None:
        self.encoder = encoder
        self.decoder = decoder
        super().__init__(none_as_null=True)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if self.stored_as is not None:
            return dialect.type_descriptor(self.stored_as)
        vendor = vendor_of(dialect)
        if vendor.has_native_json_field:
            return cast_where_bound(dialect, postgresql.JSONB, none_as_null=True)
        return dialect.type_descriptor(vendor.document_type())

    def column_expression(self, column: object) -> Any:
        """Select text where PostgreSQL's drivers would decode with their own decoder instead of the wanted one."""
        if (
            self.decoder is not None
            and is_imported(postgresql)
            and isinstance(self.impl_instance, postgresql.JSONB)
        ):
            return sa.type_coerce(sa.cast(column, sa.Text()), self)
        return column

    @functools.cached_property
    def writer(self) -> Callable[[Any], str | None]:
        """The function that makes a document's text."""
        return json_writer(self.encoder, self.label)

    def bind_processor(self, dialect: Dialect) -> Processor:
        given = getattr(dialect, "_json_serializer", None)
        return self.writer if given is None or self.encoder is not None else _given_writer(given)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        if self.decoder is None and self.stored_as is None and vendor_of(dialect).has_native_json_field:
            return None
        given = getattr(dialect, "_json_deserializer", None)
        if given is not None and given is not read_json and self.decoder is None:
            return _given_reader(given)
        return _json_reader(self.decoder, self.label)


def _given_writer(serialize: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what writes documents with the ``json_serializer`` that an engine was made with."""

    def process(value: object) -> Any:
        if value is None or type(value) is JSONText:
            return value if value is None else str(value)
        text = serialize(None if value is sa.JSON.NULL else value)
        if isinstance(text, str) and ("\\u0000" in text or "\\ud" in text):
            _check_characters(text)
        return text

    return process


def _given_reader(deserialize: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: deserialize(value) if isinstance(value, (str, bytes)) else value


_plain_encode = json.JSONEncoder(allow_nan=False).encode
_plain_decode = json.JSONDecoder().decode


def json_writer(encoder: type[json.JSONEncoder] | None, label: str) -> Callable[[Any], str | None]:
    encode = _plain_encode if encoder is None else functools.partial(json.dumps, cls=encoder, allow_nan=False)

    def process(value: object) -> str | None:
        if value is None:
            return None
        if value is sa.JSON.NULL:
            return "null"
        if type(value) is JSONText:
            return str(value)
        try:
            text: str = encode(value)
            if "\\u0000" in text or "\\ud" in text:
                _check_characters(text)
        except RecursionError as error:
            raise ValueError(
                f"{label} cannot hold {reprlib.repr(value)}: it is nested too deeply."
            ) from error
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{label} cannot hold {reprlib.repr(value)}: {error}") from error
        return text

    return process


_PAIR = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")


def _check_characters(text: str) -> None:
    """Refuse the escapes of JSON that databases cannot store."""
    escapes = _PAIR.sub("", text.replace(r"\\", ""))
    if r"\u0000" in escapes:
        raise ValueError("JSON cannot be stored with a NUL (0x00) character in it.")
    if r"\ud" in escapes and re.search(r"\\ud[89a-f]", escapes):
        raise ValueError("JSON cannot be stored with one half of a surrogate pair in it.")


def _json_reader(decoder: type[json.JSONDecoder] | None, label: str) -> Callable[[Any], Any]:
    decode = _plain_decode if decoder is None else functools.partial(json.loads, cls=decoder)

    def process(value: Any) -> Any:
        if value is None:
            return None
        try:
            return decode(value)
        except RecursionError as error:
            if decoder is None:
                return read_deep(value)
            raise ValueError(
                f"{label} holds a document that is nested too deeply for its decoder."
            ) from error
        except (TypeError, json.JSONDecodeError):
            return value  # a part that the database has already taken out of its document

    return process
