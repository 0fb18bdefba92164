"""Objects from SQL of one's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from facade.bridge import iterate, spawn
from facade.db.connection import connections
from facade.db.routing import router
from facade.db.scopes.binding import Using, alias_of
from facade.exceptions import FieldDoesNotExist
from facade.orm.querysets.prefetch import Prefetching
from facade.sql.values import reader, reader_there, type_reader

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.fields.columns import ColumnType
    from facade.fields.descriptions import Converter
    from facade.meta.options import Options
    from facade.sql.query.query import Query as SQLQuery


class RowLoader:
    """Makes objects of rows whose columns have these names: those of fields, by their columns' names, and others, of `types`."""

    def __init__(
        self,
        model: type[Any],
        columns: Sequence[str],
        database: Database,
        types: Mapping[str, ColumnType] | None = None,
    ) -> None:
        opts: Options = model._meta
        known = {
            name.lower(): field for field in opts.concrete_fields for name in (field.attname, field.column)
        }
        fields = [known.get(name.lower()) for name in columns]
        present = {field.attname: index for index, field in enumerate(fields) if field is not None}
        if any(field.attname not in present for field in opts.pk_fields):
            raise FieldDoesNotExist("Raw query must include the primary key")
        loaded = [field for field in opts.concrete_fields if field.attname in present]
        dialect = database.compile_dialect
        self.model = model
        self.names = [field.attname for field in loaded]
        self.read = [(present[field.attname], reader(field, dialect)) for field in loaded]
        types = types or {}
        self.extra = [
            (name, index, type_reader(types[name], dialect) if name in types else None)
            for index, (name, field) in enumerate(zip(columns, fields, strict=True))
            if field is None
        ]

    def objects(self, rows: Iterable[Sequence[Any]], alias: str) -> list[Any]:
        """Return the objects of rows of the database `alias`."""
        read = [(index, reader_there(fit, connections[alias])) for index, fit in self.read]
        return [self._object(row, alias, read) for row in rows]

    def _object(self, row: Sequence[Any], alias: str, read: Iterable[tuple[int, Converter | None]]) -> Any:
        values = [row[index] if fit is None else fit(row[index]) for index, fit in read]
        obj = self.model.from_db(alias, self.names, values)
        for name, index, fit in self.extra:
            setattr(obj, name, row[index] if fit is None else fit(row[index]))
        return obj


class RawQuerySet(Prefetching):
    """The rows of a SQL text as objects of a model; columns that are no fields become attributes.

    See https://docs.djangoproject.com/en/6.1/topics/db/sql/#performing-raw-queries
    """

    def __init__(
        self,
        raw_query: str,
        model: type[Any] | None = None,
        query: SQLQuery | None = None,
        params: Sequence[Any] | Mapping[str, Any] | None = (),
        translations: Mapping[str, str] | None = None,
        using: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        self.raw_query, self._db = raw_query, using
        self.model: Any = model
        self.params = params if params is not None else ()
        self.translations = dict(translations or {})
        self._hints = hints or {}

    def __repr__(self) -> str:
        if not self.params:
            return f"<{type(self).__name__}: {self.raw_query}>"
        params = self.params if isinstance(self.params, Mapping) else tuple(self.params)
        return f"<{type(self).__name__}: {self.raw_query % params}>"

    def _copy(self) -> RawQuerySet:
        clone = RawQuerySet(
            self.raw_query, self.model, None, self.params, self.translations, self._db, self._hints
        )
        clone._prefetch_related_lookups = self._prefetch_related_lookups
        return clone

    @property
    def db(self) -> str:
        """The alias of the database the SQL runs on."""
        return self._db or router.db_for_read(self.model, **self._hints)

    def using(self, alias: Using) -> RawQuerySet:
        """Return a copy that runs on another database, or on a SQLAlchemy connection or session."""
        clone = self._copy()
        clone._db = alias_of(alias)
        return clone

    def prefetch_related(self, *lookups: Any) -> RawQuerySet:
        """Load related objects of all results."""
        clone = self._copy()
        clone._prefetch_related_lookups = (
            () if lookups == (None,) else (*clone._prefetch_related_lookups, *lookups)
        )
        return clone

    def iterator(self) -> Iterator[Any]:
        """Iterate over freshly loaded objects."""
        return iter(self._load())

    def aiterator(self) -> AsyncGenerator[Any, None]:
        """The asynchronous `iterator()`, for `async for`."""
        return iterate(self._fresh())

    def _fresh(self) -> Generator[Any, None, None]:
        yield from self._load()

    # -- loading -------------------------------------------------------------------------------

    def _load(self) -> list[Any]:
        """Run the SQL and return its rows as objects."""
        database = connections[self.db]
        with database.cursor() as cursor:
            cursor.execute(self.raw_query, self.params or None)
            columns = [self.translations.get(item[0], item[0]) for item in cursor.description or ()]
            return RowLoader(self.model, columns, database).objects(cursor.fetchall(), database.home)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._results())

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._aiter()

    async def _aiter(self) -> AsyncGenerator[Any, None]:
        for item in await spawn(self._results):
            yield item

    def __await__(self) -> Generator[Any, Any, list[Any]]:
        return spawn(self._results).__await__()

    def __len__(self) -> int:
        return len(self._results())

    def __bool__(self) -> bool:
        return bool(self._results())

    def __getitem__(self, key: int | slice) -> Any:
        return self._results()[key]
