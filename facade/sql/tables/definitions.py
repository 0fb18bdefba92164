"""Models as SQLAlchemy tables."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.naming import conv

from facade.exceptions import ImproperlyConfigured, UnsupportedFeature
from facade.expressions.base import Expression, OrderBy
from facade.expressions.q import Q
from facade.expressions.references import F
from facade.fields.kinds.composite import CompositePrimaryKey
from facade.fields.kinds.generated import GeneratedField
from facade.fields.relations.foreign_keys import ForeignKey, lazy_related_operation
from facade.fields.relations.reverse import final_target
from facade.meta import registry
from facade.meta.constraints import CheckConstraint, UniqueConstraint
from facade.meta.naming import NAMING_CONVENTION, server_name, shortened
from facade.meta.options import Options
from facade.sql.core.defaults import FieldColumn, FieldValue, PreparedFieldValue
from facade.sql.tables.elements import (
    Counted,
    DefaultExpression,
    DefaultValue,
    Generated,
    IndexExpression,
    ModelExpression,
    PrimaryKey,
    Reference,
    add_sequence,
)
from facade.sql.tables.variants import add_indexes, add_together, only_where
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from facade.expressions.freezing import Frozen
    from facade.fields import Field
    from facade.meta.constraints import BaseConstraint
    from facade.meta.indexes import Index
    from facade.vendors import Vendor

__all__ = ["check_promises", "declare", "metadata", "table_for"]

_QUALIFIED = re.compile(r'"(?P<schema>[^"]+)"\."(?P<name>[^"]+)"')
_TABLE = "_table"

#: Where a Column's `info` names its field; its table's model is that field's.
FIELD = "facade.field"
_PROMISES = "facade.promises"

# Constants that fields of their own kind take as they are.
_SCALARS = (str, int, bool, float)

# Held while a Table gets its place in a MetaData, so that no name is taken twice.
_making = threading.RLock()


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
    _add_checks_and_indexes(table, fields)
    for names in opts.unique_together:
        add_together(table, _columns(table, opts, names))
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
    _add_checks_and_indexes(table, added)
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
    key = PrimaryKey(*[field.column for field in opts.pk_fields])
    table = sa.Table(name, _home(opts, name, schema), *columns, key, **options)
    if opts.auto_field in opts.local_concrete_fields:
        add_sequence(table, _sequence_name(opts, opts.auto_field))
    return table


def _home(opts: Options, name: str, schema: str | None) -> sa.MetaData:
    """The MetaData for a table: one apart for tables that are not to be created."""
    if not opts.managed or opts.swapped:
        return sa.MetaData(naming_convention=NAMING_CONVENTION)
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
        "primary_key": field is opts.pk,
        "autoincrement": False,
        "comment": field.db_comment or None,
        "unique": (field.unique and not field.primary_key) or None,
        "info": {FIELD: field},
    }
    if field is opts.auto_field:
        options["autoincrement"] = True
        items.append(Counted(_sequence_name(opts, field)))
    if isinstance(field, GeneratedField):
        items.append(Generated(ModelExpression(opts.model, field.expression), persisted=field.db_persist))
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


def _sequence_name(opts: Options, field: Field[Any]) -> str:
    qualified = _QUALIFIED.fullmatch(opts.db_table)
    return shortened(f"{qualified['name'] if qualified else opts.db_table}_{field.column}_seq")


def _server_default(opts: Options, field: Field[Any]) -> Any:
    default = field.db_default
    if isinstance(default, (Expression, F, Q)):
        return DefaultExpression(opts.model, field, default)
    return DefaultValue(field, default)


def _add_checks_and_indexes(table: sa.Table, fields: Iterable[Field[Any]]) -> None:
    for field in fields:
        _add_check(table, field)
        add_indexes(table, field)


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
    check = sa.CheckConstraint(condition, name=server_name(table.name, column.name, "check"))
    table.append_constraint(only_where(check, wanted))


class _Promise(NamedTuple):
    """What a constraint promises, which databases without something cannot keep."""

    name: str
    what: str
    known: Callable[[Vendor], bool]


def _refused_where(table: sa.Table, name: str, what: str, known: Callable[[Vendor], bool]) -> None:
    """Refuse to create the table in a database that would not keep what a constraint promises."""
    table.info.setdefault(_PROMISES, []).append(_Promise(name, what, known))

    def refuse(target: sa.Table, connection: sa.Connection, **details: Any) -> None:
        check_promises(target, connection.dialect)

    if len(table.info[_PROMISES]) == 1:
        sa.event.listen(table, "before_create", refuse)


def check_promises(table: sa.Table, dialect: sa.Dialect) -> None:
    """Raise ``UnsupportedFeature`` where a database cannot keep what a table's constraints promise."""
    vendor = vendor_of(dialect)
    for name, what, known in table.info.get(_PROMISES, ()):
        if not known(vendor):
            raise UnsupportedFeature(
                f"The database ({vendor.server}) cannot keep the constraint {name!r} of the table "
                f"{table.name!r}: it knows no {what}. Take it out of Meta.constraints, or give the model a table "
                "in a database that does."
            )


# -- constraints -------------------------------------------------------------------------------------


def _check_targets(opts: Options) -> None:
    for field in opts.local_concrete_fields:
        target = field.remote_field.model if isinstance(field, ForeignKey) else None
        if isinstance(target, str):
            raise ImproperlyConfigured(
                f"{opts.label}.{field.name} refers to '{target}', which is not defined. Import the module that "
                "defines it."
            )
        if target is not None and isinstance(field.foreign_related_fields[0], CompositePrimaryKey):
            raise UnsupportedFeature(
                f"{opts.label}.{field.name} refers to {target._meta.label}, whose primary key has several columns. A foreign "
                "key refers to one: name a unique field of that model as to_field, or use a ForeignObject over fields of your "
                "own for the columns."
            )


def _add_references(table: sa.Table, fields: Iterable[Field[Any]]) -> None:
    for field in fields:
        if not isinstance(field, ForeignKey):
            continue
        target = field.remote_field.model
        if field.db_constraint and not target._meta.swapped:
            far = field.target_field.column_in(table_for(target._meta.concrete_model))
            action = getattr(field.remote_field.on_delete, "operation", None)
            reference = Reference([table.c[field.column]], [far], ondelete=action)
            table.append_constraint(only_where(reference, lambda vendor: vendor.supports_foreign_keys))


def _columns(table: sa.Table, opts: Options, names: Iterable[str]) -> list[sa.Column[Any]]:
    fields = [opts.get_field(name) for name in names]
    for field in fields:
        if not field.concrete:
            raise ImproperlyConfigured(
                f"'{field.name}' of {opts.label} has no column: name the fields that hold its values."
            )
    return [table.c[field.column] for field in fields]


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
        options.update(sqlite_where=condition, postgresql_where=condition, mssql_where=condition)
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
        only_where(made, lambda vendor: vendor.supports_expression_indexes)


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
    if type(expression) is F and "__" not in expression.name:  # else it goes on into the column's value
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
    """Return the MetaData with the tables of all models that have no ``Meta.metadata`` of their own, and their many-to-many tables.

    This is what Alembic's ``target_metadata`` wants. Models that are not imported have no table in it: import them first, or
    call ``facade.apps.apps.import_models()``. Tables that models use and do not own (``Meta.table``, ``managed = False``)
    are not in it. ``apps`` is another registry than the program's.

    Raises ``ImproperlyConfigured`` where a model refers to one that is not defined.

    >>> from facade.apps import Apps
    >>> sorted(metadata(Apps()).tables)
    []
    """
    apps = registry.current() if apps is None else apps
    for model in apps.get_models(include_auto_created=True):
        if not (model._meta.proxy or model._meta.stands_on is not None):
            table_for(model)
    return apps.metadata


Options.build_table.fill(table_for)
