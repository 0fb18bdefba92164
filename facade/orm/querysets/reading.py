"""The half of QuerySet that reads: one object, many, questions about all, streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from contextlib import closing
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, Self, overload

from typing_extensions import TypeVar

from facade.bridge import iterate_chunks, spawn, twin
from facade.db.channels.execution import NO_OPTIONS
from facade.db.connection import connections
from facade.exceptions import UnsupportedFeature
from facade.expressions.aggregates.plain import Count
from facade.expressions.freezing import CORE, Arg, Values
from facade.orm.instances.fetching import adopt
from facade.orm.instances.state import LOADED_FROM, ModelState
from facade.orm.querysets.arguments import freeze_named, named_expressions
from facade.orm.querysets.chain import Chain
from facade.orm.querysets.display import SHOWN_ROWS, as_html, as_text, first_rows
from facade.orm.querysets.prefetch import Prefetching, prefetch_under
from facade.sql.plan.loaders import instance_state, row_class
from facade.sql.plan.plan import MAX_GET_RESULTS, Plan, get_plan, select_plan

if TYPE_CHECKING:
    from facade.db.database import Database
    from facade.fields.contracts import Instance


M = TypeVar("M")
R = TypeVar(
    "R", covariant=True, default=M
)  # what one result is: an object of the model, unless values are asked for
T1 = TypeVar("T1")

REPR_OUTPUT_SIZE = SHOWN_ROWS
"""How many objects the ``repr()`` of a queryset shows."""

DEFAULT_CHUNK = 2000
EMBEDDED_CHUNK = 500
"""How many rows of a stream are read at a time where no server is asked: so few are in the processor's cache still."""
_PLAIN_STATE = 3  # what every queryset has: the model, the shape and the arguments


class Fetched(list[T1]):
    """A slice of results that were fetched before: a list that can be awaited as the slice of a queryset can."""

    def __await__(self) -> Generator[Any, Any, list[T1]]:
        yield from ()
        return self

    async def __aiter__(self) -> AsyncGenerator[T1, None]:  # type: ignore[override,unused-ignore]
        for item in self:
            yield item


class Reading(Prefetching, Chain, Generic[M, R]):
    """A queryset's results, and the methods that return something from the database."""

    # -- results --------------------------------------------------------------------------------

    def _plan(self, database: Database) -> Plan:
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
        plan = self._plan(database)
        args = self._plan_args() if self._low or self._high is not None else self._args
        if not self._known_related_objects and self._fetch_mode is None:
            return plan.fetch(database, args)
        rows = plan.fetch(database, args, *self._load_options())
        adopt(self, rows)
        return rows

    def _load_options(self) -> tuple[Any, ...]:
        return () if self._fetch_mode is None or self._kind != "instances" else (self._fetch_mode,)

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
        return as_text(self, first_rows(self))

    def _repr_html_(self) -> str:
        """Return the first rows as a table, for notebooks."""
        return as_html(self, first_rows(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """Return both forms for IPython: one query instead of two."""
        rows = first_rows(self)
        return {"text/plain": as_text(self, rows), "text/html": as_html(self, rows)}

    @overload
    def __getitem__(self, key: int) -> R: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...
    def __getitem__(self, key: object) -> Any:
        if isinstance(key, slice):
            return self._slice(key)
        if not isinstance(key, int):
            raise TypeError(f"QuerySet indices must be integers or slices, not {type(key).__name__}.")
        if key < 0:
            raise ValueError("Negative indexing is not supported.")
        if self._result_cache is not None:
            return self._result_cache[key]
        return self._between(key, key + 1)._results()[0]

    def _slice(self, key: slice) -> Any:
        start, stop = _bound(key.start), _bound(key.stop)
        if self._result_cache is not None:
            return Fetched(self._result_cache[key])
        part = self._between(start, stop)
        return list(part)[:: key.step] if key.step else part

    def _between(self, start: int | None, stop: int | None) -> Self:
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

        >>> Author.objects.get(name="Ada").age
        36
        """
        is_plain = not args and len(self.__dict__) == _PLAIN_STATE and not self._shape.query.source.combinator
        if not is_plain and self._is_special(args):
            return self._get_slowly(args, kwargs)  # type: ignore[no-any-return]
        shape, values = self._filtered_shape(kwargs) if kwargs else (self._shape, self._args)
        database = connections[self.db]
        found = get_plan(shape, database, self._kind).fetch(database, values)
        if len(found) == 1:
            one: R = found[0]
            return one
        raise self._not_one(found)

    def _is_special(self, args: tuple[Any, ...]) -> Any:
        return (
            args
            or self._low
            or self._high is not None
            or self._prefetch_related_lookups
            or self._known_related_objects
            or self._fetch_mode is not None
            or self._shape.query.source.combinator
        )

    def _get_slowly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        query = self._shape.query
        if query.source.combinator and (args or kwargs):
            raise UnsupportedFeature(
                f"Calling QuerySet.get(...) with filters after {query.source.combinator}() is not supported."
            )
        clone = self.filter(*args, **kwargs) if args or kwargs else self._chain()
        limit = None
        if clone._can_filter():
            if not query.grouping.distinct_fields:
                clone = clone.order_by()
            limit = MAX_GET_RESULTS
            if not query.source.combinator:
                clone = clone._between(None, limit)
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
        """Return the one object that meets the conditions, None where there is none.

        Raises `Model.MultipleObjectsReturned`.

        >>> Author.objects.get_or_none(name="Zoe") is None
        True
        """
        try:
            return self.get(*args, **kwargs)
        except self.model.DoesNotExist:
            return None

    aget_or_none = twin(get_or_none)

    def first(self) -> R | None:
        """Return the first object, by primary key where no order was given; None where there is none.

        >>> Book.objects.order_by("-pages").first()
        <Book: Trees>
        """
        queryset = self if self._is_ordered_for("first") else self.order_by("pk")
        found = queryset._result_cache
        if found is None:
            found = queryset._between(None, 1)._results()
        return found[0] if found else None

    afirst = twin(first)

    def last(self) -> R | None:
        """Return the last object, by primary key where no order was given; None where there is none.

        TypeError for a slice, whose order cannot be turned round.
        """
        self._refuse_sliced_last()
        queryset = self.reverse() if self._is_ordered_for("last") else self.order_by("-pk")
        found = queryset._between(None, 1)._results()
        return found[0] if found else None

    alast = twin(last)

    def _refuse_sliced_last(self) -> None:
        if not self._can_filter():
            raise TypeError("Cannot reverse a query once a slice has been taken.")

    def _is_ordered_for(self, name: str) -> bool:
        query = self._shape.query
        if query.is_ordered or not query.order.default_ordering:
            return True
        if isinstance(query.grouping.group_by, tuple):
            columns = [one for item in query.grouping.group_by for one in item.flatten()]
            known = [getattr(one, "target", None) for one in columns]
            if not all(key in known for key in self.model._meta.pk_fields):
                raise TypeError(
                    f"Cannot use QuerySet.{name}() on an unordered queryset performing aggregation. Add an ordering with "
                    "order_by()."
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
        return ordered._between(None, 1).get()

    def earliest(self, *fields: str) -> R:
        """Return the first object by these fields, or by `Meta.get_latest_by`. Raises `Model.DoesNotExist`.

        ValueError where neither is given.

        >>> Book.objects.filter(published__isnull=False).earliest("published")
        <Book: Notes>
        """
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
        frozen, values = freeze_named(aggregates)
        shape, arguments = self._expressions_shape("aggregate", frozen, values, self._bounds(values))
        database = connections[self.db]
        nothing = self._high is not None and self._high <= self._low
        if not nothing and (rows := select_plan(shape, database, "dicts").fetch(database, arguments)):
            return rows[0]  # type: ignore[no-any-return]
        annotations = shape.query.annotation_select
        return {name: _empty_value(expression, arguments) for name, expression in annotations.items()}

    def _bounds(self, values: Values) -> tuple[Arg | None, Arg | None]:
        """Return the places of the slice, which are added to the values."""
        low = values.add(self._low) if self._low else None
        return low, None if self._high is None else values.add(self._high - self._low)

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return a dict of values computed over all objects, by their names.

        Simple aggregates without a keyword are called ``field__function``. Of no rows they are None, or their `default`; a count is 0.
        TypeError for what is no aggregate.

        >>> from facade.models import Avg, Max, Sum
        >>> Book.objects.aggregate(Max("pages"), total=Sum("pages"))
        {'pages__max': 300, 'total': 500}
        """
        if self._shape.query.grouping.distinct_fields:
            raise NotImplementedError("aggregate() + distinct(fields) not implemented.")
        named = named_expressions(args, kwargs, "aggregate")
        return self._aggregated(named) if named else {}

    aaggregate = twin(aggregate)

    def count(self) -> int:
        """Return the number of objects, counted by the database unless they were fetched.

        >>> Book.objects.filter(author__name="Ada").count()
        2
        """
        if self._result_cache is not None:
            return len(self._result_cache)
        if self._high is not None and self._high <= self._low:
            return 0
        if self._low or self._high is not None:
            return self._aggregated(_COUNT)["__count"]  # type: ignore[no-any-return]
        database = connections[self.db]
        found = select_plan(self._shape.child(_COUNT_ALL, 0), database, "flat").fetch(database, self._args)
        return found[0] if found else 0

    acount = twin(count)

    def exists(self) -> bool:
        """Return whether there is any object; the database looks for one and no more.

        >>> Book.objects.filter(pages__gt=1000).exists()
        False
        """
        if self._result_cache is not None:
            return bool(self._result_cache)
        if self._high is not None and self._high <= self._low:
            return False
        database = connections[self.db]
        shape = self._shape.child(("exists", bool(self._low) or self._high is not None), 0)
        plan = select_plan(shape, database, "tuples", bool(self._low), False)
        return bool(plan.fetch(database, (*self._args, self._low) if self._low else self._args))

    aexists = twin(exists)

    def contains(self, obj: Instance) -> bool:
        """Return whether `obj` is among the objects.

        ValueError for one that was never saved, TypeError for what is no object of a model.
        """
        self._refuse_combined("contains")
        if self._fields is not None:
            raise TypeError("Cannot call QuerySet.contains() after .values() or .values_list().")
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
        """Return a dict of the objects by their primary key, or by another unique field.

        `id_list` are the keys; without it, all objects. ValueError for a field that is not unique.

        >>> Tag.objects.in_bulk(["poetry"], field_name="word")
        {'poetry': <Tag: poetry>}
        """
        if not self._can_filter():
            raise TypeError("Cannot use 'limit' or 'offset' with in_bulk().")
        self._check_in_bulk(field_name)
        if id_list is None:
            queryset = self._chain()
        elif not (wanted := tuple(id_list)):
            return {}
        else:
            if core := [key for key in wanted if isinstance(key, CORE)]:
                raise TypeError(
                    f"in_bulk() takes values, not the SQLAlchemy expression {str(core[0])!r}: filter() by it."
                )
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
        distinct = self._shape.query.grouping.distinct_fields
        if not field.unique and field_name not in unique and distinct != (field_name,):
            raise ValueError(f"in_bulk()'s field_name must be a unique field but {field_name!r} isn't.")

    def _by_name(self, field_name: str) -> dict[Any, Any]:
        if self._kind == "instances":
            rows, opts = self._results(), self.model._meta
            # `pk` is a property, which would be asked for each row.
            name = opts.pk.attname if field_name == "pk" and len(opts.pk_fields) == 1 else field_name
            return dict(zip(map(attrgetter(name), rows), rows, strict=True))
        names = self._result_names()
        if self._kind in ("dicts", "named") and field_name not in names:
            names = (field_name, *names)
        keyed = self._values(*names, *(() if field_name in names else (field_name,)))
        rows = keyed._with(_kind="tuples")._results()
        position = keyed._result_names().index(field_name)
        return {row[position]: shaped for row, shaped in zip(rows, self._shaped(names, rows), strict=True)}

    def _result_names(self) -> tuple[str, ...]:
        """Return the names of the values in a row."""
        query = self._shape.query
        names = query.selection.result_names
        return (
            names
            if query.selection.repeated is None
            else tuple([names[index] for index in query.selection.repeated])
        )

    def _shaped(self, names: tuple[str, ...], rows: list[Any]) -> Iterator[Any]:
        """Yield rows of values, of which the first ones have these names, as this queryset returns them."""
        if self._kind == "dicts":
            wanted = self._result_names()
            return ({name: row[names.index(name)] for name in wanted} for row in rows)
        if self._kind == "flat":
            return (row[0] for row in rows)
        if self._kind == "named":
            return (row_class(*names)(*row) for row in rows)
        return (tuple(row[: len(names)]) for row in rows)

    # -- streams ----------------------------------------------------------------------------------------------

    def _chunks(self, chunk_size: int) -> Generator[list[Any], None, None]:
        """Yield lists of results as they come from the database; nothing is kept."""
        database = connections[self.db]
        if self._high is not None and self._high <= self._low:
            return
        adopts = bool(self._known_related_objects) or self._fetch_mode is not None
        lookups = self._prefetch_related_lookups
        if database.features.is_embedded and not (adopts or lookups):  # which go by chunks
            chunk_size = min(chunk_size, EMBEDDED_CHUNK)
        plan = self._plan(database)
        with closing(plan.stream(database, self._plan_args(), chunk_size, *self._load_options())) as chunks:
            for rows in chunks:
                if adopts:
                    adopt(self, rows)
                if lookups:
                    prefetch_under(self._execution, rows, *lookups)
                yield rows

    def _check_chunk_size(self, chunk_size: int | None) -> int:
        if chunk_size is None:
            if self._prefetch_related_lookups:
                raise ValueError(
                    "chunk_size must be provided when using QuerySet.iterator() after prefetch_related()."
                )
            options = NO_OPTIONS if self._execution is None else self._execution.options
            return options.get("yield_per") or DEFAULT_CHUNK
        if chunk_size <= 0:
            raise ValueError("Chunk size must be strictly positive.")
        return chunk_size

    def iterator(self, chunk_size: int | None = None) -> Iterator[R]:
        """Iterate over the results without keeping them: `chunk_size` rows at a time are in memory.

        By default 2000, on SQLite at most 500 where nothing is prefetched; behind `prefetch_related()` it has to be said (ValueError).
        Servers hold a cursor open meanwhile, and a connection of the pool.

        >>> [book.title for book in Book.objects.order_by("pages").iterator(chunk_size=2)]
        ['Letters', 'Notes', 'Trees']
        """
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


def _bound(bound: object) -> int | None:
    """Return one end of a slice, checked."""
    if bound is None:
        return None
    if not hasattr(bound, "__index__"):
        raise TypeError(f"QuerySet indices must be integers or slices, not {type(bound).__name__}.")
    if (number := int(bound)) < 0:
        raise ValueError("Negative indexing is not supported.")
    return number


def _empty_value(expression: object, arguments: tuple[Any, ...]) -> Any:
    """Return what an aggregate makes of no rows at all."""
    value = getattr(expression, "empty_result_set_value", None)
    if isinstance(value, Arg):
        return arguments[value.index]
    return None if value is NotImplemented else value


_COUNT = {"__count": Count("*")}
_COUNT_ALL = "aggregate", freeze_named(_COUNT)[0], (None, None)  # the key of a step


@instance_state.fill
def _instance_state() -> tuple[type[ModelState], str]:
    return ModelState, LOADED_FROM
