"""QuerySet: the objects of a model, narrowed step by step, and everything that can be done with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import sqlalchemy as sa
from typing_extensions import TypeVar

from facade.bridge import twin
from facade.db.connection import connections
from facade.exceptions import EmptyResultSet
from facade.expressions.base import OrderBy
from facade.expressions.comparisons import GreaterThan, LessThanOrEqual
from facade.expressions.freezing import Frozen, Values
from facade.expressions.functions.window import RowNumber
from facade.expressions.references import F, Settled
from facade.expressions.windows import Window
from facade.foundation.seams import Seam
from facade.meta import registry
from facade.orm.querysets.core_statements import StatementQuerySet
from facade.orm.querysets.explaining import explain_sql
from facade.orm.querysets.raw import RawQuerySet
from facade.orm.querysets.writing import Writing
from facade.sql.core.exported import exported
from facade.sql.core.parameters import compile_core
from facade.sql.core.readable import readable
from facade.sql.plan.plan import sliced_query
from facade.sql.plan.shape import root
from facade.vendors import vendor_of
from facade.version import VERSION_KEY, __version__, warn_of_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Dialect

    from facade.db.channels.channel import Params
    from facade.fields.contracts import Instance
    from facade.orm.querysets.manager import QuerySetManager

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


class QuerySet(Writing[M, R]):
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

    def _plain(self, model: type[Any]) -> QuerySet[Any, Any]:
        return QuerySet(model, using=self.db)

    # -- questions of other kinds ---------------------------------------------------------------------------------------

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
        """Return objects loaded by SQL of your own, with `%s` or `%(name)s` for the parameters.

        Columns that are no fields become attributes; fields that are missing are deferred. `translations` maps columns to fields.
        Values belong into `params`, never into the text.

        >>> [author.name for author in Author.objects.raw("SELECT * FROM library_author WHERE age > %s", [20])]
        ['Ada']
        """
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
        """Return a manager with this queryset class's methods.

        >>> class Adults(QuerySet):
        ...     def adults(self):
        ...         return self.filter(age__gte=18)
        >>> hasattr(Adults.as_manager(), "adults")
        True
        """
        manager: Any = manager_class(cls)()
        manager._built_with_asmanager = True
        return manager  # type: ignore[no-any-return]

    as_manager.queryset_only = True  # type: ignore[attr-defined]

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


manager_class: Seam[[type[Any]], type[Any]] = Seam(
    "how a queryset class becomes a manager class", filled_by="facade.orm.querysets.manager"
)
