"""The assignments of QuerySet.update()."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldError
from facade.expressions.base import OrderBy
from facade.expressions.freezing import PLAIN, Arg
from facade.expressions.names import referenced_names
from facade.expressions.subquery import Embedded
from facade.fields.declarations import LOOKUP_SEP
from facade.fields.kinds.composite import CompositePrimaryKey
from facade.fields.relations.reverse import final_target
from facade.sql.query import paths
from facade.sql.values import no_value, preparing

if TYPE_CHECKING:
    from facade.expressions.base import Expression
    from facade.fields import Field
    from facade.meta.options import Options
    from facade.sql.query.query import Query as SQLQuery


_ANY = ""  # a kind of database of which nothing is known


def set_updates(query: SQLQuery, values: tuple[tuple[str, Any], ...]) -> None:
    """Resolve the assignments of update(); raises FieldError for names that are no columns of the model."""
    _check_order(query)
    # order_by() stays: MySQL can update in an order
    query.order = replace(query.order, extra_order=(), default_ordering=False)
    query.selection = replace(query.selection, default_cols=True)
    updates = []
    for name, value in values:
        field = _updatable(query.opts, name)
        updates.append((field, _resolved(query, field, value)))
    query.updates = tuple(updates)


def with_refreshed(opts: Options, values: dict[str, Any]) -> dict[str, Any]:
    """Return the assignments of update() with those that every UPDATE of an existing table makes."""
    makers = {field: field.on_update for field in opts.self_updating_fields}
    if (version := opts.concrete_model._meta.version) is not None and version.following is not None:
        makers[version.field] = version.next_of_many
    made = {
        field.attname: make()
        for field, make in makers.items()
        if make and values.keys().isdisjoint((field.name, field.attname))
    }
    return {**values, **made}


def set_stored(query: SQLQuery, values: tuple[tuple[str, Any], ...]) -> None:
    """Resolve what a row's columns are assigned when an instance is saved."""
    fields = ((_known_field(query.opts, name), value) for name, value in values)
    query.updates = tuple((field, _resolved(query, field, value)) for field, value in fields)


def _check_order(query: SQLQuery) -> None:
    for item in query.order.order_by:
        name: Any = item.removeprefix("-") if isinstance(item, str) else getattr(item, "name", None)
        annotation = query.annotations.get(name)
        if annotation is not None and annotation.contains_aggregate:
            raise FieldError(f"Cannot update when ordering by an aggregate: {annotation}")


def tables_of(opts: Options, names: Iterable[str]) -> dict[type[Any], list[str]]:
    """Group the names of update() by the model, the own one or a parent, whose table holds the column."""
    tables: dict[type[Any], list[str]] = {}
    for name in names:
        model = _updatable(opts, name).model._meta.concrete_model
        tables.setdefault(model, []).append(name)
    return tables


def check_sources(opts: Options, model: type[Any], name: str, value: object) -> None:
    """Raise FieldError for a value of a column of the parent `model` that reads a column only the child's table has."""
    for source in referenced_names(value):
        if source not in paths.field_names(model._meta) and source in paths.field_names(opts):
            raise FieldError(
                f"Cannot update '{name}' from '{source}': '{source}' is a column of {opts.object_name}, '{name}' one of "
                f"{model._meta.object_name}, and each table is updated by itself. Read it in a Subquery of "
                f"{opts.object_name} with OuterRef('pk')."
            )


def _updatable(opts: Options, name: str) -> Any:
    field = _known_field(opts, name)
    if getattr(field, "generated", False):
        raise FieldError(f"Generated field {field} cannot be updated.")
    if isinstance(field, CompositePrimaryKey):
        raise FieldError("Composite primary key fields must be updated individually.")
    if not field.concrete or (field.is_relation and field.many_to_many):
        raise FieldError(f"Cannot update model field {field!r} (only concrete fields are permitted).")
    return field


def _known_field(opts: Options, name: str) -> Any:
    if name == "pk":
        return opts.pk
    for field in opts.concrete_fields:
        if name in (field.name, field.attname):
            return field
    if LOOKUP_SEP in name:
        raise paths.unknown_name(name, paths.field_names(opts))
    return opts.get_field(name)


def _resolved(query: SQLQuery, field: Field[Any], value: object) -> Any:
    if isinstance(value, Arg):
        return query.place(value, _prepare(query.model, field))
    if value is None or not hasattr(value, "resolve_expression"):
        return value
    resolved = (
        value.resolve_expression(query, allow_joins=False, for_save=True)
        if not isinstance(value, Embedded)
        else value
    )
    check_assigned(field, resolved)
    if resolved.is_composite:
        name = getattr(value, "name", value)
        raise FieldError(
            f"Composite primary keys expressions are not allowed in this query ({field.name}=F({name!r}))."
        )
    if isinstance(resolved, Embedded):
        resolved = Embedded(resolved.query.clone(), resolved.offset)
        if not resolved.query.has_select_fields and not resolved.query.select:
            resolved.query.select_only("pk")
    return resolved


def check_assigned(field: Field[Any], resolved: Expression) -> None:
    """Raise FieldError where a row would be assigned an order, or what is known of many rows only."""
    if isinstance(resolved, OrderBy):
        raise FieldError(f"{field.name}={resolved!r} is an order, which no column can be assigned.")
    for kind, has in (
        ("Aggregate functions", resolved.contains_aggregate),
        ("Window expressions", resolved.contains_over_clause),
    ):
        if has:
            raise FieldError(f"{kind} are not allowed in this query ({field.name}={resolved!r}).")


def _prepare(model: type[Any], field: Any) -> Any:
    prepares_itself = final_target(field).prepares_itself(for_save=True)

    def prepare(value: Any) -> Any:
        if type(value) not in PLAIN and hasattr(type(value), "_meta"):
            if not field.is_relation:
                raise no_value(field, value)
            if not value._is_pk_set():
                raise ValueError(f"Unsaved model instance {value!r} cannot be used in an ORM query.")
            value = getattr(value, field.target_field.attname)
        # A class of one's own looks at the database: the plan, which knows it, asks the field.
        return value if prepares_itself else field.stored(value, None)

    plain = None if prepares_itself else field.unprepared(_ANY)
    return prepare if plain is None else preparing(plain, prepare, f"{model.__name__}.{field.name}")
