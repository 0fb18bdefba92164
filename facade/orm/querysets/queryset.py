"""QuerySet: the objects of a model, narrowed step by step, and everything that can be done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import sqlalchemy as sa
from typing_extensions import TypeVar

from facade.bridge import twin
from facade.db.connection import connections
from facade.db.scopes.atomic import atomic, mark_for_rollback_on_error
from facade.exceptions import EmptyResultSet
from facade.expressions.base import OrderBy
from facade.expressions.comparisons import GreaterThan, LessThanOrEqual
from facade.expressions.freezing import PLAIN, Frozen, Values, freeze_stored
from facade.expressions.functions.window import RowNumber
from facade.expressions.references import F, Settled
from facade.expressions.windows import Window
from facade.foundation.seams import Seam
from facade.meta import registry
from facade.orm.instances.deletion import Collector, delete_unread, goes_alone
from facade.orm.instances.persistence import Saved
from facade.orm.querysets import bulk
from facade.orm.querysets.arguments import freeze_named
from facade.orm.querysets.core_statements import StatementQuerySet
from facade.orm.querysets.explaining import explain_sql
from facade.orm.querysets.raw import RawQuerySet
from facade.orm.querysets.reading import Reading
from facade.sql.core.exported import exported
from facade.sql.core.parameters import compile_core
from facade.sql.core.readable import readable
from facade.sql.plan.mass_writes import delete_plan, update_plan
from facade.sql.plan.plan import sliced_query
from facade.sql.plan.shape import root
from facade.sql.query.assignments import check_sources, tables_of, with_refreshed
from facade.vendors import vendor_of
from facade.version import VERSION_KEY, __version__, warn_of_version

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence

    from sqlalchemy.engine import Dialect

    from facade.db.channels.channel import Params
    from facade.fields.contracts import Instance
    from facade.meta.options import Options
    from facade.orm.querysets.manager import QuerySetManager
    from facade.sql.plan.shape import Shape

    Typed = sa.SQLColumnExpression  # a column or Core expression that has a type, as `Author.name` has

M = TypeVar("M")
R = TypeVar("R", covariant=True, default=M)
Q = TypeVar("Q")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
T6 = TypeVar("T6")

_new = object.__new__


class QuerySet(Reading[M, R]):
    """A query on one model that runs when its results are asked for.

    `for`, `len()`, `list()`, indexing and the methods run it; under asyncio `async for`, `await` and the methods that begin with `a`.
    Results are kept: a second loop asks nothing. `M` is the model, `R` what one result is.
    See https://docs.djangoproject.com/en/6.1/ref/models/querysets/
    """

    def __init__(
        self,
        model: type[Instance] | None = None,
        query: QueryView | None = None,
        using: str | None = None,
        hints: dict[str, Any] | None = None,
    ) -> None:
        self.model = model
        self._args = ()
        if model is not None:
            self._shape = root(model)
        if query is not None:
            self.query = query
        if using is not None:
            self._db = using
        if hints:
            self._hints = hints

    # -- writing --------------------------------------------------------------------------------------------------

    def create(self, /, **kwargs: Any) -> R:
        """Make an object, save it and return it."""
        names = self.model._meta.derived[Saved].reverse_names
        if names and (reverse := names & kwargs.keys()):
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
        objs: Iterable[M] | AsyncIterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Iterable[str] | None = None,
        unique_fields: Iterable[str] | None = None,
    ) -> list[M]:
        """Insert the objects, one statement per batch, and return them with their primary keys."""
        created: list[M] = bulk.bulk_create(
            self, objs, batch_size, ignore_conflicts, update_conflicts, update_fields, unique_fields
        )
        return created

    abulk_create = twin(bulk_create)

    def bulk_insert(
        self,
        objs: Iterable[M] | AsyncIterable[M],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Iterable[str] | None = None,
        unique_fields: Iterable[str] | None = None,
    ) -> int:
        """Insert what an iterator makes, holding no more than two batches of it; return the number of rows that were stored.

        The objects get nothing from the database. `abulk_insert` takes async iterators, too.
        """
        stored: int = bulk.bulk_create(
            self,
            objs,
            batch_size,
            ignore_conflicts,
            update_conflicts,
            update_fields,
            unique_fields,
            returning=False,
        )
        return stored

    abulk_insert = twin(bulk_insert)

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
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
        self._check_update()
        if not kwargs:
            return 0
        self._for_write = True
        opts = self.model._meta
        if opts.parents:
            tables = tables_of(opts, kwargs)
            if tables.keys() != {opts.concrete_model}:
                return self._update_tables(tables, kwargs)
        if opts.concrete_model._meta.stands_on is not None:
            kwargs = with_refreshed(opts, kwargs)
        return self._run_update(kwargs)

    aupdate = twin(update)

    def _update_tables(self, tables: dict[type[Any], list[str]], kwargs: dict[str, Any]) -> int:
        """Update columns of several tables, the model's own and its parents', of the same objects."""
        opts = self.model._meta
        for model, assigned in tables.items():
            for name in assigned:
                check_sources(opts, model, name, kwargs[name])
        parts = {model: {name: kwargs[name] for name in assigned} for model, assigned in tables.items()}
        for model, part in parts.items():  # what cannot be assigned is refused before anything is sent
            QuerySet(model, using=self.db)._assigned_shape(part)
        keys = {model: _key_from(opts, model) for model in tables}
        names = tuple(dict.fromkeys(keys.values()))
        with atomic(using=self.db, savepoint=False):
            rows = self._plain_keys().values_list(*names)._results()
            for model, part in parts.items():
                position = names.index(keys[model])
                queryset: QuerySet[Any, Any] = QuerySet(model, using=self.db).filter(
                    pk__in=[row[position] for row in rows]
                )
                queryset.update(**part)
        self._result_cache = None
        return len(rows)

    def _plain_keys(self) -> QuerySet[Any, Any]:
        return QuerySet(self.model, using=self.db).filter(pk__in=self.order_by().values("pk"))

    def _check_update(self) -> None:
        query = self._shape.query
        if query.source.combinator:
            self._refuse_combined("update")
        if self._low or self._high is not None:
            raise TypeError("Cannot update a query once a slice has been taken.")
        if query.grouping.distinct_fields:
            raise TypeError("Cannot call update() after .distinct(*fields).")

    def _assigned_shape(self, assigned: dict[str, Any]) -> tuple[Shape, tuple[Any, ...]]:
        """Return the shape and the arguments of the UPDATE with these assignments."""
        for value in assigned.values():
            if type(value) not in PLAIN and type(value) is not bool:
                return self._expressions_shape("update", *freeze_named(assigned, freeze_stored))
        shape, bound = self._shape.advance(("update_plain", *assigned), tuple(assigned.values()))
        return shape, self._args + bound

    def _run_update(self, assigned: dict[str, Any]) -> int:
        shape, args = self._assigned_shape(assigned)
        database = connections[self.db]
        plan = update_plan(shape, database)
        try:
            count = plan.execute(database, args)
        except BaseException:
            with mark_for_rollback_on_error(using=database.alias):
                raise  # only now is it marked: what succeeds need not pay for it
        self._result_cache = None
        return count

    def _update(self, values: Iterable[tuple[Any, Any, Any]]) -> int:
        """Assign `(field, model, value)` triples, without the checks that save() has made already."""
        return self._run_update({field.name: value for field, _, value in values})

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the objects and what depends on them; return how many, in all and by model."""
        self._check_delete()
        queryset = self._chain()
        queryset._for_write = True
        if goes_alone(self.model):
            result = delete_unread(queryset, queryset.db)
        else:
            if not self._shape.query.lock:
                queryset = queryset.select_related(None).order_by()
            collector = Collector(using=queryset.db, origin=self)
            collector.collect(queryset)
            result = collector.delete()
        self._result_cache = None
        return result

    adelete = twin(delete)

    def _check_delete(self) -> None:
        query = self._shape.query
        if query.source.combinator:
            self._refuse_combined("delete")
        if self._low or self._high is not None:
            raise TypeError("Cannot use 'limit' or 'offset' with delete().")
        if query.grouping.distinct_fields:
            raise TypeError("Cannot call delete() after .distinct(*fields).")
        if self._fields is not None:
            raise TypeError("Cannot call delete() after .values() or .values_list()")

    def _raw_delete(self, using: str) -> int:
        """Delete the rows with one statement: no signals, nothing else."""
        database = connections[using]
        return delete_plan(self._shape, database).execute(database, self._args)

    # -- the rest ---------------------------------------------------------------------------------------------------

    def explain(self, /, *, format: str | None = None, **options: Any) -> str:
        """Return how the database would run the query. Formats and options are those the database has.

        With `analyze=True` it is run, and the plan has what it took; SQLite has no such plan, and shows its own.
        """
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
        params: Sequence[Any] = (),
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

    def from_statement(self, statement: sa.ClauseElement) -> StatementQuerySet:
        """Return the rows of a Core `select()`, or of `text()`, as objects; columns that are no fields become attributes.

        The statement runs as it is, on the queryset's database, with prefetches. See
        https://docs.sqlalchemy.org/en/21/orm/queryguide/select.html#getting-orm-results-from-textual-statements
        """
        if not isinstance(statement, sa.ClauseElement):
            raise TypeError(
                f"from_statement() takes a select() or text() of SQLAlchemy's, not {type(statement).__name__}; SQL as text is for raw()."
            )
        rows = StatementQuerySet(statement, self.model, self._db, self._hints)
        rows._prefetch_related_lookups = self._prefetch_related_lookups
        return rows

    async def araw(
        self,
        raw_query: str,
        params: Sequence[Any] = (),
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
        """A view of the query; `str(queryset.query)` is its SQL with the parameters filled in, for reading only.

        It can be pickled without asking the database; assigned to another queryset, it makes that one ask the same.
        """
        return QueryView(self)

    @query.setter
    def query(self, view: QueryView) -> None:
        if not isinstance(view, QueryView):
            raise TypeError(f"queryset.query takes the query of a queryset, not {type(view).__name__}.")
        asked = view._queryset
        self._result_cache = None
        self.model, self._shape, self._args = asked.model, asked._shape, asked._args
        self._low, self._high, self._fields = asked._low, asked._high, asked._fields
        if asked._kind != "instances":
            self._kind = "dicts"

    @property
    def statement(self) -> Any:
        """The query as a SQLAlchemy select with its values in it, for the queryset's database.

        Sessions, connections and `pandas.read_sql()` run it; other Core statements take it, and the queryset itself, as a part.
        Its rows are those of `values_list()`, or of all columns; a column that is named twice is in them once, and what only the
        order of a `distinct()` reads comes behind the others. See https://docs.sqlalchemy.org/en/21/core/selectable.html
        """
        return self._exported(None)

    def _exported(self, dialect: Dialect | None) -> Any:
        query = sliced_query(self._shape, bool(self._low), self._high is not None)
        return exported(query, connections[self.db], self._plan_args(), dialect)

    def compile(self, dialect: Dialect | None = None, **options: Any) -> Any:
        """Return SQLAlchemy's compiled form of the query for a dialect, that of its own database by default; nothing connects.

        `str()` of it is the SQL, `params` are the values; `options` are those of SQLAlchemy's `compile()`. Raises UnsupportedFeature for what
        the dialect's database cannot do.

        >>> from facade import configure, models
        >>> from sqlalchemy.dialects import oracle
        >>> configure(DATABASES={"default": "sqlite://"})
        >>> class Compiled(models.Model):
        ...     class Meta:
        ...         app_label, managed = "library", False
        >>> print(Compiled.objects.values("id")[:3].compile(oracle.dialect()))
        SELECT library_compiled.id
        FROM library_compiled FETCH FIRST :param_1 ROWS ONLY
        """
        if dialect is None:
            dialect = connections[self.db].compile_dialect
        dialect = vendor_of(dialect).supported(dialect)
        options["compile_kwargs"] = {"render_postcompile": True, **options.get("compile_kwargs", {})}
        return compile_core(self._exported(dialect), dialect=dialect, **options)

    def __clause_element__(self) -> Any:
        return self.statement

    def _execute_on_connection(self, *args: object) -> Any:
        """Let sessions and connections of SQLAlchemy's execute the queryset."""
        return self.statement._execute_on_connection(*args)

    @classmethod
    def as_manager(cls) -> QuerySetManager[Self]:
        """Return a manager with this queryset class's methods."""
        manager: Any = manager_class(cls)()
        manager._built_with_asmanager = True
        return manager  # type: ignore[no-any-return]

    as_manager.queryset_only = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]
    adelete.queryset_only = True  # type: ignore[attr-defined]

    # -- copying and pickling ------------------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        clone = self._clone()
        memo[id(self)] = clone
        return clone

    def __copy__(self) -> Self:
        clone = _new(type(self))
        clone.__dict__.update(self.__dict__)
        return clone

    def __getstate__(self) -> dict[str, Any]:
        """Return the question and its results, which are fetched now if they were not."""
        self._fetch_all()
        return {**self.__dict__, "model": registry.model_reference(self.model), VERSION_KEY: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        warn_of_version(state.pop(VERSION_KEY, None), "queryset")
        state["model"] = registry.referenced_model(state["model"])
        self.__dict__.update(state)

    def _question(self) -> QueryView:
        """Return what stands for this queryset in a pickled expression: the question without its results."""
        return QueryView(self)

    def _filter_prefetch(self, name: str, instances: list[Any]) -> Any:
        """Return these objects narrowed to those that belong to `instances` through the relation `name`.

        A slice is one of the objects of each instance.
        """
        if self._can_filter():
            return self.filter(**{f"{name}__in": instances})
        low, high = self._low, self._high
        if high is not None and high <= low:
            return self._unsliced().filter(**{f"{name}__in": instances}).none()
        number = Window(RowNumber(), partition_by=F(name), order_by=self._order_terms() or None)
        within = (
            [GreaterThan(number, low)]
            if high is None
            else [GreaterThan(number, low), LessThanOrEqual(number, high)]
        )
        return self._unsliced().filter(*within, **{f"{name}__in": instances})

    def _unsliced(self) -> Self:
        clone = self._clone()
        clone._low, clone._high = 0, None
        return clone

    def _order_terms(self) -> list[Any]:
        """Return the order as it can stand in a window."""
        query = self._shape.query
        items = query.order.order_by or (query.opts.ordering or () if query.order.default_ordering else ())
        terms = [
            (F(item.removeprefix("-")).desc() if item.startswith("-") else F(item).asc())
            if isinstance(item, str)
            else item
            for item in items
        ]
        if not query.order.standard_ordering:
            terms = [
                (item if isinstance(item, OrderBy) else item.asc()).copy().reverse_ordering()
                for item in terms
            ]
        return [Settled(item, query.order.order_base) for item in terms] if query.order.order_by else terms

    if not TYPE_CHECKING:

        def __class_getitem__(cls, parameters):  # noqa: ANN001, ANN204 - `QuerySet[Author]` names the model alone, too
            return cls

    if TYPE_CHECKING:

        def values(self, *fields: Any, **expressions: Any) -> QuerySet[M, dict[str, Any]]: ...  # type: ignore[override]
        @overload
        def values_list(self, f1: Typed[T1], /, *, flat: Literal[True]) -> QuerySet[M, T1]: ...
        @overload
        def values_list(self, f1: Typed[T1], /) -> QuerySet[M, tuple[T1]]: ...
        @overload
        def values_list(self, f1: Typed[T1], f2: Typed[T2], /) -> QuerySet[M, tuple[T1, T2]]: ...
        @overload
        def values_list(
            self, f1: Typed[T1], f2: Typed[T2], f3: Typed[T3], /
        ) -> QuerySet[M, tuple[T1, T2, T3]]: ...
        @overload
        def values_list(
            self, f1: Typed[T1], f2: Typed[T2], f3: Typed[T3], f4: Typed[T4], /
        ) -> QuerySet[M, tuple[T1, T2, T3, T4]]: ...
        @overload
        def values_list(
            self, f1: Typed[T1], f2: Typed[T2], f3: Typed[T3], f4: Typed[T4], f5: Typed[T5], /
        ) -> QuerySet[M, tuple[T1, T2, T3, T4, T5]]: ...
        @overload
        def values_list(
            self, f1: Typed[T1], f2: Typed[T2], f3: Typed[T3], f4: Typed[T4], f5: Typed[T5], f6: Typed[T6], /
        ) -> QuerySet[M, tuple[T1, T2, T3, T4, T5, T6]]: ...
        @overload
        def values_list(self, *fields: Any, flat: Literal[True]) -> QuerySet[M, Any]: ...
        @overload
        def values_list(self, *fields: Any, named: Literal[True]) -> QuerySet[M, Any]: ...
        @overload
        def values_list(
            self, *fields: Any, flat: Literal[False] = ..., named: Literal[False] = ...
        ) -> QuerySet[M, tuple[Any, ...]]: ...
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

    @property
    def query(self) -> QueryView:
        return self

    def freeze(self, values: Values) -> Any:
        return self._queryset.freeze(values)

    def __reduce__(self) -> tuple[Any, ...]:
        queryset = self._queryset._clone()
        queryset._result_cache, queryset._prefetch_done = [], True
        return _query_of, (queryset,)

    def sql_with_params(self) -> tuple[str, Params]:
        """Return the SQL and the driver's parameters."""
        queryset = self._queryset
        return queryset._plan(connections[queryset.db]).sql(queryset._plan_args())

    def __str__(self) -> str:
        queryset = self._queryset
        query = sliced_query(queryset._shape, bool(queryset._low), queryset._high is not None)
        return readable(query, connections[queryset.db], queryset._plan_args())

    def __getattr__(self, name: str) -> Any:
        if name == "_queryset":  # of a view that is not made yet
            raise AttributeError(name)
        return self._queryset._shape.query.shown(name)


def _query_of(queryset: QuerySet[Any, Any]) -> QueryView:
    return QueryView(queryset._clone())


def _key_from(opts: Options, model: type[Any]) -> str:
    """Return the name of the field of a model that holds the key of its row in the table of an ancestor."""
    path = opts.get_path_to_parent(model)
    return "pk" if all(hop.join_field.primary_key for hop in path) else str(model._meta.pk.name)


manager_class: Seam[[type[Any]], type[Any]] = Seam(
    "how a queryset class becomes a manager class", filled_by="facade.orm.querysets.manager"
)
