"""Models as SQLAlchemy tables."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.naming import conv

from facade.exceptions import ImproperlyConfigured, UnsupportedFeature
from facade.expressions.base import Expression, OrderBy
from facade.expressions.q import Q
from facade.expressions.references import F
from facade.expressions.sqltext.fragments import Fragment
from facade.fields.kinds.generated import GeneratedField
from facade.fields.relations.foreign_keys import ForeignKey, lazy_related_operation
from facade.fields.relations.reverse import final_target
from facade.foundation.seams import Seam
from facade.meta import registry
from facade.meta.constraints import CheckConstraint, UniqueConstraint
from facade.meta.indexes import shortened
from facade.meta.options import Options
from facade.sql.core.defaults import FieldColumn, FieldValue, PreparedFieldValue
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import DDLCompiler, SQLCompiler

    from facade.expressions.contracts import Compiler
    from facade.expressions.freezing import Frozen
    from facade.fields import Field
    from facade.meta.constraints import BaseConstraint
    from facade.meta.indexes import Index
    from facade.vendors import Vendor

__all__ = ["ModelExpression", "declare", "metadata", "table_expression", "table_for"]

# (expression, model, dialect) -> a Core element that names columns without their table.
table_expression: Seam[[Any, type[Any], Dialect], sa.ColumnElement[Any]] = Seam(
    "how an expression in a table's definition becomes SQL", filled_by="facade.sql.writes.standalone"
)

_QUALIFIED = re.compile(r'"(?P<schema>[^"]+)"\."(?P<name>[^"]+)"')
_TABLE = "_table"

#: Where a Column's `info` names its field; its table's model is that field's.
FIELD = "facade.field"

# Constants that fields of their own kind take as they are.
_SCALARS = (str, int, bool, float)

# Held while a Table gets its place in a MetaData, so that no name is taken twice.
_making = threading.RLock()


class ModelExpression(sa.ColumnElement[Any]):
    """A condition or expression of a model, made SQL when the dialect is known."""

    __visit_name__ = "model_expression"
    inherit_cache = False

    def __init__(self, model: type[Any], expression: Frozen) -> None:
        self.model, self.source = model, expression


@compiles(ModelExpression)
def _compile_expression(element: ModelExpression, compiler: Compiler, **options: Any) -> str:
    return _as_text(_core_of(element, compiler), compiler, options)


def _core_of(element: ModelExpression, compiler: Compiler) -> sa.ColumnElement[Any]:
    return table_expression(element.source, element.model, compiler.dialect)


def _as_text(core: sa.ColumnElement[Any], compiler: Compiler, options: Mapping[str, Any]) -> str:
    return str(compiler.process(core, **{**options, "literal_binds": True, "include_table": False}))


class IndexExpression(ModelExpression):
    """An expression that an index holds: it stands in parentheses, as MySQL and PostgreSQL ask."""

    inherit_cache = False


@compiles(IndexExpression)
def _compile_index_expression(element: IndexExpression, compiler: Compiler, **options: Any) -> str:
    return f"({_compile_expression(element, compiler, **options)})"


class DefaultExpression(ModelExpression):
    """An expression as ``db_default``. MariaDB takes one that asks a query, and keeps none."""

    inherit_cache = False

    def __init__(self, model: type[Any], field: Field[Any], expression: Frozen) -> None:
        super().__init__(model, expression)
        self.field = field


@compiles(DefaultExpression)
def _compile_default_expression(element: DefaultExpression, compiler: Compiler, **options: Any) -> str:
    core = _core_of(element, compiler)
    if not vendor_of(compiler.dialect).asks_in_defaults and any(map(_asks_a_query, visitors.iterate(core))):
        raise UnsupportedFeature(
            f"The db_default of {element.field} asks a query on MySQL and MariaDB, which have none in a default: a moment is "
            "converted to the time zone by one. Give the field a default in Python, or a constant as db_default."
        )
    return _as_text(core, compiler, options)


def _asks_a_query(item: object) -> bool:
    return isinstance(item, sa.SelectBase) or (isinstance(item, Fragment) and item.has_query)


class DefaultValue(sa.ColumnElement[Any]):
    """A plain ``db_default``, written as the column's type writes it."""

    __visit_name__ = "default_value"
    inherit_cache = False

    def __init__(self, field: Field[Any], value: object) -> None:
        self.field, self.value = field, value


@compiles(DefaultValue)
def _compile_default(element: DefaultValue, compiler: SQLCompiler, **options: Any) -> str:
    value = element.field.get_prep_value(element.value)
    column_type = element.field.column_type.dialect_impl(compiler.dialect)
    process = column_type.bind_processor(compiler.dialect)
    return _literal(value if process is None else process(value), compiler.dialect)


def _literal(value: object, dialect: Dialect) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return ("true" if value else "false") if dialect.supports_native_boolean else str(int(value))
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (bytes, memoryview)):
        return vendor_of(dialect).binary_literal.format(bytes(value).hex())
    text = str(value).replace("'", "''")
    if dialect.identifier_preparer._double_percents:
        text = text.replace("%", "%%")
    if vendor_of(dialect).reads_backslashes and "\\" in text:
        # Whether a backslash escapes what follows is up to the session; digits are read alike by all.
        return f"CONVERT(x'{str(value).encode().hex()}' USING utf8mb4)"
    return f"'{text}'"


class Reference(sa.ForeignKeyConstraint):
    """A foreign key that is checked at the end of the transaction, where the database can wait that long."""

    def __init__(self, columns: Sequence[str], targets: Sequence[str], ondelete: str | None) -> None:
        super().__init__(columns, targets, ondelete=ondelete, deferrable=True, initially="DEFERRED")


@compiles(Reference, "mysql")
@compiles(Reference, "mariadb")
def _compile_immediate(element: object, compiler: DDLCompiler, **options: Any) -> str:
    plain = sa.ForeignKeyConstraint.__new__(sa.ForeignKeyConstraint)
    plain.__dict__.update(element.__dict__, deferrable=None, initially=None)
    return str(compiler.visit_foreign_key_constraint(plain, **options))


class PrimaryKey(sa.PrimaryKeyConstraint):
    """A primary key that has a name where databases keep it: MySQL warns that it does not."""


@compiles(PrimaryKey, "mysql")
@compiles(PrimaryKey, "mariadb")
def _compile_nameless(element: object, compiler: DDLCompiler, **options: Any) -> str:
    plain = sa.PrimaryKeyConstraint.__new__(sa.PrimaryKeyConstraint)
    plain.__dict__.update(element.__dict__, name=None)
    return str(compiler.visit_primary_key_constraint(plain, **options))


# -- the table of a model --------------------------------------------------------------------------


def table_for(model: type[Any]) -> sa.Table:
    """Return the table that holds the model's own columns: made when it is first asked for, the same object ever after.

    A field that the model gains later becomes a column of that Table, so classes that are mapped on it and foreign
    keys that refer to it stay right. Only where a field is replaced or taken away, or the class is defined anew, is
    there another Table, and one for each model that refers to it.

    Tables that its foreign keys refer to are made, too. ``ImproperlyConfigured`` if one refers to a model
    that is not defined, or if another table in the MetaData has the name: two models share a table when one is a
    proxy of the other, or has ``managed = False`` (and a Table in a MetaData apart).
    """
    opts: Options = model._meta
    if opts.existing_table is not None:
        return opts.existing_table
    made: tuple[sa.Table, list[Any]] | None = opts.__dict__.get(_TABLE)
    columns = list(opts.local_concrete_fields)
    if made is not None:
        table, known = made
        if known == columns:
            return table
        if all(field in columns for field in known):
            return _grown(table, opts, columns, [field for field in columns if field not in known])
        _forget_table(opts)
    return _made(opts, columns)


def _made(opts: Options, fields: list[Any]) -> sa.Table:
    if opts.abstract:
        raise TypeError(f"{opts.object_name} is abstract and has no table.")
    _check_targets(opts)
    columns = [_column(opts, field) for field in fields]
    with _making:
        if _TABLE in opts.__dict__:  # another thread has made it meanwhile
            return opts.__dict__[_TABLE][0]  # type: ignore[no-any-return]
        table = _new_table(opts, columns)
        opts.__dict__[_TABLE] = (table, fields)
    try:
        _add_references(table, fields)
    except BaseException:
        _forget_table(opts)
        raise
    for field in fields:
        _add_check(table, field)
    _add_together(table, opts)
    for constraint in opts.constraints:
        _add_constraint(table, opts, constraint)
    for index in opts.indexes:
        _add_index(table, opts, index)
    return table


def _grown(table: sa.Table, opts: Options, fields: list[Any], added: Sequence[Field[Any]]) -> sa.Table:
    """Give the table the columns of fields that the model has gained."""
    _check_targets(opts)
    columns = [_column(opts, field) for field in added]
    with _making:
        if opts.__dict__[_TABLE][1] == fields:
            return table
        for column in columns:
            table.append_column(column)
        opts.__dict__[_TABLE] = (table, fields)
    for field in added:
        _add_check(table, field)
    _add_references(table, added)
    return table


def _new_table(opts: Options, columns: Sequence[sa.Column[Any]]) -> sa.Table:
    qualified = _QUALIFIED.fullmatch(opts.db_table)
    schema, name = (qualified["schema"], qualified["name"]) if qualified else (None, opts.db_table)
    options: dict[str, Any] = {"schema": schema, "comment": opts.db_table_comment or None}
    if opts.db_tablespace:
        options["postgresql_tablespace"] = opts.db_tablespace
    if opts.auto_field is not None and opts.auto_field.model is opts.concrete_model:
        options["sqlite_autoincrement"] = True
    key = PrimaryKey(*[column.name for column in columns if column.primary_key])
    return sa.Table(name, _home(opts, name, schema), *columns, key, **options)


def _home(opts: Options, name: str, schema: str | None) -> sa.MetaData:
    """The MetaData for a table: one apart for tables that are not to be created."""
    if not opts.managed or opts.swapped:
        return sa.MetaData(naming_convention=registry.NAMING_CONVENTION)
    home = opts.apps.metadata if opts.metadata is None else opts.metadata
    schema = schema or home.schema
    there = home.tables.get(f"{schema}.{name}" if schema else name)
    if there is not None:
        _make_room(opts, there)
    return home


def _make_room(opts: Options, there: sa.Table) -> None:
    """Take the table out of its MetaData if its model was defined anew since; refuse a name that another one has."""
    owner = next((column.info[FIELD].model for column in there.columns if FIELD in column.info), None)
    if owner is None:
        raise ImproperlyConfigured(
            f"{opts.label} has the table {there.fullname!r}, which its MetaData has already: one that facade did not "
            "make. Say Meta.table instead of db_table for a model on that table, or give the model another name for its own."
        )
    other: Options = owner._meta
    if other.apps.all_models[other.app_label].get(other.model_name) is owner:
        raise ImproperlyConfigured(
            f"{opts.label} and {other.label} both have the table {there.fullname!r} in one MetaData. Give one of them "
            "another db_table, make it a proxy of the other, or say managed = False if the other one has the table."
        )
    _forget_table(other)


def _forget_table(opts: Options) -> None:
    """Make the table anew when it is asked for, and those that refer to it: they hold its columns."""
    made = opts.__dict__.pop(_TABLE, None)
    if made is None:
        return
    table: sa.Table = made[0]
    table.metadata.remove(table)
    for model in opts.apps.get_models(include_auto_created=True, include_swapped=True):
        known = model._meta.__dict__.get(_TABLE)
        if known is not None and any(key.column.table is table for key in known[0].foreign_keys):
            _forget_table(model._meta)


# -- columns -----------------------------------------------------------------------------------------


def _column(opts: Options, field: Field[Any]) -> sa.Column[Any]:
    items: list[Any] = []
    options: dict[str, Any] = {
        # What a generated column holds follows from its expression, NULL included.
        "nullable": (field.null or field.generated) and not field.primary_key,
        "primary_key": field.primary_key,
        "autoincrement": False,
        "comment": field.db_comment or None,
        "unique": (field.unique and not field.primary_key) or None,
        "index": (field.db_index and not field.unique) or None,
        "info": {FIELD: field},
    }
    if field is opts.auto_field:
        options["autoincrement"] = True
        items.append(sa.Identity(always=False))
    if isinstance(field, GeneratedField):
        items.append(sa.Computed(ModelExpression(opts.model, field.expression), persisted=field.db_persist))
    elif field.has_db_default():
        options["server_default"] = _server_default(opts, field)
    options |= _values_left_out(opts, field)
    return FieldColumn(field.column, field.column_type, *items, **options)


def _values_left_out(opts: Options, field: Field[Any]) -> dict[str, Any]:
    """Return the Column's default and onupdate: what the field makes where a statement of SQLAlchemy's gives no value."""
    made = PreparedFieldValue if final_target(field).prepares_itself(for_save=True) else FieldValue
    if getattr(field, "auto_now", False):
        return {"default": made(field, "present"), "onupdate": made(field, "present")}
    if getattr(field, "auto_now_add", False):
        return {"default": made(field, "present")}
    if not field.has_default() or field.default is None:
        return {}
    if isinstance(field.default, (Expression, F, Q)):
        return {"default": ModelExpression(opts.model, field.default)}
    plain = type(field.default) in _SCALARS and type(field.default) in field.describes
    return {"default": field.default if plain else made(field, "get_default")}


def _server_default(opts: Options, field: Field[Any]) -> Any:
    default = field.db_default
    if isinstance(default, (Expression, F, Q)):
        return DefaultExpression(opts.model, field, default)
    return DefaultValue(field, default)


def _only_where(item: Any, wanted: Callable[[Vendor], bool]) -> Any:
    """Leave a constraint or an index out of the DDL of databases that are not wanted."""

    def decide(ddl: object, target: object, bind: object, *, dialect: sa.Dialect, **details: Any) -> bool:
        return wanted(vendor_of(dialect))

    return item.ddl_if(callable_=decide)


def _add_check(table: sa.Table, field: Field[Any]) -> None:
    """Let the database check what the column's type does not say."""
    column = table.c[field.column]
    kind = field.get_internal_type()
    condition: sa.ColumnElement[bool]
    if kind in ("PositiveBigIntegerField", "PositiveIntegerField", "PositiveSmallIntegerField"):
        condition, wanted = column >= 0, lambda vendor: not vendor.has_unsigned_columns
    elif kind == "JSONField":
        condition, wanted = (
            sa.func.json_valid(column) | column.is_(None),
            lambda vendor: not vendor.checks_documents,
        )
    else:
        return
    check = sa.CheckConstraint(condition, name=conv(shortened(f"{table.name}_{column.name}_check")))
    table.append_constraint(_only_where(check, wanted))


def _refused_where(table: sa.Table, name: str, what: str, known: Callable[[Vendor], bool]) -> None:
    """Refuse to create the table in a database that would not keep what a constraint promises."""

    def refuse(target: object, connection: sa.Connection, **details: Any) -> None:
        vendor = vendor_of(connection.dialect)
        if not known(vendor):
            raise UnsupportedFeature(
                f"The database ({vendor.server}) cannot keep the constraint {name!r} of the table "
                f"{table.name!r}: it knows no {what}. Take it out of Meta.constraints, or give the model a table "
                "in a database that does."
            )

    sa.event.listen(table, "before_create", refuse)


# -- constraints -------------------------------------------------------------------------------------


def _check_targets(opts: Options) -> None:
    for field in opts.local_concrete_fields:
        target = field.remote_field.model if isinstance(field, ForeignKey) else None
        if isinstance(target, str):
            raise ImproperlyConfigured(
                f"{opts.label}.{field.name} refers to '{target}', which is not defined. Import the module that "
                "defines it."
            )


def _add_references(table: sa.Table, fields: Iterable[Field[Any]]) -> None:
    for field in fields:
        if not isinstance(field, ForeignKey):
            continue
        target = field.remote_field.model
        if field.db_constraint and not target._meta.swapped:
            far = field.target_field.column_in(table_for(target._meta.concrete_model))
            action = getattr(field.remote_field.on_delete, "operation", None)
            table.append_constraint(Reference([table.c[field.column]], [far], ondelete=action))


def _columns(table: sa.Table, opts: Options, names: Iterable[str]) -> list[sa.Column[Any]]:
    return [table.c[opts.get_field(name).column] for name in names]


def _add_together(table: sa.Table, opts: Options) -> None:
    for names in opts.unique_together:
        table.append_constraint(sa.UniqueConstraint(*_columns(table, opts, names)))


def _add_constraint(table: sa.Table, opts: Options, constraint: BaseConstraint) -> None:
    if isinstance(constraint, CheckConstraint):
        condition = ModelExpression(opts.model, constraint.condition)
        table.append_constraint(sa.CheckConstraint(condition, name=conv(constraint.name)))
    elif isinstance(constraint, UniqueConstraint):
        _add_unique(table, opts, constraint)


def _add_unique(table: sa.Table, opts: Options, constraint: UniqueConstraint) -> None:
    if constraint.condition:
        _refused_where(
            table,
            constraint.name,
            "unique indexes with a condition",
            lambda vendor: vendor.supports_partial_indexes,
        )
    if constraint.expressions:
        _refused_where(
            table,
            constraint.name,
            "indexes of expressions",
            lambda vendor: vendor.supports_expression_indexes,
        )
    if constraint.deferrable is not None:
        _refused_where(
            table,
            constraint.name,
            "deferrable unique constraints",
            lambda vendor: vendor.supports_deferrable_unique_constraints,
        )
    if constraint.nulls_distinct is False:
        _refused_where(
            table,
            constraint.name,
            "NULLS NOT DISTINCT",
            lambda vendor: vendor.supports_nulls_distinct_unique_constraints,
        )
    if constraint.condition or constraint.expressions or constraint.include or constraint.opclasses:
        _add_index(table, opts, constraint, unique=True, nulls_distinct=constraint.nulls_distinct)
        return
    options: dict[str, Any] = {}
    if constraint.deferrable is not None:
        options.update(deferrable=True, initially=constraint.deferrable.value.upper())
    if constraint.nulls_distinct is not None:
        options["postgresql_nulls_not_distinct"] = not constraint.nulls_distinct
    columns = _columns(table, opts, constraint.fields)
    table.append_constraint(sa.UniqueConstraint(*columns, name=conv(constraint.name), **options))


def _add_index(
    table: sa.Table,
    opts: Options,
    index: Index | UniqueConstraint,
    unique: bool = False,
    nulls_distinct: bool | None = None,
) -> None:
    options: dict[str, Any] = {}
    if index.condition is not None:
        condition = ModelExpression(opts.model, index.condition)
        options.update(sqlite_where=condition, postgresql_where=condition)
    if index.include:
        options["postgresql_include"] = [column.name for column in _columns(table, opts, index.include)]
    if nulls_distinct is not None:
        options["postgresql_nulls_not_distinct"] = not nulls_distinct
    items = list(_index_items(table, opts, index))
    if index.opclasses:
        options["postgresql_ops"] = dict(zip((item.name for item in items), index.opclasses, strict=True))
    # Where a database knows no partial indexes, or none of expressions, it does without: an index is no promise.
    made = sa.Index(conv(index.name), *items, unique=unique, _table=table, **options)
    if index.expressions:
        _only_where(made, lambda vendor: vendor.supports_expression_indexes)


def _index_items(table: sa.Table, opts: Options, index: Index | UniqueConstraint) -> Iterator[Any]:
    for expression in index.expressions:
        yield _index_item(table, opts, expression)
    for name, order in getattr(index, "fields_orders", [(name, "") for name in index.fields]):
        (column,) = _columns(table, opts, [name])
        yield column.desc() if order else column


def _index_item(table: sa.Table, opts: Options, expression: Frozen) -> Any:
    if isinstance(expression, OrderBy):
        item = _index_item(table, opts, expression.expression)
        item = item.desc() if expression.descending else item.asc()
        item = item.nulls_first() if expression.nulls_first else item
        return item.nulls_last() if expression.nulls_last else item
    if type(expression) is F:
        return _columns(table, opts, [expression.name])[0]
    return IndexExpression(opts.model, expression)


# -- all tables --------------------------------------------------------------------------------------


def declare(model: type[Any]) -> None:
    """Make the model's table as soon as the models it refers to are defined."""
    targets = [
        field.remote_field.model
        for field in model._meta.local_concrete_fields
        if isinstance(field, ForeignKey)
    ]
    lazy_related_operation(lambda owner, *_: table_for(owner), model, *targets)


def metadata(apps: registry.Apps | None = None) -> sa.MetaData:
    """Return the MetaData with the tables of all models that have no ``Meta.metadata`` of their own.

    This is what Alembic's ``target_metadata`` wants.
    """
    apps = registry.apps if apps is None else apps
    for model in apps.get_models(include_auto_created=True):
        if not (model._meta.proxy or model._meta.stands_on is not None):
            table_for(model)
    return apps.metadata


Options.build_table.fill(table_for)
