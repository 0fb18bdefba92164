"""JSON documents."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import sqlalchemy as sa

from facade import types
from facade.fields.base import Field, Operand
from facade.fields.columns import column_named
from facade.fields.keywords import AnyValue, JSONOptions
from facade.foundation.seams import Seam
from facade.types.json import JSONText, json_writer

if TYPE_CHECKING:
    import json

    from facade.checks import CheckMessage
    from facade.db.database import Database
    from facade.fields.columns import Declared, DialectView
    from facade.fields.contracts import Instance


class JSONField(Field[AnyValue]):
    """JSON documents: dicts, lists, texts, numbers, truth values.

    None is stored as NULL; the null of JSON is written `JSONNull()`. `encoder` and `decoder` are classes like those
    of the module `json`; TypeError for what the encoder does not know. Keys and indexes are names in lookups.

    >>> Book.objects.filter(facts__lang="de", facts__parts__0=1)
    <QuerySet [<Book: Trees>]>
    """

    empty_strings_allowed = False
    value_kind = "document"
    default_error_messages: ClassVar[dict[str, str]] = {"invalid": "Value must be valid JSON."}
    description = "A JSON object"

    #: `(key)` -> the transform that it is in a path, `data__owner__name`.
    key_transform: ClassVar[Seam[[str], Any]] = Seam(
        "what a key in a path into JSON is", filled_by="facade.expressions.lookups.json_parts"
    )

    if TYPE_CHECKING:

        def __init__(self, *names: Any, null: bool = ..., **options: Unpack[JSONOptions]) -> None: ...

        encoder: Any
        decoder: Any

    else:

        def __init__(
            self,
            *names: Any,
            encoder: type[json.JSONEncoder] | None = None,
            decoder: type[json.JSONDecoder] | None = None,
            **options: Any,
        ) -> None:
            for word, given in (("encoder", encoder), ("decoder", decoder)):
                if given and not callable(given):
                    raise ValueError(f"The {word} parameter must be a callable object.")
            self.encoder, self.decoder = encoder, decoder
            super().__init__(*names, **options)

    def get_internal_type(self) -> str:
        return "JSONField"

    @staticmethod
    def column_of(field: Declared) -> types.JSON:
        made = types.JSON(getattr(field, "encoder", None), getattr(field, "decoder", None))
        made.label = f"Field '{field.name}'"
        return made

    def get_transform(self, lookup_name: str) -> Any:
        found = super().get_transform(lookup_name)
        return type(self).key_transform(lookup_name) if found is None else found

    def from_db_value(self, value: object, expression: object, connection: Database) -> Any:
        """Return `value`, which the column's type has read already; for subclasses to build on."""
        return value

    def get_db_converters(self, connection: Database | None = None) -> list[Callable[[Any, Any, Any], Any]]:
        own = type(self).from_db_value is not JSONField.from_db_value
        return super().get_db_converters(connection) if own else []

    @cached_property
    def column_type(self) -> Any:
        """A column of JSON; of the internal type that a subclass names, where that is another one."""
        made = JSONField.column_of(self)
        if (internal := self.get_internal_type()) != "JSONField":
            made.stored_as = column_named(internal, self)
        return made

    def get_db_prep_value(self, value: object, connection: Database, prepared: bool = False) -> Any:
        """Return the document as its text."""
        value = super().get_db_prep_value(value, connection, prepared)
        if self.existing is not None:  # the column's own type writes it
            return value
        if value is None or value is sa.JSON.NULL or isinstance(value, Operand):
            return value
        dialect = getattr(connection, "compile_dialect", None)  # some call it without a database
        return self._written(self.column_type.bind_processor(dialect)(value))

    def db_preparation(
        self, connection: Database | DialectView, for_save: bool = False
    ) -> Callable[[Any], Any] | None:
        prepare = super().db_preparation(connection, for_save)
        return None if prepare is None else lambda value: self._written(prepare(value))

    def stored(self, value: object, connection: Database | DialectView) -> Any:
        return self._written(super().stored(value, connection))

    def _written(self, value: object) -> Any:
        """Return what `get_db_prep_value` or `get_db_prep_save` made of a document: a text is JSON already."""
        return JSONText(value) if type(value) is str and self.existing is None else value

    def validate(self, value: object, model_instance: Instance | None) -> None:
        super().validate(value, model_instance)
        try:
            json_writer(self.encoder, "")(value)
        except (TypeError, ValueError):
            self._refuse("invalid", value)

    def value_to_string(self, obj: Instance) -> Any:
        return self.value_from_object(obj)

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        options |= {key: given for key in ("encoder", "decoder") if (given := getattr(self, key)) is not None}
        return name, path, args, options

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        if self.has_default() and self.default is not None and not callable(self.default):
            msg = (
                f"{type(self).__name__} default should be a callable instead of an instance so that it's not "
                "shared between all field instances."
            )
            hint = "Use a callable instead, e.g., use `dict` instead of `{}`."
            found.append(self._warning(msg, "E010", hint))
        return found
