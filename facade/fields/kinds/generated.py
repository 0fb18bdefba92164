"""Columns whose values the database computes from the others of their row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Unpack

from facade.fields.base import Field
from facade.fields.keywords import NOT_PROVIDED, AnyValue, FieldOptions

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

    from facade.checks import CheckMessage
    from facade.db.database import Database


class GeneratedField(Field[AnyValue]):
    """The value of `expression`, as `output_field` describes it; `db_persist`: stored, not computed when read.

    The database computes it from other columns of the row; objects get it when they are stored. It cannot be assigned, and has no
    default (ValueError). UnsupportedFeature, when the table is made, where the database has no such columns.

    >>> from facade.models import F, IntegerField
    >>> field = GeneratedField(expression=F("width") * F("height"), output_field=IntegerField(), db_persist=True)
    >>> field.editable, field.db_persist
    (False, True)
    """

    generated = True
    expression: Any

    def __init__(
        self,
        *,
        expression: object,
        output_field: Field[AnyValue],
        db_persist: bool,
        **options: Unpack[FieldOptions],
    ) -> None:
        if options.setdefault("editable", False):
            raise ValueError("GeneratedField cannot be editable.")
        if not options.setdefault("blank", True):
            raise ValueError("GeneratedField must be blank.")
        if options.get("default", NOT_PROVIDED) is not NOT_PROVIDED:
            raise ValueError("GeneratedField cannot have a default.")
        if options.get("db_default", NOT_PROVIDED) is not NOT_PROVIDED:
            raise ValueError("GeneratedField cannot have a database default.")
        if db_persist not in (True, False):
            raise ValueError("GeneratedField.db_persist must be True or False.")
        self.expression, self.output_field, self.db_persist = expression, output_field, db_persist
        if (convert := getattr(output_field, "from_db_value", None)) is not None:
            self.from_db_value: Any = convert
        super().__init__(**options)

    @property
    def db_returning(self) -> bool:
        return True

    @property
    def column_type(self) -> TypeEngine[Any]:
        return self.output_field.column_type

    @property
    def integer_range(self) -> Any:
        """The range of the output field, None if it holds no integers."""
        return getattr(self.output_field, "integer_range", None)

    def range_on(self, vendor: str | None) -> tuple[Any, Any] | None:
        return self.output_field.range_on(vendor)

    def get_internal_type(self) -> str:
        return self.output_field.get_internal_type()

    def db_type_parameters(self, connection: Database) -> dict[str, Any]:
        return self.output_field.db_type_parameters(connection)

    def db_parameters(self, connection: Database) -> dict[str, Any]:
        return self.output_field.db_parameters(connection)

    def get_db_converters(self, connection: Database | None = None) -> list[Callable[[Any, Any, Any], Any]]:
        return self.output_field.get_db_converters(connection)

    def get_instance_lookups(self) -> dict[str, type[Any]]:
        return {**self.output_field.get_lookups(), **self.__dict__.get("instance_lookups", {})}

    def _find(self, name: str) -> Any:
        own = self.__dict__.get("instance_lookups", {})
        return own[name] if name in own else self.output_field._find(name)

    def to_python(self, value: object) -> Any:
        return self.output_field.to_python(value)

    def get_prep_value(self, value: object) -> Any:
        return self.output_field.get_prep_value(value)

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        found = super().check(**kwargs)
        output = self.output_field.clone()
        output.model = self.model
        messages = output.check(**kwargs)
        for make, id, word in ((self._error, "E223", "errors"), (self._warning, "W224", "warnings")):
            texts = [f"{one.msg} ({one.id})" for one in messages if one.is_serious() == (word == "errors")]
            if texts:
                lines = "\n    ".join([f"GeneratedField.output_field has {word}:", *texts])
                found.append(make(lines, id))
        return found

    def deconstruct(self) -> tuple[Any, str, list[Any], dict[str, Any]]:
        name, path, args, options = super().deconstruct()
        del options["blank"], options["editable"]
        options |= {
            "db_persist": self.db_persist,
            "expression": self.expression,
            "output_field": self.output_field,
        }
        return name, path, args, options
