"""QuerySet: the objects of a model, narrowed step by step, and everything that can be done with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from facade.bridge import iterate_chunks, spawn, twin
from facade.db.connection import connections
from facade.db.transaction import atomic, mark_for_rollback_on_error
from facade.exceptions import EmptyResultSet, UnsupportedFeature
from facade.expressions.aggregates import Count
from facade.expressions.base import OrderBy
from facade.expressions.freezing import Frozen, Values, freeze
from facade.expressions.functions.window import RowNumber
from facade.expressions.lookups import GreaterThan, LessThanOrEqual
from facade.expressions.q import Q
from facade.expressions.references import F
from facade.expressions.windows import Window
from facade.orm import bulk
from facade.orm.chain import Chain, named_expressions
from facade.orm.deletion import Collector
from facade.orm.explaining import explain_sql
from facade.orm.fetching import adopt
from facade.orm.prefetch import prefetch_related_objects
from facade.orm.raw import RawQuerySet
from facade.orm.state import LOADED_FROM, ModelState
from facade.sql.assignments import tables_of
from facade.sql.plan import Plan, select_plan, sliced_query
from facade.sql.reading import readable
from facade.sql.rows import state_classes
from facade.sql.shape import root
from facade.sql.updating import delete_plan, update_plan

if TYPE_CHECKING:
    from facade.fields import Field

M = TypeVar("M", bound=Any)
R = TypeVar("R", covariant=True)
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")

MAX_GET_RESULTS = 21
REPR_OUTPUT_SIZE = 20
DEFAULT_CHUNK = 2000
_PLAIN_STATE = 3  # what every queryset has: the model, the shape and the arguments


class QuerySet(Chain, Generic[M, R]):
    """A query on one model that runs when its results are asked for.

    `for`, `len()`, `list()`, indexing and the methods run it; under asyncio `async for`, `await` and the methods that begin with `a`.
    Results are kept: a second loop asks nothing. `M` is the model, `R` what one result is.
    See https://docs.djangoproject.com/en/6.1/ref/models/querysets/
    """

    def __init__(
        self,
        model: Any = None,
        query: Any = None,
        using: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self._args = ()
        if model is not None:
            self._shape = root(model)
        if using is not None:
            self._db = using
        if hints:
            self._hints = hints

    # -- results --------------------------------------------------------------------------------

    def _plan(self, database: Any) -> Plan:
        return select_plan(self._shape, database, self._kind, bool(self._low), self._high is not None)

    def _plan_args(self) -> tuple[Any, ...]:
        if self._high is not None:
            return (
                (*self._args, self._high - self._low, self._low) if self._low else (*self._args, self._high)
            )
        return (*self._args, self._low) if self._low else self._args

    def _load(self) -> list[Any]:
        """Run the query and return its rows as objects, without what prefetch_related() asks for."""
        if self._high is not None and self._high <= self._low:
            return []
        database = connections[self.db]
        rows = self._plan(database).fetch(database, self._plan_args(), *self._load_options())
        if self._known_related_objects or self._fetch_mode is not None:
            adopt(self, rows)
        return rows

    def _load_options(self) -> tuple[Any, ...]:
        return () if self._fetch_mode is None or self._kind != "instances" else (self._fetch_mode,)

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            self._result_cache = self._load()
        if self._prefetch_related_lookups and not self._prefetch_done:
            self._prefetch_related_objects()

    def _prefetch_related_objects(self) -> None:
        prefetch_related_objects(self._result_cache, *self._prefetch_related_lookups)
        self._prefetch_done = True

    def _results(self) -> list[Any]:
        self._fetch_all()
        return self._result_cache  # type: ignore[return-value]

    def __iter__(self) -> Iterator[R]:
        return iter(self._results())

    def __aiter__(self) -> AsyncIterator[R]:
        return self._aiter()

    async def _aiter(self) -> AsyncGenerator[R, None]:
        for item in await spawn(self._results):
            yield item

    def __await__(self) -> Generator[Any, Any, list[R]]:
        """`await queryset` is the list of its results."""
        return spawn(self._as_list).__await__()

    def _as_list(self) -> list[R]:
        return list(self._results())

    def __len__(self) -> int:
        return len(self._results())

    def __bool__(self) -> bool:
        return bool(self._results())

    def __repr__(self) -> str:
        data: list[Any] = (
            list(self[: REPR_OUTPUT_SIZE + 1])
            if self._result_cache is None
            else self._result_cache[: REPR_OUTPUT_SIZE + 1]
        )
        if len(data) > REPR_OUTPUT_SIZE:
            data[-1] = "...(remaining elements truncated)..."
        return f"<{type(self).__name__} {data!r}>"

    @overload
    def __getitem__(self, key: int) -> R: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return self._slice(key)
        if not isinstance(key, int):
            raise TypeError(f"QuerySet indices must be integers or slices, not {type(key).__name__}.")
        if key < 0:
            raise ValueError("Negative indexing is not supported.")
        if self._result_cache is not None:
            return self._result_cache[key]
        return self._narrowed(key, key + 1)._results()[0]

    def _slice(self, key: slice) -> Any:
        start, stop = _bound(key.start), _bound(key.stop)
        if self._result_cache is not None:
            return self._result_cache[key]
        narrowed = self._narrowed(start, stop)
        return list(narrowed)[:: key.step] if key.step else narrowed

    def _narrowed(self, start: int | None, stop: int | None) -> Self:
        """Return the part `[start:stop]` of these results."""
        low, high = self._low, self._high
        if stop is not None:
            high = low + stop if high is None else min(high, low + stop)
        if start is not None:
            low = low + start if high is None else min(high, low + start)
        clone = self._chain()
        clone._low, clone._high = low, high
        return clone

    # -- one object -----------------------------------------------------------------------------------

    def get(self, *args: Any, **kwargs: Any) -> R:
        """Return the one object that meets the conditions.

        Raises `Model.DoesNotExist` and `Model.MultipleObjectsReturned`.
        """
        if self._is_plain_get(args):
            shape, values = self._narrow(kwargs) if kwargs else (self._shape, self._args)
            database = connections[self.db]
            plan = select_plan(shape.unordered, database, self._kind, False, True)
            found = plan.fetch(database, (*values, MAX_GET_RESULTS))
            if len(found) == 1:
                one: R = found[0]
                return one
            raise self._not_one(found, None)
        return self._get_slowly(args, kwargs)

    def _is_plain_get(self, args: tuple[Any, ...]) -> bool:
        if not args and len(self.__dict__) == _PLAIN_STATE:
            return not self._shape.query.combinator
        return not (
            args
            or self._low
            or self._high is not None
            or self._prefetch_related_lookups
            or self._known_related_objects
            or self._fetch_mode is not None
            or self._shape.query.combinator
        )

    def _get_slowly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        query = self._shape.query
        if query.combinator and (args or kwargs):
            raise UnsupportedFeature(
                f"Calling QuerySet.get(...) with filters after {query.combinator}() is not supported."
            )
        clone = self.filter(*args, **kwargs) if args or kwargs else self._chain()
        limit = None
        if clone._can_filter():
            if not query.distinct_fields:
                clone = clone.order_by()
            limit = MAX_GET_RESULTS
            if not query.combinator:
                clone = clone._narrowed(None, limit)
        found = clone._results()
        if len(found) == 1:
            return found[0]
        raise self._not_one(found, limit)

    def _not_one(self, found: list[Any], limit: int | None = MAX_GET_RESULTS) -> Exception:
        name = self.model._meta.object_name
        if not found:
            error: Exception = self.model.DoesNotExist(f"{name} matching query does not exist.")
        else:
            count = len(found) if len(found) < MAX_GET_RESULTS else f"more than {MAX_GET_RESULTS - 1}"
            error = self.model.MultipleObjectsReturned(
                f"get() returned more than one {name} -- it returned {count}!"
            )
        return error

    aget = twin(get)

    def get_or_none(self, *args: Any, **kwargs: Any) -> R | None:
        """Return the one object that meets the conditions, None where there is none."""
        try:
            return self.get(*args, **kwargs)
        except self.model.DoesNotExist:
            return None

    aget_or_none = twin(get_or_none)

    def first(self) -> R | None:
        """Return the first object, by primary key where no order was given; None where there is none."""
        queryset = self if self._is_ordered_for_first() else self.order_by("pk")
        found = list(queryset[:1])
        return found[0] if found else None

    afirst = twin(first)

    def last(self) -> R | None:
        """Return the last object, by primary key where no order was given; None where there is none."""
        self._refuse_sliced_last()
        queryset = self.reverse() if self._is_ordered_for_first() else self.order_by("-pk")
        found = queryset._narrowed(None, 1)._results()
        return found[0] if found else None

    alast = twin(last)

    def _refuse_sliced_last(self) -> None:
        if not self._can_filter():
            raise TypeError("Cannot reverse a query once a slice has been taken.")

    def _is_ordered_for_first(self) -> bool:
        query = self._shape.query
        if query.is_ordered or not query.default_ordering:
            return True
        if isinstance(query.group_by, tuple) and not any(
            getattr(item, "target", None) is self.model._meta.pk for item in query.group_by
        ):
            raise TypeError(
                "Cannot use QuerySet.first() or QuerySet.last() on an unordered queryset performing aggregation. Add an ordering with order_by()."
            )
        return False

    def _earliest(self, *fields: str) -> R:
        names: Any = fields or self.model._meta.get_latest_by
        if not names:
            raise ValueError(
                "earliest() and latest() require either fields as positional arguments or 'get_latest_by' in the model's Meta."
            )
        if not self._can_filter():
            raise TypeError("Cannot change a query once a slice has been taken.")
        ordered = self.order_by(*((names,) if isinstance(names, str) else names))
        return ordered._narrowed(None, 1).get()

    def earliest(self, *fields: str) -> R:
        """Return the first object by these fields, or by `Meta.get_latest_by`. Raises `Model.DoesNotExist`."""
        return self._earliest(*fields)

    aearliest = twin(earliest)

    def latest(self, *fields: str) -> R:
        """Return the last object by these fields, or by `Meta.get_latest_by`. Raises `Model.DoesNotExist`."""
        if not self._can_filter():
            raise TypeError("Cannot change a query once a slice has been taken.")
        return self.reverse()._earliest(*fields)

    alatest = twin(latest)

    # -- questions ----------------------------------------------------------------------------------------

    def _aggregated(self, aggregates: dict[str, Any]) -> dict[str, Any]:
        """Return the values of the aggregates over these objects."""
        values = Values()
        frozen = tuple((name, freeze(expression, values)) for name, expression in aggregates.items())
        sliced = []
        for bound in (self._low or None, None if self._high is None else self._high - self._low):
            sliced.append(None if bound is None else values.add(bound))
        shape = self._shape.child(("aggregate", frozen, tuple(sliced)), len(values), values.keyed)
        database = connections[self.db]
        rows = select_plan(shape, database, "dicts").fetch(database, self._args + shape.bind(values))
        if rows:
            return rows[0]  # type: ignore[no-any-return]
        return {name: _empty_value(expression) for name, expression in shape.query.annotation_select.items()}

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return a dict of values computed over all objects: `aggregate(total=Sum("price"))`."""
        if self._shape.query.distinct_fields:
            raise NotImplementedError("aggregate() + distinct(fields) not implemented.")
        named = named_expressions(args, kwargs, "aggregate")
        return self._aggregated(named) if named else {}

    aaggregate = twin(aggregate)

    def count(self) -> int:
        """Return the number of objects, counted by the database unless they were fetched."""
        if self._result_cache is not None:
            return len(self._result_cache)
        if self._high is not None and self._high <= self._low:
            return 0
        return self._aggregated(_COUNT)["__count"]  # type: ignore[no-any-return]

    acount = twin(count)

    def exists(self) -> bool:
        """Return whether there is any object."""
        if self._result_cache is not None:
            return bool(self._result_cache)
        if self._high is not None and self._high <= self._low:
            return False
        database = connections[self.db]
        plan = select_plan(self._shape.child(("exists",), 0), database, "tuples", bool(self._low), False)
        return bool(plan.fetch(database, (*self._args, self._low) if self._low else self._args))

    aexists = twin(exists)

    def contains(self, obj: Any) -> bool:
        """Return whether `obj` is among the objects."""
        self._refuse_combined("contains")
        self._refuse_values("QuerySet.contains")
        if not hasattr(obj, "_meta"):
            raise TypeError("'obj' must be a model instance.")
        if obj._meta.concrete_model is not self.model._meta.concrete_model:
            return False
        if not obj._is_pk_set():
            raise ValueError("QuerySet.contains() cannot be used on unsaved objects.")
        if self._result_cache is not None:
            return obj in self._result_cache
        return self.filter(pk=obj.pk).exists()

    acontains = twin(contains)

    def in_bulk(self, id_list: Iterable[Any] | None = None, *, field_name: str = "pk") -> dict[Any, R]:
        """Return a dict of the objects by their primary key, or by another unique field."""
        if not self._can_filter():
            raise TypeError("Cannot use 'limit' or 'offset' with in_bulk().")
        self._check_in_bulk(field_name)
        if id_list is None:
            queryset = self._chain()
        elif not (wanted := tuple(id_list)):
            return {}
        else:
            queryset = self.filter(**{f"{field_name}__in": wanted})
        return queryset._by_name(field_name)

    ain_bulk = twin(in_bulk)

    def _check_in_bulk(self, field_name: str) -> None:
        opts = self.model._meta
        if field_name == "pk":
            return
        field = opts.get_field(field_name)
        unique = {
            names[0] for names in (item.fields for item in opts.total_unique_constraints) if len(names) == 1
        }
        distinct = self._shape.query.distinct_fields
        if not field.unique and field_name not in unique and distinct != (field_name,):
            raise ValueError(f"in_bulk()'s field_name must be a unique field but {field_name!r} isn't.")

    def _by_name(self, field_name: str) -> dict[Any, Any]:
        queryset = self.order_by() if not self._shape.query.distinct_fields else self
        if self._kind == "instances":
            return {getattr(item, field_name): item for item in queryset}
        if self._kind not in ("dicts", "tuples", "flat", "named"):
            raise TypeError("in_bulk() cannot be used with this kind of result.")
        return self._values_by_name(field_name)

    def _values_by_name(self, field_name: str) -> dict[Any, Any]:
        """Return rows of values by a field, which is read along where it is not among them."""
        name = self.model._meta.pk.name if field_name == "pk" else field_name
        names = self._fields or tuple(field.attname for field in self.model._meta.concrete_fields)
        known = next((item for item in (field_name, name) if item in names), None)
        keyed = self._values(*(names if known else (*names, name)))
        keyed._kind = "tuples"
        position = len(names) if known is None else names.index(known)
        rows = keyed._results()
        own = self._values(*names)
        if self._kind == "dicts":
            return {row[position]: dict(zip(names, row, strict=False)) for row in rows}
        if self._kind == "flat":
            return {row[position]: row[0] for row in rows}
        if self._kind == "named":
            return dict(
                zip((row[position] for row in rows), own._with(_kind="named")._results(), strict=True)
            )
        return {row[position]: tuple(row[: len(names)]) for row in rows}

    # -- streams ----------------------------------------------------------------------------------------------

    def _chunks(self, chunk_size: int) -> Generator[list[Any], None, None]:
        """Yield lists of results as they come from the database; nothing is kept."""
        database = connections[self.db]
        if self._high is not None and self._high <= self._low:
            return
        plan = self._plan(database)
        for rows in plan.stream(database, self._plan_args(), chunk_size, *self._load_options()):
            if self._known_related_objects or self._fetch_mode is not None:
                adopt(self, rows)
            if self._prefetch_related_lookups:
                prefetch_related_objects(rows, *self._prefetch_related_lookups)
            yield rows

    def _check_chunk_size(self, chunk_size: int | None) -> int:
        if chunk_size is None:
            if self._prefetch_related_lookups:
                raise ValueError(
                    "chunk_size must be provided when using QuerySet.iterator() after prefetch_related()."
                )
            return DEFAULT_CHUNK
        if chunk_size <= 0:
            raise ValueError("Chunk size must be strictly positive.")
        return chunk_size

    def iterator(self, chunk_size: int | None = None) -> Iterator[R]:
        """Iterate over the results without keeping them: `chunk_size` rows at a time are in memory."""
        return self._iterator(self._check_chunk_size(chunk_size))

    def _iterator(self, chunk_size: int) -> Iterator[Any]:
        chunks = self._chunks(chunk_size)
        try:
            for chunk in chunks:
                yield from chunk
        finally:
            chunks.close()

    def aiterator(self, chunk_size: int = DEFAULT_CHUNK) -> AsyncGenerator[R, None]:
        """The asynchronous `iterator()`, for `async for`."""
        return iterate_chunks(self._checked_chunks(chunk_size))

    def _checked_chunks(self, chunk_size: int) -> Generator[list[Any], None, None]:
        yield from self._chunks(self._check_chunk_size(chunk_size))

    # -- writing --------------------------------------------------------------------------------------------------

    def create(self, /, **kwargs: Any) -> R:
        """Make an object, save it and return it."""
        names = (
            {field.name for field in self.model._meta.related_objects if field.one_to_one}
            if kwargs
            else set()
        )
        if reverse := names & kwargs.keys():
            known = ", ".join(sorted(repr(name) for name in reverse))
            raise ValueError(f"The following fields do not exist in this model: {known[1:-1]}")
        obj = self.model(**kwargs)
        self._for_write = True
        if self._fetch_mode is not None:
            obj._state.fetch_mode = self._fetch_mode
        obj.save(force_insert=True, using=self.db)
        return obj  # type: ignore[no-any-return]

    acreate = twin(create)

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Iterable[str] | None = None,
        unique_fields: Iterable[str] | None = None,
    ) -> list[Any]:
        """Insert the objects, one statement per batch, and return them with their primary keys."""
        created: list[Any] = bulk.bulk_create(
            self, objs, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
        )
        return created

    abulk_create = twin(bulk_create)

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Write the named fields of the objects, one statement per batch; return how many rows were found."""
        return bulk.bulk_update(self, objs, fields, batch_size)

    abulk_update = twin(bulk_update)

    def get_or_create(self, /, defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> tuple[R, bool]:
        """Return (object, whether it was created)."""
        return bulk.get_or_create(self, defaults, **kwargs)

    aget_or_create = twin(get_or_create)

    def update_or_create(
        self,
        /,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> tuple[R, bool]:
        """Update the object that meets the conditions, or create it; return (object, whether it was created)."""
        return bulk.update_or_create(self, defaults, create_defaults, **kwargs)

    aupdate_or_create = twin(update_or_create)

    def _has_filters(self) -> bool:
        return bool(self._shape.query.where)

    def update(self, /, **kwargs: Any) -> int:
        """Assign values or expressions in the database; return the number of rows found."""
        self._refuse_combined("update")
        self._check_update()
        if not kwargs:
            return 0
        self._for_write = True
        if self.model._meta.parents:
            tables = tables_of(self.model._meta, kwargs)
            if tables.keys() != {self.model._meta.concrete_model}:
                return self._update_tables(tables, kwargs)
        values = Values()
        pairs = tuple((name, freeze(value, values)) for name, value in kwargs.items())
        return self._run_update(pairs, values)

    aupdate = twin(update)

    def _update_tables(self, tables: dict[type[Any], list[str]], kwargs: dict[str, Any]) -> int:
        """Update columns of several tables, the model's own and its parents', of the same objects."""
        opts = self.model._meta
        keys = {model: _key_from(opts, model) for model in tables}
        names = tuple(dict.fromkeys(keys.values()))
        with atomic(using=self.db, savepoint=False):
            rows = self._plain_keys().values_list(*names)._results()
            for model, assigned in tables.items():
                position = names.index(keys[model])
                queryset: QuerySet[Any, Any] = QuerySet(model, using=self.db).filter(pk__in=[row[position] for row in rows])
                queryset.update(**{name: kwargs[name] for name in assigned})
        self._result_cache = None
        return len(rows)

    def _plain_keys(self) -> QuerySet[Any, Any]:
        return QuerySet(self.model, using=self.db).filter(pk__in=self.order_by().values("pk"))

    def _check_update(self) -> None:
        query = self._shape.query
        if not self._can_filter():
            raise TypeError("Cannot update a query once a slice has been taken.")
        if query.distinct_fields:
            raise TypeError("Cannot call update() after .distinct(*fields).")

    def _run_update(self, pairs: tuple[tuple[str, Any], ...], values: Values) -> int:
        shape = self._shape.child(("update", pairs), len(values), values.keyed)
        database = connections[self.db]
        args = self._args + shape.bind(values)
        with mark_for_rollback_on_error(using=database.alias):
            count = run_updates(shape, database, args)
        self._result_cache = None
        return count

    def _update(self, values: Iterable[tuple[Any, Any, Any]]) -> int:
        """Assign `(field, model, value)` triples, without the checks that save() has made already."""
        frozen = Values()
        pairs = tuple((field.name, freeze(value, frozen)) for field, _, value in values)
        return self._run_update(pairs, frozen)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the objects and what depends on them; return how many, in all and by model."""
        self._refuse_combined("delete")
        if not self._can_filter():
            raise TypeError("Cannot use 'limit' or 'offset' with delete().")
        if self._shape.query.distinct_fields:
            raise TypeError("Cannot call delete() after .distinct(*fields).")
        self._refuse_values("delete")
        queryset = self._chain()
        queryset._for_write = True
        if not self._shape.query.lock:
            queryset = queryset.select_related(None).order_by()
        queryset._for_write = True
        collector = Collector(using=queryset.db, origin=self)
        collector.collect(queryset)
        result = collector.delete()
        self._result_cache = None
        return result

    adelete = twin(delete)

    def _raw_delete(self, using: str) -> int:
        """Delete the rows with one statement: no signals, nothing else."""
        database = connections[using]
        return delete_plan(self._shape, database).execute(database, self._args)

    # -- the rest ---------------------------------------------------------------------------------------------------

    def explain(self, /, *, format: str | None = None, **options: Any) -> str:
        """Return how the database would run the query. Formats and options are those the database has."""
        database = connections[self.db]
        plan = self._plan(database)
        try:
            sql, params = plan.sql(self._plan_args())
        except EmptyResultSet:
            return ""
        return explain_sql(database, sql, params, format, options)

    aexplain = twin(explain)

    def raw(
        self,
        raw_query: str,
        params: Any = (),
        translations: Mapping[str, str] | None = None,
        using: str | None = None,
    ) -> Any:
        """Return objects loaded by SQL of your own, with `%s` or `%(name)s` for the parameters."""
        rows = RawQuerySet(
            raw_query,
            model=self.model,
            params=params,
            translations=translations,
            using=using or self._db,
            hints=self._hints,
        )
        rows._prefetch_related_lookups = self._prefetch_related_lookups
        return rows

    async def araw(
        self,
        raw_query: str,
        params: Any = (),
        translations: Mapping[str, str] | None = None,
        using: str | None = None,
    ) -> list[Any]:
        """Await the objects of `raw()` as a list."""
        return list(await self.raw(raw_query, params, translations, using))

    async def avalues(self, *fields: Any, **expressions: Any) -> list[dict[str, Any]]:
        """Await the rows of `values()`."""
        return await self.values(*fields, **expressions)

    async def avalues_list(self, *fields: Any, flat: bool = False, named: bool = False) -> list[Any]:
        """Await the rows of `values_list()`."""
        return await self.values_list(*fields, flat=flat, named=named)

    @property
    def query(self) -> Any:
        """A view of the query; `str(queryset.query)` is its SQL with the parameters filled in, for reading only."""
        return QueryView(self)

    @classmethod
    def as_manager(cls) -> Any:
        """Return a manager with this queryset class's methods."""
        manager = manager_maker[0](cls)()
        manager._built_with_asmanager = True
        return manager

    as_manager.queryset_only = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]
    adelete.queryset_only = True  # type: ignore[attr-defined]

    # -- copying and pickling ------------------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        clone = self._clone()
        memo[id(self)] = clone
        return clone

    def __getstate__(self) -> dict[str, Any]:
        self._fetch_all()
        state = self.__dict__.copy()
        state["_shape"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._shape = root(self.model)

    def _filter_prefetch(self, name: str, instances: list[Any]) -> Any:
        """Return these objects narrowed to those that belong to `instances` through the relation `name`.

        A slice is one of the objects of each instance.
        """
        belongs = Q((f"{name}__in", instances))
        if self._can_filter():
            return self.filter(belongs)
        number = Window(RowNumber(), partition_by=F(name), order_by=self._order_terms() or None)
        low, high = self._low, self._high
        within = [GreaterThan(number, low)] if high is None else [GreaterThan(number, low), LessThanOrEqual(number, high)]
        return self._unsliced().filter(belongs, *within)

    def _unsliced(self) -> Self:
        clone = self._clone()
        clone._low, clone._high = 0, None
        return clone

    def _order_terms(self) -> list[Any]:
        """Return the order as it can stand in a window."""
        query = self._shape.query
        items = query.order_by or (query.opts.ordering or () if query.default_ordering else ())
        terms = [
            (F(item.removeprefix("-")).desc() if item.startswith("-") else F(item).asc()) if isinstance(item, str) else item
            for item in items
        ]
        if query.standard_ordering:
            return terms
        return [(item if isinstance(item, OrderBy) else item.asc()).copy().reverse_ordering() for item in terms]

    if not TYPE_CHECKING:

        def __class_getitem__(cls, parameters):  # noqa: ANN001, ANN204 - `QuerySet[Author]` names the model alone, too
            return cls

    if TYPE_CHECKING:

        def values(self, *fields: Any, **expressions: Any) -> QuerySet[M, dict[str, Any]]: ...  # type: ignore[override]
        @overload
        def values_list(self, f1: Field[T1], /, *, flat: Literal[True]) -> QuerySet[M, T1]: ...
        @overload
        def values_list(
            self, f1: Field[T1], /, *, flat: Literal[False] = ..., named: Literal[False] = ...
        ) -> QuerySet[M, tuple[T1]]: ...
        @overload
        def values_list(self, f1: Field[T1], f2: Field[T2], /) -> QuerySet[M, tuple[T1, T2]]: ...
        @overload
        def values_list(
            self, f1: Field[T1], f2: Field[T2], f3: Field[T3], /
        ) -> QuerySet[M, tuple[T1, T2, T3]]: ...
        @overload
        def values_list(
            self, f1: Field[T1], f2: Field[T2], f3: Field[T3], f4: Field[T4], /
        ) -> QuerySet[M, tuple[T1, T2, T3, T4]]: ...
        @overload
        def values_list(self, *fields: Any, flat: Literal[True]) -> QuerySet[M, Any]: ...
        @overload
        def values_list(self, *fields: Any, flat: bool = ..., named: bool = ...) -> QuerySet[M, Any]: ...
        def values_list(self, *fields: Any, flat: bool = False, named: bool = False) -> Any: ...


class _EmptyMeta(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, QuerySet) and instance._shape.query.is_empty


class EmptyQuerySet(metaclass=_EmptyMeta):
    """`isinstance(queryset, EmptyQuerySet)` tells whether a queryset is that of `none()`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("EmptyQuerySet can't be instantiated")


class QueryView(Frozen):
    """What `queryset.query` shows of the query; as the value of a lookup it stands for the queryset."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self._queryset = queryset

    def freeze(self, values: Values) -> Any:
        return self._queryset.freeze(values)

    def sql_with_params(self) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL and the driver's parameters."""
        queryset = self._queryset
        return queryset._plan(connections[queryset.db]).sql(queryset._plan_args())

    def __str__(self) -> str:
        queryset = self._queryset
        query = sliced_query(queryset._shape, bool(queryset._low), queryset._high is not None)
        return readable(query, connections[queryset.db], queryset._plan_args())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queryset._shape.query, name)


def _bound(bound: Any) -> int | None:
    """Return one end of a slice, checked."""
    if bound is None:
        return None
    if not hasattr(bound, "__index__"):
        raise TypeError(f"QuerySet indices must be integers or slices, not {type(bound).__name__}.")
    if bound < 0:
        raise ValueError("Negative indexing is not supported.")
    return int(bound)


def _key_from(opts: Any, model: type[Any]) -> str:
    """Return the name of the field of a model that holds the key of its row in the table of an ancestor."""
    path = opts.get_path_to_parent(model)
    return "pk" if all(hop.join_field.primary_key for hop in path) else str(model._meta.pk.name)


def run_updates(shape: Any, database: Any, args: tuple[Any, ...]) -> int:
    """Run the UPDATE of a shape."""
    return update_plan(shape, database).execute(database, args)


def _empty_value(expression: Any) -> Any:
    value = getattr(expression, "empty_result_set_value", None)
    return None if value is NotImplemented else value


_COUNT = {"__count": Count("*")}

state_classes.append((ModelState, LOADED_FROM))

# Makes a manager class of a queryset class; `orm.manager`, which stands above, puts it here.
manager_maker: list[Any] = []
