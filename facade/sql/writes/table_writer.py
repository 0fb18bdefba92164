"""What all writes share: the columns of one table, the plans' cache, compiled text and the seam for expressions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import sqlalchemy as sa

from facade.db.channels.channel import Statement
from facade.db.plan_keys import outdated
from facade.exceptions import UnsupportedFeature
from facade.expressions.calls import DatabaseDefault
from facade.expressions.freezing import Frozen
from facade.expressions.names import referenced_names
from facade.fields import Field
from facade.foundation.seams import Seam
from facade.sql.core.parameters import compile_core, compile_statement
from facade.sql.values import Constant, ParameterSource, reader, reader_there, takes_none
from facade.sql.writes.versions import seen_field

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

    from facade.db.channels.channel import Params
    from facade.db.connection import Database
    from facade.fields.contracts import Instance
    from facade.meta.options import Options
    from facade.meta.versions import Version
    from facade.vendors import Vendor

P = TypeVar("P")

# (expression, model, field it is stored in, database, whether the row is new) -> a Core element without joins.
stored_expression: Seam[[Any, type[Any], Field[Any], Database, bool], sa.ColumnElement[Any]] = Seam(
    "how an expression that a row stores becomes SQL", filled_by="facade.sql.writes.standalone"
)

WHERE = "facade_where_"
_SEEN = f"{WHERE}version"
_KEPT = 8
PLANS_MAX = 256  # per table; a program that saves ever new sets of fields starts again


class Generation:
    """Counts the changes of settings: a plan holds converters that settings such as USE_TZ decide about."""

    number = 0


@outdated
def _forget_plans() -> None:
    Generation.number += 1


class Columns(tuple[Field[Any], ...]):
    """The fields that a statement names. A table's writer keeps one object for each choice: caches find it by identity."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class TableWriter:
    """The columns of one model's own table, sorted by what a write does with them, and the compiled plans."""

    def __init__(self, opts: Options) -> None:
        opts.check_writable()
        self.model: Any = opts.model
        self.table: sa.Table = opts.table
        local = tuple(opts.local_concrete_fields)
        self.pk_fields = tuple(opts.pk_fields)
        self.auto_field = opts.auto_field
        # The key is counted by the database, and nothing in Python has a say in it.
        self.counts_keys = opts.pk is self.auto_field and not opts.pk.has_default()
        self.makes_keys = bool(self.pk_fields) and all(
            field.has_default() or field.has_db_default() for field in self.pk_fields
        )
        self.generated = tuple(field for field in local if field.generated)
        self._columns: dict[tuple[str, ...], Columns] = {}
        self._named: dict[frozenset[str], Columns] = {}
        self.fields = self.columns(field for field in local if not field.generated)
        self.fields_without_auto = self.columns(
            field for field in self.fields if field is not self.auto_field
        )
        # What every UPDATE changes, named or not: in Python, or in the database, which is left to do so.
        self.refreshed = tuple(field for field in opts.self_updating_fields if field.on_update)
        self.remade = tuple(field for field in opts.self_updating_fields if not field.on_update)
        self.updatable = self.columns(
            field for field in self.fields if field not in self.pk_fields and field not in self.remade
        )
        self.version: Version | None = opts.concrete_model._meta.version
        self.seen_version = None if self.version is None else seen_field(self.version)
        self.in_context = tuple(field for field in local if field.default_in_context is not None)
        # Whether instances can be bound to an INSERT as they are.
        self.inserts_plainly = self.version is None and not self.in_context
        self.defaulted = frozenset(field for field in self.fields if field.has_db_default())
        self.returned = tuple(field for field in local if getattr(field, "db_returning", False))
        self.plans: dict[Any, Any] = {}
        self.generation = Generation.number

    def generated_from(self, fields: Iterable[Field[Any]]) -> list[Field[Any]]:
        """Return the columns that the database computes when `fields` are updated."""
        names = {name for field in fields for name in (field.name, field.attname)}
        computed = [
            field
            for field in self.generated
            if field.existing is not None or not names.isdisjoint(referenced_names(field.expression))
        ]
        return [*computed, *(field for field in self.remade if field not in fields)]

    def with_refreshed(self, fields: Sequence[Field[Any]]) -> tuple[Field[Any], ...]:
        """Return the fields that an UPDATE of `fields` names."""
        changed = self.refreshed
        if self.version is not None and self.version.following is not None:
            changed = (*changed, self.version.field)
        return (*fields, *(field for field in changed if field not in fields))

    def fills_in(self, fields: Sequence[Field[Any]]) -> bool:
        """Whether an INSERT of `fields` writes defaults of other columns, which the database itself does not know."""
        others = (field.existing for field in self.fields if field not in fields)
        return any(column is not None and column.default is not None for column in others)

    def keeps_default(self, field: Field[Any]) -> bool:
        """Whether the database itself has the default of a column, and not the statement."""
        return field in self.defaulted and (field.existing is None or field.existing.default is None)

    def column(self, field: Field[Any]) -> sa.Column[Any]:
        return field.column_in(self.table)

    def columns(self, fields: Iterable[Field[Any]]) -> Columns:
        """Return the object that stands for these fields in statements."""
        columns = Columns(fields)
        names = tuple(field.attname for field in columns)
        if len(self._columns) >= PLANS_MAX:
            self._columns.clear()
        return self._columns.setdefault(names, columns)

    def left_out(self, features: Vendor) -> frozenset[Field[Any]]:
        """Return the columns with a default that an INSERT may leave to the database.

        SQLite counts an integer key on that is left out, whatever its default.
        """
        return self.defaulted.difference(self.pk_fields) if features.counts_left_out_keys else self.defaulted

    def named(self, names: Collection[str]) -> Columns:
        """Return the columns that an UPDATE of the fields with these names may change."""
        key = frozenset(names)
        if (found := self._named.get(key)) is None:
            if len(self._named) >= PLANS_MAX:
                self._named.clear()
            found = self._named[key] = self.columns(
                field for field in self.updatable if field.name in key or field.attname in key
            )
        return found

    def given_fields(self, obj: Instance, fields: Columns, features: Vendor) -> Columns:
        """Return the fields that an INSERT of `obj` names: columns whose value the database makes stay out."""
        made = self.left_out(features)
        return self.columns(
            field
            for field in fields
            if field not in made or type(getattr(obj, field.attname)) is not DatabaseDefault
        )

    def plan(self, make: Callable[..., P], database: Database, *choices: Any) -> P:
        """Return the plan that `make(self, database, *choices)` builds, from the cache when it was built before."""
        if self.generation != Generation.number:
            self.plans, self.generation = {}, Generation.number
        plans = self.plans  # what is being made while settings change is put where nobody looks any more
        key = (make, database.plan_key, choices)
        if (found := plans.get(key)) is None:
            if len(plans) >= PLANS_MAX:
                plans.clear()
            found = plans[key] = make(self, database, *choices)
        return found


def table_writer(model: type[Any]) -> TableWriter:
    """Return the writer of the table that `model` (not one of its parents) is stored in."""
    found: TableWriter = model._meta.derived[TableWriter]
    return found


def keep(statements: dict[int, Statement], rows: int, sql: str, returns: bool = False) -> Statement:
    """Return the statement for so many rows, and keep it beside those for a few other numbers."""
    if len(statements) > _KEPT:
        statements.clear()
    made = statements[rows] = Statement(sql, returns=returns)
    return made


class Text(NamedTuple):
    """SQL with its parameters' names in order, and the driver's values of those that are constants of the statement."""

    sql: str
    names: Sequence[str]
    constants: Mapping[str, Any] = {}


def compile_text(statement: sa.ClauseElement, dialect: Dialect, columns: Iterable[str] | None = None) -> Text:
    """Compile a Core statement whose parameters come later; `columns` are those an INSERT or UPDATE names."""
    names = None if columns is None else list(columns)
    compiled = compile_core(statement, dialect=dialect, column_keys=names)
    return Text(str(compiled), tuple(compiled.positiontup or ()), _constants(compiled))


def _constants(compiled: SQLCompiler) -> dict[str, Any]:
    """Return the parameters that an existing table's defaults bring along."""
    given = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
    processors: Mapping[str, Any] = compiled._bind_processors
    return {
        name: processors[name](value) if name in processors else value
        for name, value in given.items()
        if value is not None
    }


def compile_values(statement: sa.ClauseElement, dialect: Dialect) -> tuple[str, Params]:
    """Compile a Core statement that holds its values; return the SQL and the driver's parameters."""
    return _with_values(compile_statement(statement, dialect, render_postcompile=True))


def compile_head(statement: sa.ClauseElement, dialect: Dialect) -> tuple[str, Sequence[Any]]:
    """Compile a Core statement that more parameters are put behind: its own stand by position."""
    compiled = compile_core(statement, dialect=dialect, compile_kwargs={"render_postcompile": True})
    sql, params = _with_values(compiled)
    return sql, tuple(params)


def _with_values(compiled: SQLCompiler) -> tuple[str, Params]:
    values = compiled.construct_params(escape_names=False)
    processors: Mapping[str, Any] = compiled._bind_processors

    def driven(name: str) -> Any:
        return processors[name](values[name]) if name in processors else values[name]

    if compiled.positional:
        return str(compiled), tuple(driven(name) for name in compiled.positiontup or ())
    escaped = compiled.escaped_bind_names
    return str(compiled), {escaped.get(name, name): driven(name) for name in values}


def identifying(writer: TableWriter) -> tuple[Field[Any], ...]:
    """Return the fields of the primary key; UnsupportedFeature where there is none, and all rows would be meant."""
    if not writer.pk_fields:
        raise UnsupportedFeature(
            f"{writer.model._meta.label} has no primary key by which a row could be written or deleted."
        )
    return writer.pk_fields


def where_pk(writer: TableWriter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that single out one row, with parameters named by `WHERE` and the field's number."""
    columns = [writer.column(field) for field in identifying(writer)]
    return [column == sa.bindparam(f"{WHERE}{i}", type_=column.type) for i, column in enumerate(columns)]


def where_seen(writer: TableWriter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that single out one row, in the state that the instance was loaded in if rows have versions."""
    conditions = where_pk(writer)
    if (field := writer.seen_version) is not None:
        column = writer.column(field)
        seen = sa.bindparam(_SEEN, type_=column.type)
        conditions.append(column.is_not_distinct_from(seen) if column.nullable else column == seen)
    return conditions


def sources(
    writer: TableWriter, fields: Sequence[Field[Any]], text: Text, add: bool | None
) -> list[ParameterSource]:
    """Return where each parameter of a text comes from: a column of `fields`, a part of the primary key, or a constant."""
    known: dict[str, ParameterSource] = {
        name: (Constant(value), None) for name, value in text.constants.items()
    }
    known.update({writer.column(field).key: (field, add) for field in fields})
    known.update({f"{WHERE}{i}": (field, None) for i, field in enumerate(writer.pk_fields)})
    if writer.seen_version is not None:
        known[_SEEN] = (writer.seen_version, None)
    return [known[name] for name in text.names]


def column_element(
    writer: TableWriter, field: Field[Any], value: object, database: Database, new: bool
) -> sa.ColumnElement[Any]:
    """Return the Core form of one value to store, be it a plain one or an expression."""
    if isinstance(value, DatabaseDefault):
        if new and writer.keeps_default(field) and database.features.has_default_keyword:
            return sa.literal_column("DEFAULT")
        value = value.expression
    if isinstance(value, Frozen):
        return stored_expression(value, writer.model, field, database, new)
    stored = field.stored(value, database)
    if stored is None and takes_none(field.column_type, database.compile_dialect):
        return sa.null()
    return sa.bindparam(None, stored, type_=writer.column(field).type, unique=True)


class Returned:
    """The columns a write gives back and how they come to the instance."""

    __slots__ = ("columns", "fields", "key", "readers")

    def __init__(self, writer: TableWriter, fields: Iterable[Field[Any]], database: Database) -> None:
        self.fields = tuple(fields)
        self.columns = [writer.column(field) for field in self.fields]
        dialect = database.compile_dialect
        self.readers = [(field.attname, reader(field, dialect)) for field in self.fields]
        # The attribute of the only column, whose value is right as it is: that of a counted key in most cases.
        plain = len(self.readers) == 1 and self.readers[0][1] is None
        self.key = self.readers[0][0] if plain else None

    def assign(self, obj: Instance, row: Sequence[Any], database: Database) -> None:
        for (attname, reads), value in zip(self.readers, row, strict=True):
            read = reader_there(reads, database)
            setattr(obj, attname, value if read is None else read(value))

    def assign_all(self, objs: Sequence[Any], rows: Sequence[Sequence[Any]], database: Database) -> None:
        """Assign one row to each instance; without rows the database has given nothing back."""
        if rows and (attname := self.key) is not None:
            for obj, (key,) in zip(objs, rows, strict=True):
                setattr(obj, attname, key)
        elif rows:
            for obj, row in zip(objs, rows, strict=True):
                self.assign(obj, row, database)


def forget(obj: Instance, fields: Iterable[Field[Any]]) -> None:
    """Make `fields` deferred on `obj`: the database has computed values that it could not return."""
    for field in fields:
        obj.__dict__.pop(field.attname, None)
