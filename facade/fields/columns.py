"""The column types of fields, by the internal type that a field names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine, UserDefinedType

from facade import types

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import DDLCompiler

    from facade.db.database import Database


ColumnType = TypeEngine[Any]


class Declared(Protocol):
    """A field as its class body declared it."""

    name: Any
    max_length: int | None


def _text(field: Declared) -> ColumnType:
    return sa.String(field.max_length, collation=getattr(field, "db_collation", None))


def _long_text(field: object) -> ColumnType:
    collation = getattr(field, "db_collation", None)
    return sa.Text(collation=collation).with_variant(mysql.LONGTEXT(collation=collation), "mysql", "mariadb")


def _decimal(field: object) -> ColumnType:
    return types.Decimal(getattr(field, "max_digits", None), getattr(field, "decimal_places", None))


def json_type(field: Declared) -> types.JSON:
    """Return the type of a column of documents."""
    made = types.JSON(getattr(field, "encoder", None), getattr(field, "decoder", None))
    made.label = f"Field '{field.name}'"
    return made


def _address(field: Declared) -> ColumnType:
    made = types.IPAddress()
    if field.name:  # a constant's has none
        made.label = f"Field '{field.name}'"
    return made


def _unsigned(
    plain: type[sa.Integer], of_mysql: Callable[..., sa.types.TypeEngine[int]]
) -> Callable[[Any], ColumnType]:
    return lambda field: plain().with_variant(of_mysql(unsigned=True), "mysql", "mariadb")


def _counting(plain: type[sa.Integer]) -> Callable[[Any], ColumnType]:
    # SQLite counts only in columns of the type INTEGER.
    return lambda field: plain().with_variant(sa.Integer(), "sqlite")


BY_INTERNAL_TYPE: dict[str, Callable[[Any], ColumnType]] = {
    "AutoField": lambda field: sa.Integer(),
    "BigAutoField": _counting(sa.BigInteger),
    "BigIntegerField": lambda field: sa.BigInteger(),
    "BinaryField": lambda field: types.Binary(),
    "BooleanField": lambda field: types.Boolean(),
    "CharField": _text,
    "DateField": lambda field: types.Date(),
    "DateTimeField": lambda field: types.DateTime(),
    "DecimalField": _decimal,
    "DurationField": lambda field: types.Duration(),
    "FileField": _text,
    "FilePathField": _text,
    "FloatField": lambda field: types.Float(),
    "GenericIPAddressField": _address,
    "IntegerField": lambda field: sa.Integer(),
    "JSONField": json_type,
    "PositiveBigIntegerField": _unsigned(sa.BigInteger, mysql.BIGINT),
    "PositiveIntegerField": _unsigned(sa.Integer, mysql.INTEGER),
    "PositiveSmallIntegerField": _unsigned(sa.SmallInteger, mysql.SMALLINT),
    "SlugField": _text,
    "SmallAutoField": _counting(sa.SmallInteger),
    "SmallIntegerField": lambda field: sa.SmallInteger(),
    "TextField": _long_text,
    "TimeField": lambda field: types.Time(),
    "UUIDField": lambda field: types.UUID(),
}


class WrittenType(UserDefinedType[Any]):
    """A column type as a field's `db_type()` writes it."""

    cache_ok = True

    def __init__(self, field: Described) -> None:
        self.field = field

    def get_col_spec(self, **options: Any) -> str:
        return str(self.field.db_type(None))


class Described(Protocol):
    """What the column of a field is made of."""

    def db_type(self, connection: Any) -> str | None:
        """Return the type as the database writes it, None where there is no column."""


class DialectView:
    """What `db_type()` is given as its connection while DDL is compiled."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self.compile_dialect = dialect
        self.vendor = "mysql" if dialect.name == "mariadb" else dialect.name
        self.settings_dict = {"ENGINE": f"django.db.backends.{self.vendor}"}


@compiles(WrittenType)
def _write(type_: WrittenType, compiler: DDLCompiler, **options: Any) -> str:
    return str(type_.field.db_type(DialectView(compiler.dialect)))


class ColumnDescription:
    """The part of a field that describes its column."""

    def get_internal_type(self) -> str:
        """Return the name of the built-in field whose column this one has."""
        return type(self).__name__

    @cached_property
    def column_type(self) -> ColumnType:
        """The SQLAlchemy type of the column; a field may override it. No type where no column is known."""
        if type(self).db_type is not ColumnDescription.db_type:
            return WrittenType(self)
        make = BY_INTERNAL_TYPE.get(self.get_internal_type())
        return sa.types.NullType() if make is None else make(self)

    @property
    def rel_column_type(self) -> ColumnType:
        """The SQLAlchemy type of the column of a foreign key to this field."""
        return self.column_type

    def db_type(self, connection: Database) -> str | None:
        """Return the column's type in SQL. A field may override it, to write a type that SQLAlchemy does not know."""
        return _written(self.column_type, connection)

    def rel_db_type(self, connection: Database) -> str | None:
        """Return the type in SQL of the column of a foreign key to this field."""
        return _written(self.rel_column_type, connection)

    def db_type_parameters(self, connection: Database) -> dict[str, Any]:
        """Return the options that the column's type may depend on."""
        return dict(self.__dict__)

    def db_parameters(self, connection: Database) -> dict[str, Any]:
        """Return the column's type in SQL, and its collation where a field can have one."""
        known = {"collation": self.__dict__["db_collation"]} if "db_collation" in self.__dict__ else {}
        return {"type": self.db_type(connection), "check": None, **known}

    def get_db_converters(self, connection: Database | None = None) -> list[Callable[[Any, Any, Any], Any]]:
        """Return the functions of (value, expression, connection) that a value from the database goes through last."""
        convert = getattr(self, "from_db_value", None)
        return [] if convert is None else [convert]


def _written(type_: ColumnType, connection: Database) -> str | None:
    return None if isinstance(type_, sa.types.NullType) else type_.compile(connection.compile_dialect)
