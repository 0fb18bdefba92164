"""UPDATE: one instance by its primary key through a compiled plan, many by one statement per batch."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.db.channels.channel import Statement
from facade.db.scopes.atomic import whole
from facade.expressions.freezing import Frozen
from facade.sql.core.simultaneous import update_statement
from facade.sql.values import ExpressionFound, current_value, parameter_text, row_binder, rows_binder
from facade.sql.writes import arrays
from facade.sql.writes.table_writer import (
    Columns,
    Returned,
    TableWriter,
    column_element,
    compile_text,
    compile_values,
    forget,
    keep,
    sources,
    table_writer,
    where_pk,
    where_seen,
)
from facade.sql.writes.versions import Changing

if TYPE_CHECKING:
    from facade.db.connection import Database
    from facade.fields import Field
    from facade.fields.contracts import Instance

    Fields = tuple[Field[Any], ...]


# -- one row -----------------------------------------------------------------------


class UpdateOne:
    """The compiled UPDATE of `fields` in the row that has the instance's primary key."""

    __slots__ = ("add", "back", "bind", "fields", "lost", "statement", "writer")

    def __init__(self, writer: TableWriter, database: Database, fields: Fields, add: bool | None) -> None:
        self.writer, self.fields, self.add = writer, fields, add
        fields = writer.with_refreshed(fields)
        made = writer.generated_from(fields)
        where = where_pk(writer) if add is None else where_seen(writer)
        statement = sa.update(writer.table).where(*where)
        self.lost: Sequence[Field[Any]] = ()
        if made and not database.can_return_rows_from_update:
            self.lost, made = made, []
        self.back = Returned(writer, made, database)
        if made:
            statement = statement.returning(*self.back.columns)
        text = compile_text(
            statement, database.compile_dialect, [writer.column(field).key for field in fields]
        )
        self.statement = Statement(text.sql, returns=bool(made))
        self.bind = row_binder(sources(writer, fields, text, add), database.compile_dialect)

    def run(self, obj: Instance, database: Database) -> bool:
        """Update the row of `obj`; return whether there is one."""
        try:
            params = self.bind(obj, database)
        except ExpressionFound:
            return _update_expressions(self.writer, obj, database, self.fields, self.add)
        if not self.statement.returns:
            found = database.execute(self.statement, params) > 0
            if self.lost:
                forget(obj, self.lost)
            return found
        rows = database.fetch(self.statement, params)
        if rows:
            self.back.assign(obj, rows[0], database)
        return bool(rows)


def update_one(
    obj: Instance, writer: TableWriter, database: Database, fields: Columns, raw: bool = False
) -> bool:
    """Update `fields` of the row of `obj` in one table; return whether the row exists.

    A row with versions is none unless it is in the state that `obj` was loaded in; `raw` looks at no versions.
    """
    plan = writer.plan(UpdateOne, database, fields, None if raw else False)
    if writer.version is None or raw:
        return plan.run(obj, database)
    with Changing([obj], writer.version, writer.version.following) as changing:
        found = plan.run(obj, database)
        if not found:
            changing.undo()
    return found


def _update_expressions(
    writer: TableWriter, obj: Instance, database: Database, fields: Fields, add: bool | None
) -> bool:
    """Update a row with values that the database computes; they come back, or are forgotten."""
    values = {field: current_value(obj, field, add) for field in writer.with_refreshed(fields)}
    computed = [field for field, value in values.items() if isinstance(value, Frozen)]
    computed += writer.generated_from(fields)
    elements = {
        writer.column(field): column_element(writer, field, value, database, new=False)
        for field, value in values.items()
    }
    keys = [writer.column(field) for field in writer.pk_fields]
    conditions = [
        key == column_element(writer, field, getattr(obj, field.attname), database, new=False)
        for key, field in zip(keys, writer.pk_fields, strict=True)
    ]
    if add is not None and (seen := writer.seen_version) is not None:
        version = column_element(writer, seen, getattr(obj, seen.attname), database, new=False)
        conditions.append(writer.column(seen).is_not_distinct_from(version))
    statement = update_statement(
        writer.table, elements, keys, lambda statement: statement.where(*conditions), database.compile_dialect
    )
    if not database.can_return_rows_from_update:
        sql, params = compile_values(statement, database.compile_dialect)
        found = database.execute(Statement(sql), params) > 0
        if found:  # else they are values of the row to insert
            forget(obj, computed)
        return found
    back = Returned(writer, computed, database)
    sql, params = compile_values(statement.returning(*back.columns), database.compile_dialect)
    if rows := database.fetch(Statement(sql, returns=True), params):
        back.assign(obj, rows[0], database)
    return bool(rows)


class RowExists:
    """The compiled question whether the instance's row is there."""

    __slots__ = ("bind", "statement")

    def __init__(self, writer: TableWriter, database: Database) -> None:
        question: sa.Select[Any] = (
            sa.select(sa.literal_column("1")).select_from(writer.table).where(*where_pk(writer))
        )
        text = compile_text(question, database.compile_dialect)
        self.statement = Statement(text.sql, reads=True, returns=True)
        self.bind = row_binder(sources(writer, (), text, None), database.compile_dialect)


def row_exists(obj: Instance, writer: TableWriter, database: Database) -> bool:
    """Return whether the table holds a row with the primary key of `obj`."""
    plan = writer.plan(RowExists, database)
    return bool(database.fetch(plan.statement, plan.bind(obj, database)))


# -- many rows ---------------------------------------------------------------------


class UpdateMany:
    """One UPDATE that gives each of many rows values of its own, joined to a list of them by the primary key."""

    def __init__(self, writer: TableWriter, database: Database, fields: Fields) -> None:
        self.writer, self.fields = writer, fields
        self.keys = (
            writer.pk_fields if writer.seen_version is None else (*writer.pk_fields, writer.seen_version)
        )
        self.width = len(self.keys) + len(fields)
        origins: list[tuple[Field[Any], bool | None]] = [(field, None) for field in (*self.keys, *fields)]
        self.bind = rows_binder(origins, database.compile_dialect)
        self.array_types = arrays.element_types([field.column_type for field, _ in origins], database)
        self.texts = [parameter_text(field, database.compile_dialect) for field, _ in origins]
        self.cases = not self.array_types and not _updates_from_values(database)
        needed = self.width + len(self.keys) * len(fields) if self.cases else self.width
        self.rows_max = arrays.ROWS_MAX if self.array_types else max(1, database.max_parameters // needed)
        self._key_of = itemgetter(*range(len(writer.pk_fields)))
        self._statements: dict[int, Statement] = {}

    @property
    def _names(self) -> list[str]:
        # SQLite names the columns of VALUES so, and takes no other names.
        return [f"column{i}" for i in range(1, self.width + 1)]

    def _assignments(self, database: Database) -> tuple[str, str, str]:
        """Return the quoted table, the SET list and the join condition against `d`."""
        preparer = database.compile_dialect.identifier_preparer
        table = preparer.format_table(self.writer.table)
        keys = len(self.keys)
        columns = [preparer.quote(self.writer.column(field).name) for field in (*self.keys, *self.fields)]
        assigned = ", ".join(
            f"{column} = d.{name}" for column, name in zip(columns[keys:], self._names[keys:], strict=True)
        )
        pairs = zip(columns[:keys], self._names, strict=False)
        return table, assigned, " AND ".join(f"{table}.{column} = d.{name}" for column, name in pairs)

    def run(self, given: Sequence[tuple[Any, ...]], database: Database) -> int:
        """Store the bound rows, of two with one key the first; return the number of rows found."""
        rows = given
        if len({*map(self._key_of, given)}) < len(given):
            rows = list({self._key_of(row): row for row in reversed(given)}.values())
        if self.cases:
            return self._run_cases(rows, database)
        statement = self._statement_for(len(rows), database)
        return database.execute(statement, arrays.parameters(rows, bool(self.array_types)))

    def _statement_for(self, count: int, database: Database) -> Statement:
        """Return the UPDATE of so many rows; one that takes arrays is the same for any number."""
        known = 0 if self.array_types else count
        if (found := self._statements.get(known)) is None:
            table, assigned, same = self._assignments(database)
            source = f"{self._source(count, database)} WHERE {same}"
            found = keep(self._statements, known, f"UPDATE {table} SET {assigned} FROM {source}")
        return found

    def _source(self, count: int, database: Database) -> str:
        if self.array_types:
            places = arrays.placeholders(database, self.array_types)
            return f"unnest({places}) AS d({', '.join(self._names)})"
        group = f"({', '.join(text('?') for text in self.texts)})"
        return f"(VALUES {', '.join([group] * count)}) AS d"

    def _run_cases(self, rows: Sequence[tuple[Any, ...]], database: Database) -> int:
        """The road of databases without UPDATE … FROM: a CASE over the key for each column."""
        dialect, params = database.compile_dialect, list[Any]()
        preparer, keys = dialect.identifier_preparer, len(self.keys)
        names = [preparer.quote(self.writer.column(field).name) for field in (*self.keys, *self.fields)]

        def place(position: int, value: object) -> str:
            params.append(value)
            return self.texts[position](database.placeholder(len(params)))

        def same(row: tuple[Any, ...]) -> str:
            return " AND ".join(f"{names[i]} = {place(i, row[i])}" for i in range(keys))

        assigned = []
        for i, field in enumerate(self.fields, keys):
            cases = " ".join(f"WHEN {same(row)} THEN {place(i, row[i])}" for row in rows)
            stored = f"CASE {cases} ELSE {names[i]} END"
            if database.features.infers_types:  # parameters alone would make it a text
                stored = f"CAST({stored} AS {dialect.type_compiler_instance.process(field.column_type)})"
            assigned.append(f"{names[i]} = {stored}")
        where = " OR ".join(f"({same(row)})" for row in rows)
        table = preparer.format_table(self.writer.table)
        return database.execute(Statement(f"UPDATE {table} SET {', '.join(assigned)} WHERE {where}"), params)


def _updates_from_values(database: Database) -> bool:
    """Whether the database joins an UPDATE to a list of VALUES: SQLite from 3.33 on."""
    driver: Any = database.compile_dialect.dbapi
    return database.features.joins_values and driver.sqlite_version_info >= (3, 33)


def update_many(
    objs: Sequence[Any], tables: dict[type[Any], Fields], database: Database, batch_size: int | None = None
) -> int:
    """Store the fields of `objs` in each table, one UPDATE per batch, all or none; return the number of rows found.

    Raises :class:`~facade.sql.values.ExpressionFound` when a value is an expression, before anything is sent.
    """
    bound: list[tuple[UpdateMany, list[tuple[Any, ...]]]] = []
    for model, fields in tables.items():
        writer = table_writer(model)
        plan = writer.plan(UpdateMany, database, writer.columns(fields))
        bound.append((plan, plan.bind(objs, database)))
    batches = [(plan, _batches(plan, rows, batch_size)) for plan, rows in bound]
    with whole(database.alias, sum(len(parts) for _, parts in batches)):
        return max(sum(plan.run(part, database) for part in parts) for plan, parts in batches)


def _batches(
    plan: UpdateMany, rows: list[tuple[Any, ...]], batch_size: int | None
) -> list[list[tuple[Any, ...]]]:
    size = min(plan.rows_max, batch_size) if batch_size else plan.rows_max
    return [rows[start : start + size] for start in range(0, len(rows), size)]
