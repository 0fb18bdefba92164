"""The columns of fields, as the databases' dialects write them."""

from __future__ import annotations

from sqlalchemy.dialects import mysql, postgresql, sqlite

from docs.extensions.lookups import fields
from facade import models
from facade.apps import Apps
from facade.configuration import override

DIALECTS = (postgresql.dialect(), sqlite.dialect(), mysql.dialect())

#: What a field has to be told to have a column.
NEEDED = {
    models.CharField: {"max_length": 100},
    models.CommaSeparatedIntegerField: {"max_length": 100},
    models.DecimalField: {"max_digits": 8, "decimal_places": 2},
}
VALUES = {
    models.JSONField: "what JSON has",
    models.GenericIPAddressField: "`str`",
    models.FilePathField: "`str`",
    models.FileField: "a file with a name",
    models.TextField: "`str`",
}
#: Their columns are those of others, or none.
WITHOUT = (
    models.ForeignObject,
    models.ManyToManyField,
    models.CompositePrimaryKey,
    models.GeneratedField,
    models.TypedField,
)


def described() -> str:
    """Return a table of the fields: what values are in Python, and the type of the column."""
    lines = ["| Field | In Python | PostgreSQL | SQLite | MariaDB, MySQL |", "|---|---|---|---|---|"]
    with override(DATABASES={"default": "sqlite://"}):
        for field in fields():
            if field is not models.Field and not issubclass(field, WITHOUT):
                types = " | ".join(f"`{type_}`" for type_ in types_of(field))
                lines.append(f"| `{spelled(field)}` | {value_of(field)} | {types} |")
    return "\n".join(lines)


def spelled(field: type[models.Field]) -> str:
    options = ", ".join(f"{name}={value}" for name, value in NEEDED.get(field, {}).items())
    return f"{field.__name__}({options})"


def value_of(field: type[models.Field]) -> str:
    described_types = getattr(field, "describes", ())
    told = next((text for cls, text in VALUES.items() if issubclass(field, cls)), "")
    return told or ", ".join(
        f"`{'' if cls.__module__ == 'builtins' else cls.__module__ + '.'}{cls.__name__}`"
        for cls in described_types
    )


def types_of(field: type[models.Field]) -> list[str]:
    made = field(primary_key=issubclass(field, models.AutoField), **NEEDED.get(field, {}))

    class Described(models.Model):
        column = made

        class Meta:
            app_label, apps = "described", Apps()

    return [Described.__table__.c.column.type.compile(dialect=dialect) for dialect in DIALECTS]
