"""facade's tables as one database sees them: of SQLAlchemy's own types, and of texts where a model has expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import conv

from facade.migrations.plain_types import plain_type
from facade.migrations.texts import IndexSQL, SQLText
from facade.sql.tables.definitions import FIELD, check_promises
from facade.vendors import vendor_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import DDLCompiler
    from sqlalchemy.sql.ddl import ExecutableDDLElement

    Item = sa.Constraint | sa.Index

__all__ = ["PlainMetaData", "is_of_model", "model_of", "plain_metadata"]


class PlainMetaData(sa.MetaData):
    """Tables of models as one database sees them: all that a migration says of them, and nothing of facade's."""

    def __init__(self, default_schema: str | None) -> None:
        super().__init__()
        #: Where a database looks for tables of which no schema is said.
        self.default_schema = default_schema
        #: What a comparison has read of the database, by the keys of tables.
        self.compared: dict[str, Any] = {}

    def place(self, table: sa.Table) -> str | None:
        """Return the schema of a model's table, None for that in which the database looks anyway."""
        return None if table.schema == self.default_schema else table.schema

    def twin(self, table: sa.Table) -> sa.Table | None:
        """Return the table that stands for a model's, None where there is none."""
        schema = self.place(table)
        return self.tables.get(table.name if schema is None else f"{schema}.{table.name}")


def model_of(table: sa.Table) -> type[Any] | None:
    """Return the model that a table is made for, whether it is the model's Table or a plain one; None for others' tables."""
    fields = (column.info[FIELD] for column in table.columns if FIELD in column.info)
    return next((field.model for field in fields), None)


def is_of_model(table: sa.Table) -> bool:
    """Return whether facade made a table, for a model."""
    return model_of(table) is not None


def plain_metadata(tables: Iterable[sa.Table], dialect: Dialect) -> PlainMetaData:
    """Return the tables among these that models have on a database, each as that database sees it.

    Those whose model is for other databases (``Meta.required_db_vendor``) are left out. All names are those that the
    database gets: there is no naming convention. Raises UnsupportedFeature for a constraint that the database cannot keep.
    """
    made = PlainMetaData(dialect.default_schema_name)
    wanted = [table for table in tables if is_of_model(table) and _has_place(table, dialect)]
    pairs = [(table, _Writer(table, dialect).table(made)) for table in wanted]
    for table, plain in pairs:
        _add_references(table, plain, made, dialect)
    return made


def _has_place(table: sa.Table, dialect: Dialect) -> bool:
    opts = model_of(table)._meta  # type: ignore[union-attr]
    vendor = vendor_of(dialect)
    if opts.required_db_vendor:
        return bool(opts.required_db_vendor == vendor.name)
    return all(getattr(vendor, name, False) for name in opts.required_db_features)


class _Writer:
    """Writes one table for a database."""

    def __init__(self, source: sa.Table, dialect: Dialect) -> None:
        self.source, self.dialect = source, dialect
        self.compiler: DDLCompiler = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]

    def table(self, home: PlainMetaData) -> sa.Table:
        check_promises(self.source, self.dialect)
        plain = sa.Table(
            self.source.name,
            home,
            *map(self._column, self.source.columns),
            schema=home.place(self.source),
            comment=self.source.comment if vendor_of(self.dialect).supports_comments else None,
            **_options(self.source.kwargs, self.dialect),
        )
        for constraint in sorted(self.source.constraints, key=_order):
            if is_made(constraint, self.dialect):
                self._add_constraint(plain, constraint)
        for index in sorted(self.source.indexes, key=lambda item: str(item.name)):
            if is_made(index, self.dialect):
                self._add_index(plain, index)
        return plain

    # -- columns ------------------------------------------------------------------------------------

    def _column(self, column: sa.Column[Any]) -> sa.Column[Any]:
        items: list[Any] = []
        default = column.server_default
        options: dict[str, Any] = {}
        if isinstance(default, sa.Identity):
            items += [sa.Identity(always=default.always)] if self.dialect.supports_identity_columns else []
        elif isinstance(default, sa.Computed):
            items.append(sa.Computed(self._sql(default.sqltext), persisted=default.persisted))
        elif default is not None:
            options["server_default"] = self._sql_of(self.compiler.get_column_default_string(column))
        return sa.Column(
            column.name,
            plain_type(column.type, self.dialect),
            *items,
            nullable=column.nullable,
            primary_key=column.primary_key,
            autoincrement=column.autoincrement if column.primary_key else "auto",
            comment=column.comment if vendor_of(self.dialect).supports_comments else None,
            info=dict(column.info),
            **options,
        )

    def _sql(self, element: sa.ClauseElement) -> SQLText:
        return self._sql_of(self._text(element))

    def _sql_of(self, text: str | None) -> SQLText:
        return SQLText(self._undoubled(text or "NULL"))

    def _text(self, element: sa.ClauseElement) -> str:
        return str(self.compiler.sql_compiler.process(element, include_table=False, literal_binds=True))

    def _undoubled(self, text: str) -> str:
        return text.replace("%%", "%") if self.dialect.identifier_preparer._double_percents else text

    # -- constraints and indexes --------------------------------------------------------------------

    def _name(self, item: Item) -> conv | None:
        return final_name(item, self.dialect)

    def _add_constraint(self, plain: sa.Table, constraint: sa.Constraint) -> None:
        if isinstance(constraint, sa.PrimaryKeyConstraint):
            # MySQL and MariaDB keep no name of a primary key.
            plain.primary_key.name = (
                None if vendor_of(self.dialect).name == "mysql" else self._name(constraint)
            )
        elif isinstance(constraint, sa.CheckConstraint):
            check = sa.CheckConstraint(self._sql(constraint.sqltext), name=self._name(constraint))
            plain.append_constraint(check)
        elif isinstance(constraint, sa.UniqueConstraint):
            deferrable = vendor_of(self.dialect).supports_deferrable_unique_constraints
            plain.append_constraint(
                sa.UniqueConstraint(
                    *[plain.c[column.name] for column in constraint.columns],
                    name=self._name(constraint),
                    deferrable=constraint.deferrable if deferrable else None,
                    initially=constraint.initially if deferrable else None,
                    **_options(constraint.dialect_kwargs, self.dialect),
                )
            )

    def _add_index(self, plain: sa.Table, index: sa.Index) -> None:
        options: dict[str, Any] = {
            name: self._sql(value) if isinstance(value, sa.ClauseElement) else value
            for name, value in _options(index.dialect_kwargs, self.dialect).items()
        }
        items = [self._index_item(plain, item) for item in index.expressions]
        sa.Index(self._name(index), *items, unique=index.unique, _table=plain, **options)

    def _index_item(self, plain: sa.Table, item: object) -> Any:
        if isinstance(item, sa.Column):
            return plain.c[item.name]
        assert isinstance(item, sa.ClauseElement)
        return IndexSQL(self._undoubled(self._text(item)))


def _add_references(source: sa.Table, plain: sa.Table, home: PlainMetaData, dialect: Dialect) -> None:
    deferrable = vendor_of(dialect).can_defer_constraint_checks
    for reference in sorted(source.foreign_key_constraints, key=_order):
        if not is_made(reference, dialect):
            continue
        plain.append_constraint(
            sa.ForeignKeyConstraint(
                [plain.c[column.name] for column in reference.columns],
                [_target(element.column, home) for element in reference.elements],
                name=final_name(reference, dialect),
                ondelete=reference.ondelete,
                onupdate=reference.onupdate,
                deferrable=reference.deferrable if deferrable else None,
                initially=reference.initially if deferrable else None,
            )
        )


def _target(column: sa.Column[Any], home: PlainMetaData) -> sa.Column[Any]:
    """The column that is referred to: the plain one, or that of a table of others."""
    table = home.twin(column.table)
    return column if table is None else table.c[column.name]


def _order(item: sa.Constraint) -> tuple[str, ...]:
    """The same order in each run, for constraints that have no names, too."""
    return str(item.name), *getattr(item, "column_keys", ())


def final_name(item: Item, dialect: Dialect) -> conv | None:
    """Return the name that a constraint or an index gets in the database; None for one that gets none."""
    if item.name is None:
        return None
    name = dialect.identifier_preparer.format_constraint(item, _alembic_quote=False)
    return None if name is None else conv(name)


def is_made(item: Item, dialect: Dialect) -> bool:
    """Return whether a database gets a constraint or an index: some are for those alone that need them."""
    condition = item._ddl_if
    if condition is None:
        return True
    statement: ExecutableDDLElement = (
        sa.schema.CreateIndex(item) if isinstance(item, sa.Index) else sa.schema.AddConstraint(item)
    )
    compiler = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]
    return bool(condition._should_execute(statement, item, None, compiler=compiler))


def _options(given: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return those of a table's or an index' options that are a database's own."""
    vendor = vendor_of(dialect)
    names = {dialect.name, vendor.name, vendor.server}
    return {name: value for name, value in given.items() if name.partition("_")[0] in names}
