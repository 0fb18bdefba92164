"""Plans: a shape made ready for databases of one dialect - the SQL, the binder of its parameters and the loader of its rows."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from facade.db.channels.channel import Params, Statement
from facade.exceptions import EmptyResultSet
from facade.expressions.freezing import Arg, BeyondColumn, OutOfRange
from facade.sql.core.layout import given_value
from facade.sql.core.parameters import (
    comparable_parameters,
    compile_statement,
    equal_pairs,
    equating,
    values_by_name,
    written_out,
)
from facade.sql.core.select import Compiler
from facade.sql.plan.binding import Args, binder
from facade.sql.plan.loaders import LOADERS, Loader
from facade.sql.query.depth import refusing_deep_query
from facade.sql.query.state import Slice
from facade.sql.query.uniqueness import has_key
from facade.vendors import vendor_of

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler

    from facade.db.database import Database
    from facade.expressions.contracts import Convert
    from facade.sql.core.layout import Binds
    from facade.sql.core.parameters import Pairs
    from facade.sql.plan.shape import Shape
    from facade.sql.query.query import Query as SQLQuery

MAX_GET_RESULTS = 21
"""How many rows a search for one object reads at most."""

MAX_OTHERS = 100
"""How many plans are kept that differ in which of their values are equal, or lie beyond their columns."""

Beyond = dict[int, OutOfRange]
BoundArg = tuple[int | None, "Convert | None"]
Stream = Generator[list[Any], None, None]


class Plan:
    """A compiled query: `fetch(database, args)` runs it and returns the loaded rows."""

    __slots__ = ("bind", "load", "statement")

    def __init__(self, statement: Statement, bind: Callable[[Args], Params], load: Loader) -> None:
        self.statement, self.bind, self.load = statement, bind, load

    def fetch(self, database: Database, args: Args, *options: Any) -> list[Any]:
        """Run the query; `options` are those of the loader: a fetch mode for instances."""
        return self.load(database.fetch(self.statement, self.bind(args)), database.home, *options)

    def execute(self, database: Database, args: Args) -> int:
        count: int = database.execute(self.statement, self.bind(args))
        return count

    def stream(self, database: Database, args: Args, chunk_size: int, *options: Any) -> Stream:
        load, home = self.load, database.home
        with closing(database.stream(self.statement, self.bind(args), chunk_size)) as chunks:
            for rows in chunks:
                yield load(rows, home, *options)

    def sql(self, args: Args) -> tuple[str, Params]:
        return self.statement.sql, self.bind(args)


class EmptyPlan(Plan):
    """A query that no row can match: it never reaches the database."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(Statement("", returns=True), lambda args: (), lambda rows, alias: [])

    def fetch(self, database: Database, args: Args, *options: Any) -> list[Any]:
        return []

    def execute(self, database: Database, args: Args) -> int:
        return 0

    def stream(self, database: Database, args: Args, chunk_size: int, *options: Any) -> Stream:
        yield from ()

    def sql(self, args: Args) -> tuple[str, Params]:
        raise EmptyResultSet


class LocalPlan(Plan):
    """A plan with subqueries that were written for a database: it runs there only."""

    __slots__ = ("binds", "plan")

    def __init__(self, plan: Plan, binds: Binds) -> None:
        super().__init__(plan.statement, plan.bind, plan.load)
        self.plan, self.binds = plan, binds

    def fetch(self, database: Database, args: Args, *options: Any) -> list[Any]:
        self.binds.check_database(database)
        return self.plan.fetch(database, args, *options)

    def execute(self, database: Database, args: Args) -> int:
        self.binds.check_database(database)
        return self.plan.execute(database, args)

    def stream(self, database: Database, args: Args, chunk_size: int, *options: Any) -> Stream:
        self.binds.check_database(database)
        return self.plan.stream(database, args, chunk_size, *options)

    def sql(self, args: Args) -> tuple[str, Params]:
        return self.plan.sql(args)


class RangedPlan(Plan):
    """A plan that others stand in for when arguments lie beyond the values of their columns.

    `again` makes the plan in which these arguments, by their numbers, are known to lie there.
    """

    __slots__ = ("again", "beyond", "others", "plan", "sources")

    def __init__(
        self, plan: Plan, beyond: Beyond, sources: list[BoundArg], again: Callable[[Beyond], Plan]
    ) -> None:
        super().__init__(plan.statement, plan.bind, plan.load)
        self.plan, self.beyond, self.sources, self.again = plan, beyond, sources, again
        self.others: dict[frozenset[tuple[int, OutOfRange]], Plan] = {}

    def other(self, args: Args) -> Plan:
        found = dict(self._found(args))
        key = frozenset(found.items())
        if (plan := self.others.get(key)) is None:
            if len(self.others) >= MAX_OTHERS:
                self.others.clear()
            plan = self.others[key] = self.again({**self.beyond, **found})
        return plan

    def _found(self, args: Args) -> Iterator[tuple[int, OutOfRange]]:
        """Yield all arguments that lie beyond their columns: one plan knows them all."""
        for source in self.sources:
            try:
                given_value(args, *source)
            except BeyondColumn as found:
                yield found.number, OutOfRange(found.high)

    def fetch(self, database: Database, args: Args, *options: Any) -> list[Any]:
        try:
            return self.plan.fetch(database, args, *options)
        except BeyondColumn:
            plan = self.other(args)
        return plan.fetch(database, args, *options)

    def execute(self, database: Database, args: Args) -> int:
        try:
            return self.plan.execute(database, args)
        except BeyondColumn:
            plan = self.other(args)
        return plan.execute(database, args)

    def stream(self, database: Database, args: Args, chunk_size: int, *options: Any) -> Stream:
        try:
            self.plan.sql(args)  # finds out before the stream begins
            plan = self.plan
        except BeyondColumn:
            plan = self.other(args)
        return plan.stream(database, args, chunk_size, *options)

    def sql(self, args: Args) -> tuple[str, Params]:
        try:
            return self.plan.sql(args)
        except BeyondColumn:
            plan = self.other(args)
        return plan.sql(args)


class EquatingPlan(Plan):
    """A plan of expressions that the database compares: where values are equal, one with one parameter for them stands in.

    To PostgreSQL, an expression that was written twice is the same one only if its constants have the same numbers.
    """

    __slots__ = ("alike", "compiled", "equated", "others", "plan")

    def __init__(self, plan: Plan, compiled: SQLCompiler, equated: Callable[[Pairs], Plan]) -> None:
        super().__init__(plan.statement, plan.bind, plan.load)
        self.plan, self.compiled, self.equated = plan, compiled, equated
        self.alike = comparable_parameters(compiled)
        self.others: dict[Pairs, Plan] = {}

    def other(self, args: Args) -> Plan:
        pairs = equal_pairs(self.alike, values_by_name(self.compiled, self.bind(args)))
        if not pairs:
            return self.plan
        if (plan := self.others.get(pairs)) is None:
            if len(self.others) >= MAX_OTHERS:
                self.others.clear()
            plan = self.others[pairs] = self.equated(pairs)
        return plan

    def fetch(self, database: Database, args: Args, *options: Any) -> list[Any]:
        return self.other(args).fetch(database, args, *options)

    def execute(self, database: Database, args: Args) -> int:
        return self.other(args).execute(database, args)

    def stream(self, database: Database, args: Args, chunk_size: int, *options: Any) -> Stream:
        return self.other(args).stream(database, args, chunk_size, *options)

    def sql(self, args: Args) -> tuple[str, Params]:
        return self.other(args).sql(args)


class ExpandingPlan(Plan):
    """A plan with lists that the database can only take one parameter per item: the SQL grows with them."""

    __slots__ = ("compiled", "constants", "names")

    def __init__(
        self,
        statement: Statement,
        bind: Callable[[Args], Params],
        load: Loader,
        compiled: SQLCompiler,
        binds: Binds,
    ) -> None:
        super().__init__(statement, bind, load)
        self.compiled, self.constants = compiled, compiled.params
        self.names = {name: source for name, source in binds.sources.items() if name in compiled.binds}

    def expand(self, args: Args) -> tuple[Statement, Params]:
        values = {name: given_value(args, *source) for name, source in self.names.items()}
        sql, params = written_out(self.compiled, self.constants, values)
        original = self.statement
        return Statement(sql, original.reads, original.returns, original.locks), params

    def fetch(self, database: Database, args: Args, *options: Any) -> list[Any]:
        statement, params = self.expand(args)
        return self.load(database.fetch(statement, params), database.home, *options)

    def execute(self, database: Database, args: Args) -> int:
        count: int = database.execute(*self.expand(args))
        return count

    def stream(self, database: Database, args: Args, chunk_size: int, *options: Any) -> Stream:
        statement, params = self.expand(args)
        home = database.home  # now: a block inside this one may have other schemas when the rows come
        with closing(database.stream(statement, params, chunk_size)) as chunks:
            for rows in chunks:
                yield self.load(rows, home, *options)

    def sql(self, args: Args) -> tuple[str, Params]:
        statement, params = self.expand(args)
        return statement.sql, params


def select_plan(shape: Shape, database: Database, kind: str, low: bool = False, high: bool = False) -> Plan:
    """Return the plan of a shape: its rows as `kind` says, sliced by arguments behind the shape's own."""
    key = (kind, database.plan_key, low, high)
    if (plan := shape.plans.get(key)) is None:
        plan = shape.plans[key] = _make_plan(sliced_query(shape, low, high), database.compile_dialect, kind)
    return plan


def get_plan(shape: Shape, database: Database, kind: str) -> Plan:
    """Return the plan that looks for the one row of a shape, and for a few more that must not be there."""
    key = (kind, database.plan_key)
    if (plan := shape.plans.get(key)) is None:
        plan = shape.plans[key] = _make_plan(_sought_query(shape), database.compile_dialect, kind)
    return plan


def sliced_query(shape: Shape, low: bool, high: bool) -> Any:
    """Return a shape's query with the places of a slice behind the shape's own arguments."""
    query = shape.query.clone()
    if low or high:
        query.slice = Slice(Arg(query.arity + high) if low else None, Arg(query.arity) if high else None)
    return query


def _sought_query(shape: Shape) -> Any:
    """Return a shape's query in no order, unless that chooses the row, and without a limit where a key is given."""
    query = shape.query.clone()
    if query.is_ordered and not query.grouping.distinct_fields:
        query.clear_ordering(force=True)
    if not has_key(query):
        query.slice = Slice(high=MAX_GET_RESULTS)
    return query


def _make_plan(query: SQLQuery, dialect: Dialect, kind: str, beyond: Beyond | None = None) -> Plan:
    with refusing_deep_query(query):
        return _compiled_query(query, dialect, kind, beyond)


def _compiled_query(query: SQLQuery, dialect: Dialect, kind: str, beyond: Beyond | None) -> Plan:
    compiler = Compiler(query, dialect, beyond=beyond)
    try:
        statement = compiler.statement()
    except EmptyResultSet:
        compiler.layout.check_types()
        return EmptyPlan()
    extra = len(list(statement.selected_columns)) != compiler.layout.width
    load = _no_rows if query.selection.exists_only else LOADERS[kind](compiler.layout, dialect, extra)
    again = functools.partial(_make_plan, query, dialect, kind)
    return compile_plan(statement, compiler, load, again, reads=query.lock is None, returns=True)


def _no_rows(rows: Sequence[Any], alias: str) -> list[Any]:
    return list(rows)


def compile_plan(
    statement: sa.Select[Any],
    compiler: Compiler,
    load: Loader,
    again: Callable[[Beyond], Plan],
    *,
    reads: bool,
    returns: bool,
) -> Plan:
    """Compile a Core statement whose parameters come from arguments; `again` makes it where some lie beyond a column."""
    dialect, title = compiler.dialect, getattr(compiler.query.model, "__name__", "values")
    locks = compiler.query.lock is not None and not vendor_of(dialect).ignores_row_locks

    def plan_of(compiled: SQLCompiler) -> Plan:
        ready = Statement(str(compiled), reads=reads, returns=returns, locks=locks)
        if compiled.post_compile_params:
            return ExpandingPlan(ready, _unbound, load, compiled, compiler.binds)
        return Plan(ready, binder(compiled, compiler.binds, title), load)

    def equated(pairs: Pairs) -> Plan:
        return plan_of(compile_statement(statement, equating(dialect, compiled, pairs)))

    compiled = compile_statement(statement, dialect)
    plan = plan_of(compiled)
    if compiler.binds.compares and comparable_parameters(compiled):
        plan = EquatingPlan(plan, compiled, equated)
    if compiler.binds.databases or compiler.binds.options:
        plan = LocalPlan(plan, compiler.binds)
    if not compiler.binds.limited:
        return plan
    sources = [source for name, source in compiler.binds.sources.items() if name in compiled.binds]
    return RangedPlan(plan, compiler.binds.beyond, sources, again)


def _unbound(args: Args) -> Args:
    raise NotImplementedError
