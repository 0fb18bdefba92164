"""The column types of fields, by the internal type that a field names."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine, UserDefinedType

from facade.types.own import own_type
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import DDLCompiler

    from facade.db.database import Database


ColumnType = TypeEngine[Any]


class Declared(Protocol):
    """A field as its class body declared it."""

    name: Any
    max_length: int | None


def text_column(field: Declared) -> ColumnType:
    """Return the type of a column of texts that have a longest length."""
    return sa.String(field.max_length, collation=getattr(field, "db_collation", None))


def unsigned(kind: type[sa.Integer], of_mysql: Callable[..., TypeEngine[int]]) -> ColumnType:
    """Return an integer type without a sign, where the database has one."""
    return kind().with_variant(of_mysql(unsigned=True), "mysql", "mariadb")


def counting(kind: type[sa.Integer]) -> ColumnType:
    """Return the type of a column that counts by itself: SQLite does so only in those of the type INTEGER."""
    return kind().with_variant(sa.Integer(), "sqlite")


class WrittenType(UserDefinedType[Any]):
    """A column type as a field's `db_type()` writes it."""

    cache_ok = True

    def __init__(self, field: HasColumn) -> None:
        self.field = field

    def get_col_spec(self, **options: Any) -> str:
        return str(self.field.db_type(None))


class HasColumn(Protocol):
    """What the column of a field is made of."""

    def db_type(self, connection: Any) -> str | None:
        """Return the type as the database writes it, None where there is no column."""


class DialectView:
    """What `db_type()` is given as its connection while DDL is compiled."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self.compile_dialect = dialect
        self.features = vendor_of(dialect)
        self.vendor = self.features.name
        self.settings_dict = {"ENGINE": f"django.db.backends.{self.vendor}"}


@compiles(WrittenType)
def _write(type_: WrittenType, compiler: DDLCompiler, **options: Any) -> str:
    return str(type_.field.db_type(DialectView(compiler.dialect)))


class ColumnDescription:
    """The part of a field that describes its column."""

    name: Any
    column: Any
    max_length: int | None

    existing: sa.Column[Any] | None = None
    """The column of a table that is somebody else's (`Meta.table`), where the field stands on one."""
    inferred = False
    """Whether the field was made of its existing column, and not declared."""
    default_in_context: Callable[[Any], Any] | None = None
    """What makes the value of the existing column in an INSERT that gives none, of the row's other values."""
    on_update: Callable[[], Any] | None = None
    """What makes the value that every UPDATE of a row gives the existing column."""
    made_on_update = False
    """Whether the database makes that value."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _by_name.setdefault(cls.__name__, cls)

    def get_internal_type(self) -> str:
        """Return the name of the built-in field whose column this one has."""
        return type(self).__name__

    @staticmethod
    def column_of(field: Declared) -> ColumnType:
        """Return the column type of fields whose internal type is this class's name: for built-in fields to say."""
        return sa.types.NullType()

    @cached_property
    def column_type(self) -> ColumnType:
        """The SQLAlchemy type of the column; a field may override it. No type where no column is known."""
        if type(self).db_type is not ColumnDescription.db_type:
            return WrittenType(self)
        for kind in type(self).__mro__:
            if "column_of" in vars(kind) and kind is not ColumnDescription:
                return kind.column_of(self)  # type: ignore[attr-defined,no-any-return]
            if "get_internal_type" in vars(kind):
                break
        return column_named(self.get_internal_type(), self)

    def stand_on(self, column: sa.Column[Any]) -> None:
        """Take a column of somebody else's table: its own type binds and reads the values."""
        self.existing, self.column = column, column.name
        self.__dict__["column_type"] = own_type(column.type)

    @property
    def column_key(self) -> str:
        """What the column is called among those of its `Table`."""
        return str(self.column if self.existing is None else self.existing.key)

    def column_in(self, table: sa.FromClause) -> sa.Column[Any]:
        """Return the field's column in the model's `Table`, or in an alias of it."""
        found: Any = table.c[self.column_key]
        return found  # type: ignore[no-any-return]

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


# The first class of a name, as long as there is one: facade's own before those of users.
_by_name: WeakValueDictionary[str, type[ColumnDescription]] = WeakValueDictionary()


def column_named(internal_type: str, field: Declared) -> ColumnType:
    """Return the column type that a field has whose internal type is the name of this class."""
    named = _by_name.get(internal_type)
    return sa.types.NullType() if named is None else named.column_of(field)


def _written(type_: ColumnType, connection: Database) -> str | None:
    return None if isinstance(type_, sa.types.NullType) else type_.compile(connection.compile_dialect)
