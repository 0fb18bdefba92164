"""INSERT: one instance by a compiled plan, many by one statement whose VALUES group is repeated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from facade.db.channels.channel import Statement
from facade.expressions.calls import DatabaseDefault
from facade.expressions.freezing import Frozen
from facade.sql.core.words import words_of
from facade.sql.values import ExpressionFound, current_value, row_binder, rows_binder
from facade.sql.writes import arrays
from facade.sql.writes.defaults import filled_in
from facade.sql.writes.table_writer import (
    Columns,
    Returned,
    TableWriter,
    Text,
    column_element,
    compile_text,
    compile_values,
    forget,
    keep,
    sources,
    table_writer,
)
from facade.sql.writes.versions import Changing, first

if TYPE_CHECKING:
    from facade.db.channels.channel import Params
    from facade.db.connection import Database
    from facade.fields import Field
    from facade.fields.contracts import Instance
    from facade.sql.core.conflict import Conflict
    from facade.vendors import Vendor

    Fields = tuple[Field[Any], ...]

_NUMBERED = re.compile(r"\$(\d+)")


# -- one row -----------------------------------------------------------------------


class InsertOne:
    """The compiled INSERT of one row that names `fields`, and how the made-up values come back."""

    __slots__ = ("add", "auto", "back", "bind", "fields", "lost", "statement", "writer")

    def __init__(self, writer: TableWriter, database: Database, fields: Fields, add: bool | None) -> None:
        self.writer, self.fields, self.add = writer, fields, add
        returned = writer.returned
        if database.can_return_rows_from_insert:
            self.auto, self.lost = None, ()
        else:
            self.auto = None if writer.auto_field in fields else writer.auto_field
            self.lost = tuple(
                field for field in returned if field not in fields and field is not writer.auto_field
            )
            returned = ()
        self.back = Returned(writer, returned, database)
        statement = sa.insert(writer.table).inline()
        if returned:
            statement = statement.returning(*self.back.columns)
        text = compile_text(
            statement, database.compile_dialect, [writer.column(field).key for field in fields]
        )
        self.statement = Statement(text.sql, returns=bool(returned))
        self.bind = row_binder(sources(writer, fields, text, add), database.compile_dialect)

    def run(self, obj: Instance, database: Database) -> None:
        """Insert `obj` and set what the database has made up."""
        try:
            params = self.bind(obj, database)
        except ExpressionFound:
            _insert_expressions(self.writer, obj, database, self.fields, self.add)
            return
        if self.statement.returns:
            row, back = database.fetch(self.statement, params)[0], self.back
            if back.key is None:
                back.assign(obj, row, database)
            else:
                setattr(obj, back.key, row[0])
            return
        if self.auto is None:
            database.execute(self.statement, params)
        else:
            setattr(obj, self.auto.attname, database.execute_lastrowid(self.statement, params))
        forget(obj, self.lost)


def insert_one(
    obj: Instance, writer: TableWriter, database: Database, pk_set: bool, add: bool | None
) -> None:
    """Insert the row of `obj`, as it is, into the table of its class or of one of its parents; `add` as in a ParameterSource."""
    fields = writer.fields if pk_set else writer.fields_without_auto
    if writer.defaulted:
        fields = writer.given_fields(obj, fields, database.features)
    writer.plan(InsertOne, database, fields, add).run(obj, database)


def insert_completed(obj: Instance, writer: TableWriter, database: Database, pk_set: bool) -> None:
    """Insert the row of `obj` with what is made for it in Python."""
    with _completed([obj], writer, database):
        insert_one(obj, writer, database, pk_set, True)


@contextmanager
def _completed(objs: Sequence[Any], writer: TableWriter, database: Database) -> Iterator[None]:
    """Give instances what is made for their rows in Python; take it back if they are not stored."""
    version = writer.version
    with ExitStack() as stack:
        if version is not None:
            stack.enter_context(Changing(objs, version, first(version), new=True))
        stack.enter_context(filled_in(objs, writer.in_context, database.compile_dialect))
        yield


def _insert_expressions(
    writer: TableWriter, obj: Instance, database: Database, fields: Fields, add: bool | None
) -> None:
    """Insert a row some of whose values the database computes; those come back, or are forgotten."""
    values = {field: current_value(obj, field, add) for field in fields}
    computed = [field for field, value in values.items() if isinstance(value, Frozen)]
    statement = sa.insert(writer.table).inline().values(_elements(writer, values, database))
    if database.can_return_rows_from_insert:
        back = Returned(writer, dict.fromkeys([*writer.returned, *computed]), database)
        sql, params = compile_values(statement.returning(*back.columns), database.compile_dialect)
        back.assign(obj, database.fetch(Statement(sql, returns=True), params)[0], database)
        return
    sql, params = compile_values(statement, database.compile_dialect)
    if writer.auto_field is None or writer.auto_field in fields:
        database.execute(Statement(sql), params)
    else:
        setattr(obj, writer.auto_field.attname, database.execute_lastrowid(Statement(sql), params))
    made = (field for field in writer.returned if field not in fields and field is not writer.auto_field)
    forget(obj, [*computed, *made])


def _elements(writer: TableWriter, values: dict[Field[Any], Any], database: Database) -> dict[str, Any]:
    return {
        writer.column(field).key: column_element(writer, field, value, database, new=True)
        for field, value in values.items()
    }


# -- many rows ---------------------------------------------------------------------


class Inserted(NamedTuple):
    """What the driver says of an INSERT: how many rows it touched, and their returned fields."""

    touched: int
    rows: Sequence[Sequence[Any]] = ()


class InsertMany:
    """The INSERT of many rows: the text around the VALUES group is compiled once, the group repeated for each row."""

    def __init__(
        self,
        writer: TableWriter,
        database: Database,
        fields: Fields,
        returned: Fields,
        conflict: Conflict | None,
    ) -> None:
        dialect = database.compile_dialect
        self.returned = Returned(writer, returned, database)
        bare, whole = self._texts(writer, database, fields, conflict)
        origins = sources(writer, fields, bare, add=True)
        self.bind = rows_binder(origins, dialect)
        self.head, self.group, self.tail = _parts(bare.sql, whole.sql)
        # Among the parameters of a group may be defaults of an existing table, which no array has.
        alone = len(origins) == len(fields) and not writer.fills_in(fields)
        kinds = [field.column_type for field in fields] if alone else []
        self.array_types = arrays.element_types(kinds, database)
        if self.array_types:
            self.statement = Statement(self._unnest(database), returns=bool(returned))
        self.rows_max = (
            arrays.ROWS_MAX if self.array_types else max(1, database.max_parameters // max(1, len(origins)))
        )
        if (most := database.features.insert_rows_max) is not None:
            self.rows_max = min(self.rows_max, most)
        self._statements: dict[int, Statement] = {}

    def _texts(
        self, writer: TableWriter, database: Database, fields: Fields, conflict: Conflict | None
    ) -> tuple[Text, Text]:
        """Return the statement for one row without and with its conflict clause and RETURNING."""
        statements = sa.insert(writer.table).inline(), _insert_into(writer.table, database, conflict)
        if not fields:  # an INSERT has to name a column: the generated key
            key = writer.column(writer.pk_fields[0]).key
            made = sa.null() if database.features.counts_left_out_keys else sa.literal_column("DEFAULT")
            statements = statements[0].values({key: made}), statements[1].values({key: made})
        if self.returned.columns:
            statements = statements[0], statements[1].returning(*self.returned.columns)
        keys = [writer.column(field).key for field in fields] or None
        bare, whole = (compile_text(statement, database.compile_dialect, keys) for statement in statements)
        return bare, whole

    def _unnest(self, database: Database) -> str:
        """Return the INSERT that reads its rows from one array per column.

        The text is the same for any number of rows, so it is parsed and planned once; the order keeps serial
        keys and the returned rows in step with the instances.
        """
        names = ", ".join(f"c{i}" for i in range(len(self.array_types)))
        places = arrays.placeholders(database, self.array_types)
        source = f"unnest({places}) WITH ORDINALITY AS facade_rows({names}, n) ORDER BY n"
        return f"{self.head} SELECT {names} FROM {source}{self.tail}"

    def statement_for(self, count: int) -> Statement:
        """Return the statement for `count` rows."""
        if self.array_types:
            return self.statement
        if (found := self._statements.get(count)) is None:
            sql = f"{self.head} VALUES {', '.join(self._groups(count))}{self.tail}"
            found = keep(self._statements, count, sql, returns=bool(self.returned.fields))
        return found

    def _groups(self, count: int) -> Iterable[str]:
        if not (width := len(set(_NUMBERED.findall(self.group)))):
            return [self.group] * count
        return [_renumbered(self.group, row * width) for row in range(count)]

    def run(self, objs: Sequence[Any], database: Database) -> Inserted:
        """Insert `objs`."""
        rows = self.bind(objs, database)
        params = arrays.parameters(rows, bool(self.array_types))
        return _write(self.statement_for(len(rows)), params, database)


def _write(statement: Statement, params: Params, database: Database) -> Inserted:
    if statement.returns:
        rows = database.fetch(statement, params)
        return Inserted(len(rows), rows)
    return Inserted(database.execute(statement, params))


def _renumbered(group: str, offset: int) -> str:
    """Count the parameters of a VALUES group from `offset` on."""
    return _NUMBERED.sub(lambda match: f"${int(match[1]) + offset}", group)


class BulkInsert:
    """The INSERT of many instances into one table, in batches."""

    def __init__(
        self,
        model: type[Any],
        fields: Fields,
        returned: Fields,
        database: Database,
        conflict: Conflict | None = None,
    ) -> None:
        self.writer, self.database = table_writer(model), database
        self.fields, self.returned = self.writer.columns(fields), self.writer.columns(returned)
        self.conflict = conflict

    def _plan(self, fields: Columns) -> InsertMany:
        return self.writer.plan(InsertMany, self.database, fields, self.returned, self.conflict)

    def size(self, batch_size: int | None) -> int:
        """Return how many rows go into one statement, where no more than `batch_size` shall."""
        most = self._plan(self.fields).rows_max
        return min(most, batch_size) if batch_size else most

    def batches(self, objs: Sequence[Any], batch_size: int | None) -> list[Sequence[Any]]:
        """Return `objs` in parts for one statement each."""
        size = self.size(batch_size)
        return [objs[start : start + size] for start in range(0, len(objs), size)]

    def run(self, batch: Sequence[Any]) -> int:
        """Insert one batch and set what the database gives back on its instances; return how many rows were stored.

        Rows that conflicted and were updated count as one each, which is not what every database says of them.
        """
        if self.writer.inserts_plainly:
            return self._run(batch)
        with _completed(batch, self.writer, self.database):
            count = self._run(batch)
        version = self.writer.version
        if version is not None and self.conflict is not None:  # nobody knows whose row is there
            for obj in batch:
                forget(obj, [version.field])
        return count

    def _run(self, batch: Sequence[Any]) -> int:
        fields = _named_fields(self.writer, batch, self.fields, self.database.features)
        plan = self._plan(fields)
        try:
            written = plan.run(batch, self.database)
        except ExpressionFound:
            written = _insert_many_expressions(
                self.writer, batch, self.database, fields, plan.returned, self.conflict
            )
        plan.returned.assign_all(batch, written.rows, self.database)
        passes_over = self.conflict is not None and not self.conflict.update
        return written.touched if passes_over else len(batch)


def _insert_into(table: sa.Table, database: Database, conflict: Conflict | None) -> Any:
    """Return the Core INSERT with its conflict clause."""
    if conflict is None:
        return sa.insert(table).inline()
    return words_of(database.compile_dialect).insert(table, conflict)


def _named_fields(writer: TableWriter, batch: Sequence[Any], fields: Columns, features: Vendor) -> Columns:
    """Leave out the columns that the database fills in on every row of the batch."""
    if not writer.defaulted:
        return fields
    made = writer.left_out(features)
    named = writer.columns(
        field
        for field in fields
        if field not in made or any(type(getattr(obj, field.attname)) is not DatabaseDefault for obj in batch)
    )
    # An INSERT has to name a column; without a counted key that is one with its default written out.
    return named if named or writer.auto_field is not None else fields


def _insert_many_expressions(
    writer: TableWriter,
    batch: Sequence[Any],
    database: Database,
    fields: Fields,
    returned: Returned,
    conflict: Conflict | None,
) -> Inserted:
    rows = [
        _elements(writer, {field: current_value(obj, field, True) for field in fields}, database)
        for obj in batch
    ]
    statement = _insert_into(writer.table, database, conflict).values(rows)
    if returned.columns:
        statement = statement.returning(*returned.columns)
    sql, params = compile_values(statement, database.compile_dialect)
    return _write(Statement(sql, returns=bool(returned.columns)), params, database)


def _parts(bare: str, whole: str) -> tuple[str, str, str]:
    """Split an INSERT into the text before VALUES, one group and the text behind it.

    `bare` is the statement without conflict clause and RETURNING: it ends with the group, which holds nothing but
    parameters, so the last VALUES is the right one.
    """
    head, _, group = bare.rpartition(" VALUES ")
    position = whole.find(f" VALUES {group}")
    return (
        whole[:position] if position >= 0 else head,
        group,
        whole[position + len(" VALUES ") + len(group) :],
    )
