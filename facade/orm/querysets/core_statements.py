"""Objects from a statement of SQLAlchemy Core."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.bridge import iterate_chunks
from facade.configuration import settings
from facade.db.channels.channel import Statement
from facade.db.connection import connections
from facade.expressions.core.clauses import without_values
from facade.orm.querysets.prefetch import prefetch_under
from facade.orm.querysets.raw import RawQuerySet, RowLoader
from facade.orm.querysets.reading import DEFAULT_CHUNK
from facade.sql.core.defaults import values_left_out
from facade.sql.core.parameters import compile_given, written_out
from facade.sql.plan.shape import root

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator, Sequence

    from sqlalchemy.sql.elements import BindParameter

    from facade.db.channels.channel import Params
    from facade.db.database import Database

PLANS_MAX = 256  # per model; a program with ever new statements starts again

_UNKNOWN = (
    "Only the database knows the columns of this text, and a stream gives none: name them in their order, "
    "text(...).columns({model}.__table__.c.{key}, ...)."
)


class StatementPlan:
    """A compiled statement and, where its columns are known, what makes objects of its rows."""

    def __init__(
        self, statement: sa.ClauseElement, model: type[Any], database: Database, key: object
    ) -> None:
        self.model = model
        self.compiled = compile_given(statement, dialect=database.compile_dialect, cache_key=key)
        columns = self.compiled._result_columns if getattr(statement, "positional", True) else ()
        self.types = {column.name: column.type for column in self.compiled._result_columns}
        names = [column.name for column in columns]
        self.loader = RowLoader(model, names, database, self.types) if names else None

    def bound(self, parameters: Sequence[BindParameter[Any]] | None) -> tuple[Statement, Params]:
        """Return the SQL and the driver's parameters with the values of a statement that is compiled alike."""
        values = self.compiled.construct_params(extracted_parameters=parameters, escape_names=False)
        sql, params = written_out(self.compiled, {}, values | values_left_out(self.compiled, values))
        return Statement(sql, returns=True), params

    def fetch(self, database: Database, statement: Statement, params: Params) -> list[Any]:
        """Run the statement and return its rows as objects."""
        if self.loader is not None:
            return self.loader.objects(database.fetch(statement, params), database.home)
        outcome = database.perform(statement, params)
        loader = RowLoader(self.model, outcome.columns or (), database, self.types)
        return loader.objects(outcome.rows, database.home)


def plan_of(
    statement: sa.ClauseElement, model: type[Any], database: Database
) -> tuple[StatementPlan, Sequence[BindParameter[Any]] | None]:
    """Return the plan of a statement, made once for all that differ in nothing but values, and where its values are."""
    key = statement._generate_cache_key()
    if key is None or not settings.FACADE_SHAPE_CACHE:
        return StatementPlan(statement, model, database, key), None
    plans = root(model).plans.setdefault("statements", {})
    place = (key.key, database.plan_key)
    if (plan := plans.get(place)) is None:
        if len(plans) >= PLANS_MAX:
            plans.clear()
        kept = without_values(statement)
        plan = plans[place] = StatementPlan(kept, model, database, kept._generate_cache_key())
    return plan, key.bindparams


class StatementQuerySet(RawQuerySet):
    """The rows of a Core statement as objects of a model; columns that are no fields become attributes."""

    def __init__(
        self,
        statement: sa.ClauseElement,
        model: type[Any],
        using: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        super().__init__("", model, using=using, hints=hints)
        self.statement = statement

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.statement}>"

    def _copy(self) -> StatementQuerySet:
        clone = StatementQuerySet(self.statement, self.model, self._db, self._hints)
        clone._prefetch_related_lookups = self._prefetch_related_lookups
        return clone

    def _load(self) -> list[Any]:
        database = connections[self.db]
        plan, parameters = plan_of(self.statement, self.model, database)
        return plan.fetch(database, *plan.bound(parameters))

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:
        """Iterate over the objects without keeping them: `chunk_size` rows at a time are in memory.

        Raises TypeError for a `text()` whose columns are not named.
        """
        return self._iterator(self._chunks(self._checked(chunk_size)))

    def _iterator(self, chunks: Generator[list[Any], None, None]) -> Iterator[Any]:
        with closing(chunks):
            for chunk in chunks:
                yield from chunk

    def aiterator(self, chunk_size: int = DEFAULT_CHUNK) -> AsyncGenerator[Any, None]:
        """The asynchronous `iterator()`, for `async for`."""
        return iterate_chunks(self._chunks(self._checked(chunk_size)))

    def _checked(self, chunk_size: int | None) -> int:
        if isinstance(self.statement, sa.TextClause) or not getattr(self.statement, "positional", True):
            raise TypeError(_UNKNOWN.format(model=self.model.__name__, key=self.model._meta.pk.column))
        if chunk_size is None:
            if self._prefetch_related_lookups:
                raise ValueError(
                    "chunk_size must be provided when using iterator() after prefetch_related()."
                )
            return DEFAULT_CHUNK
        if chunk_size <= 0:
            raise ValueError("Chunk size must be strictly positive.")
        return chunk_size

    def _chunks(self, chunk_size: int) -> Generator[list[Any], None, None]:
        database = connections[self.db]
        plan, parameters = plan_of(self.statement, self.model, database)
        assert plan.loader is not None
        home = database.home
        with closing(database.stream(*plan.bound(parameters), chunk_size)) as chunks:
            for rows in chunks:
                found = plan.loader.objects(rows, home)
                if self._prefetch_related_lookups:
                    prefetch_under(None, found, *self._prefetch_related_lookups)
                yield found
