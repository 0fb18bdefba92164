"""How a model comes to stand on a table: its fields take the columns, and columns without a field make one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facade.exceptions import ImproperlyConfigured
from facade.orm.existing.columns import field_for, field_name, kinds_of
from facade.orm.existing.defaults import take_defaults, take_version
from facade.orm.existing.keys import NoKey, composite_key
from facade.orm.existing.tables import (
    Existing,
    check_meta,
    check_promises,
    existing,
    qualified_name,
    refuse,
    unique_columns,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from facade.fields import Field
    from facade.meta.options import Options

__all__ = ["refuse_children", "stand", "stand_on"]


def refuse_children(opts: Options) -> None:
    """Refuse a table of its own for the rest of an existing table's columns."""
    for parent in opts.parents:
        if not opts.proxy and parent._meta.stands_on is not None:
            raise ImproperlyConfigured(
                f"{opts.label} cannot inherit the columns of {parent._meta.label}, which stands on an existing table (Meta.table). "
                "Make it a proxy, or refer to it by a OneToOneField."
            )


def stand(model: type[Any]) -> None:
    """Let a model that is being made stand on the table of its `Meta.table`; `ImproperlyConfigured` if it cannot."""
    opts: Options = model._meta
    check_meta(opts)
    opts.managed = False
    if isinstance(opts.stands_on, str):
        schema, _, name = opts.stands_on.rpartition(".")
        opts.db_table = f'"{schema}"."{name}"' if schema else name
    else:
        stand_on(model, existing(opts, opts.stands_on))


def stand_on(model: type[Any], table: Existing) -> None:
    opts: Options = model._meta
    _refuse_second(opts, table.table)
    opts.db_table, opts.existing_table = qualified_name(table.table), table.table
    _Standing(model, table).run()
    check_promises(opts, table.table)


def _refuse_second(opts: Options, table: sa.Table) -> None:
    """Refuse a second model on a table: two would not agree on its fields."""
    known = opts.apps.on_tables.get(table)
    if known is not None and known._meta.label_lower != opts.label_lower:
        raise refuse(
            opts, f"{known._meta.label} stands on {table.fullname!r} already. Make this one a proxy of it."
        )
    opts.apps.on_tables[table] = opts.model


class _Standing:
    """Matches the fields of a model with the columns of its table."""

    def __init__(self, model: type[Any], table: Existing) -> None:
        self.model, self.table = model, table
        self.opts: Options = model._meta
        self.root = next(base for base in reversed(model.__mro__) if isinstance(base, type(model)))
        self.key = table.key
        self.unique = {columns[0] for columns in unique_columns(table.table) if len(columns) == 1}
        self.counting = table.table.autoincrement_column

    def run(self) -> None:
        taken = self._take_declared()
        for column in self.table.columns():
            if column not in taken:
                taken[column] = self._infer(column, taken)
        self._set_key(taken)
        version = take_version(self.opts, taken, self.table)
        for column, field in taken.items():
            if version is None or field is not version.field or version.following is None:
                take_defaults(self.opts, field, column, self.table)
        for column in self.table.columns():  # the fields come in the order of the columns
            taken[column]._take_number()
        self.opts.local_fields.sort()
        self.opts._expire_cache()
        self._set_together()

    # -- fields that were declared --------------------------------------------------------------------

    def _take_declared(self) -> dict[sa.Column[Any], Field[Any]]:
        taken: dict[sa.Column[Any], Field[Any]] = {}
        for field in self.opts.local_concrete_fields:
            column = self._column_of(field)
            if column in taken:
                raise refuse(
                    self.opts,
                    f"the fields {taken[column].name!r} and {field.name!r} are the column {column.name!r}.",
                )
            self._check_kind(field, column)
            self._check_unique(field, column)
            field.null = bool(column.nullable)
            field.stand_on(column)
            taken[column] = field
        return taken

    def _column_of(self, field: Field[Any]) -> sa.Column[Any]:
        """Return the column that a declared field means: by `db_column`, or as attributes and columns are called."""
        columns = list(self.table.columns())
        by_name = {str(column.name): column for column in columns}
        if field.db_column:
            wanted, found = field.db_column, by_name.get(field.db_column)
        else:
            by_key = {**by_name, **{self.table.name_of(column): column for column in columns}}
            wanted, found = field.attname, by_key.get(field.attname, by_key.get(field.name))
        if found is None:
            raise refuse(
                self.opts,
                f"{self.table.table.fullname!r} has no column {wanted!r} for the field {field.name!r} (db_column= names another). "
                f"Columns: {', '.join(by_name)}.",
            )
        return found

    def _check_kind(self, field: Field[Any], column: sa.Column[Any]) -> None:
        """Refuse a field of facade's whose values the column's type neither takes nor gives."""
        if field.is_relation or not type(field).__module__.startswith("facade."):
            return
        if field.generated and column.computed is None:
            raise refuse(self.opts, f"the column {column.name!r} of {field.name!r} is not computed.")
        if field.value_kind not in (None, *kinds_of(column)):
            raise refuse(
                self.opts,
                f"{field.name!r} is a {type(field).__name__}, and the column {column.name!r} of the type {column.type!r}, which "
                "binds other values. Give the Column the type that is meant, or declare a TypedField of it.",
            )

    def _check_unique(self, field: Field[Any], column: sa.Column[Any]) -> None:
        if field.primary_key and self.key and column not in self.key:
            names = ", ".join(str(one.name) for one in self.key)
            raise refuse(self.opts, f"{field.name!r} is no primary key: that of the table is {names}.")
        if field.unique and not field.primary_key and column not in self.unique:
            raise refuse(
                self.opts,
                f"{field.name!r} is unique=True, and the column {column.name!r} is not. Say so on the Column.",
            )
        field._unique = field._unique or column in self.unique

    # -- fields of columns -----------------------------------------------------------------------------

    def _infer(self, column: sa.Column[Any], taken: dict[sa.Column[Any], Field[Any]]) -> Field[Any]:
        name = field_name(self.table.name_of(column), self._is_reserved)
        if any(name in vars(base) for base in self.model.__mro__):
            raise refuse(
                self.opts,
                f"the column {column.name!r} would be the field {name!r}, and the class has an attribute of that name. Declare a "
                f"field with another one and db_column={str(column.name)!r}.",
            )
        field = field_for(
            column,
            column is self.counting,
            primary_key=len(self.key) == 1 and column in self.key,
            unique=column in self.unique and column not in self.key,
            null=bool(column.nullable) and column not in self.key,
            blank=bool(column.nullable),
            db_index=bool(column.index),
            db_column=str(column.name),
            db_comment=column.comment,
            help_text=column.doc or "",
        )
        field.inferred = True
        self.model.add_to_class(name, field)
        field.stand_on(column)
        return field

    def _is_reserved(self, name: str) -> bool:
        """Whether an attribute of this name would hide one that every model has."""
        return name == "objects" or hasattr(self.root, name)

    # -- the key -----------------------------------------------------------------------------------------

    def _set_key(self, taken: dict[sa.Column[Any], Field[Any]]) -> None:
        opts = self.opts
        if len(self.key) == 1:
            field = taken[self.key[0]]
            field.primary_key, field.null = True, False
            opts.setup_pk(field)
        elif self.key and not opts.auto_created:
            composite_key(self.model, [taken[column].name for column in self.key])
        elif opts.pk is None:
            self.model.add_to_class("_no_key", NoKey())
            if not opts.auto_created:  # pairs are found by their two columns
                opts.read_only = f"the table {self.table.table.fullname!r} has no primary key"

    def _set_together(self) -> None:
        """Let validation know what no two rows have in common."""
        names = {
            column: field.name for field in self.opts.local_fields if (column := field.existing) is not None
        }
        groups = [
            tuple(names[column] for column in columns)
            for columns in unique_columns(self.table.table)
            if len(columns) > 1 and set(columns) != set(self.key)
        ]
        declared = {frozenset(group) for group in self.opts.unique_together}
        self.opts.unique_together = (
            *self.opts.unique_together,
            *(group for group in groups if frozenset(group) not in declared),
        )
