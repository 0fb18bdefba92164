"""Rows found by the values of their columns: read, deleted or updated without a queryset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.db.channels.channel import Statement
from facade.sql.values import parameter_text, reader, reader_there, row_binder, value_binder
from facade.sql.writes import arrays
from facade.sql.writes.table_writer import (
    TableWriter,
    column_element,
    compile_head,
    compile_text,
    compile_values,
    identifying,
    sources,
    table_writer,
    where_seen,
)
from facade.sql.writes.versions import Changing, lost_update, same

if TYPE_CHECKING:
    from facade.db.connection import Database
    from facade.fields import Field
    from facade.fields.contracts import Instance

    Fields = Sequence[Field[Any]]
    # One of these has to hold: the fields together have one of the keys, which are tuples as long as the fields.
    Conditions = Sequence[tuple[Fields, Sequence[tuple[Any, ...]]]]

BATCH_MAX = 2_000  # keys named by one statement: beyond it nothing gets faster
_MARK = "facade_where_keys"
_OPEN: sa.ColumnElement[bool] = sa.literal_column(_MARK)


class _Where:
    """The text of a WHERE and its parameters."""

    def __init__(self, model: type[Any], database: Database, params: Iterable[Any]) -> None:
        self.writer, self.database, self.params = table_writer(model), database, list(params)
        preparer = database.compile_dialect.identifier_preparer
        self.quote, self.table = preparer.quote, preparer.format_table(self.writer.table)

    def place(self, value: object, text: Callable[[str], str]) -> str:
        self.params.append(value)
        return text(self.database.placeholder(len(self.params)))

    def column(self, field: Field[Any]) -> str:
        return f"{self.table}.{self.quote(self.writer.column(field).name)}"

    def condition(self, fields: Fields, keys: Sequence[tuple[Any, ...]]) -> str:
        """Return the text for one pair of conditions."""
        dialect = self.database.compile_dialect
        binders = [value_binder(field, dialect, self.database) for field in fields]
        texts = [parameter_text(field, dialect) for field in fields]
        bound = [tuple(bind(value) for bind, value in zip(binders, key, strict=True)) for key in keys]
        if len(fields) > 1:
            names = [self.column(field) for field in fields]
            return " OR ".join(
                "("
                + " AND ".join(
                    f"{name} = {self.place(value, text)}"
                    for name, value, text in zip(names, key, texts, strict=True)
                )
                + ")"
                for key in bound
            )
        values, column = [key[0] for key in bound], self.column(fields[0])
        if element := arrays.element_types([fields[0].column_type], self.database):
            return f"{column} = ANY({self.place(values, str)}::{element[0]}[])"
        return f"{column} IN ({', '.join(self.place(value, texts[0]) for value in values)})"

    def text(self, conditions: Conditions) -> str:
        return " OR ".join(self.condition(fields, keys) for fields, keys in conditions if keys)


class _Select:
    """The compiled SELECT of some columns, its WHERE left open, and the readers of its rows."""

    def __init__(self, writer: TableWriter, database: Database, fields: tuple[Field[Any], ...]) -> None:
        statement = sa.select(*(writer.column(field) for field in fields)).select_from(writer.table)
        self.sql, _ = compile_values(statement.where(_OPEN), database.compile_dialect)
        self.readers = [reader(field, database.compile_dialect) for field in fields]


class _Delete:
    """The compiled DELETE, its WHERE left open."""

    def __init__(self, writer: TableWriter, database: Database) -> None:
        self.sql, _ = compile_values(sa.delete(writer.table).where(_OPEN), database.compile_dialect)


def _closed(
    sql: str, params: Sequence[Any], model: type[Any], database: Database, conditions: Conditions
) -> tuple[str, list[Any]]:
    """Put the conditions in; the parameters that `sql` has stand before its WHERE."""
    where = _Where(model, database, params)
    return sql.replace(_MARK, where.text(conditions)), where.params


def select_rows(
    model: type[Any], fields: Fields, conditions: Conditions, database: Database
) -> list[list[Any]]:
    """Return the Python values of `fields` in the rows of the table of `model` that meet one of the conditions."""
    writer = table_writer(model)
    plan = writer.plan(_Select, database, writer.columns(fields))
    sql, params = _closed(plan.sql, (), model, database, conditions)
    rows = database.fetch(Statement(sql, reads=True, returns=True), params)
    readers = [reader_there(read, database) for read in plan.readers]
    return [
        [value if read is None else read(value) for read, value in zip(readers, row, strict=True)]
        for row in rows
    ]


def delete_rows(model: type[Any], conditions: Conditions, database: Database) -> int:
    """Delete the rows of the table of `model` that meet one of the conditions; return how many there were."""
    plan = table_writer(model).plan(_Delete, database)
    sql, params = _closed(plan.sql, (), model, database, conditions)
    return database.execute(Statement(sql), params)


def update_rows(
    model: type[Any], values: dict[Field[Any], Any], conditions: Conditions, database: Database
) -> int:
    """Give the rows of the table of `model` that meet one of the conditions the same values; return how many there were."""
    writer = table_writer(model)
    values = {
        **values,
        **{field: field.on_update() for field in writer.refreshed if field.on_update and field not in values},
    }
    version = writer.version
    if version is not None and version.following is not None and version.field not in values:
        values[version.field] = version.next_of_many()
    elements = {
        writer.column(field).key: column_element(writer, field, value, database, new=False)
        for field, value in values.items()
    }
    head, given = compile_head(
        sa.update(writer.table).values(elements).where(_OPEN), database.compile_dialect
    )
    sql, params = _closed(head, given, model, database, conditions)
    return database.execute(Statement(sql), params)


class DeleteOne:
    """The compiled DELETE of the row that has the instance's primary key, and its version if it has one."""

    __slots__ = ("bind", "statement")

    def __init__(self, writer: TableWriter, database: Database) -> None:
        text = compile_text(sa.delete(writer.table).where(*where_seen(writer)), database.compile_dialect)
        self.statement = Statement(text.sql)
        self.bind = row_binder(sources(writer, (), text, None), database.compile_dialect)


def delete_one(obj: Instance, model: type[Any], database: Database) -> int:
    """Delete the row of `obj` in the table of `model`; return 1, or 0 if there was none.

    Raises `NotUpdated` if the row has versions, and is not in the state that `obj` was loaded in.
    """
    writer = table_writer(model)
    plan = writer.plan(DeleteOne, database)
    if writer.version is None:
        return database.execute(plan.statement, plan.bind(obj, database))
    with Changing([obj], writer.version, same):
        count = database.execute(plan.statement, plan.bind(obj, database))
    if not count:
        raise lost_update(obj, writer.version, "delete")
    return count


def by_primary_key(model: type[Any], objs: Iterable[Any]) -> Conditions:
    """Return the condition that finds the rows of `objs` in the table of `model`."""
    fields = identifying(table_writer(model))
    return [(fields, [tuple(getattr(obj, field.attname) for field in fields) for obj in objs])]
