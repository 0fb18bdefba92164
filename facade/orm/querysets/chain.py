"""The half of QuerySet that asks: every method here returns another queryset and touches no database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from facade import fields as model_fields
from facade.configuration import settings
from facade.db.channels.execution import AS_USUAL, SCHEMAS, key_of
from facade.db.routing import DEFAULT_DB_ALIAS, router
from facade.db.scopes.binding import Using, alias_of
from facade.db.scopes.optioned import under
from facade.db.scopes.together import check_compared
from facade.db.settings.moved import moved
from facade.exceptions import UnsupportedFeature
from facade.expressions.freezing import PLAIN, HashedOnce, Values, freeze
from facade.expressions.functions.datetime import current_timezone, trunc
from facade.expressions.q import FilteredRelation, Q, freeze_pair, refuse_q_options
from facade.expressions.references import F
from facade.fields.declarations import LOOKUP_SEP
from facade.orm.instances.fetching import FETCH_ONE
from facade.orm.querysets.arguments import (
    freeze_condition_argument,
    freeze_named,
    is_expression,
    name_of,
    named_expressions,
    one_of,
    value_names,
)
from facade.orm.querysets.combining import Combining, FrozenQuery
from facade.sql.query.column_names import check_alias
from facade.sql.query.extra import RawCondition, selections
from facade.sql.query.paths import field_names
from facade.sql.query.state import RowLock
from facade.sql.query.uniqueness import totally_ordered

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from facade.db.channels.execution import Execution
    from facade.sql.plan.shape import Shape

_new = object.__new__
_LISTS = frozenset({list, tuple, set, frozenset, range})


class Chain(Combining):
    """A shape, its arguments and a slice; methods that return a changed copy."""

    model: Any
    _shape: Shape
    _args: tuple[Any, ...]
    _db: str | None = None
    _low = 0
    _high: int | None = None
    _kind = "instances"
    _fields: tuple[str, ...] | None = None
    _hints: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed
    _prefetch_related_lookups: tuple[Any, ...]
    _known_related_objects: Any = None
    _for_write = False
    _fetch_mode: Any = None
    _execution: Execution | None = None

    # -- copies ---------------------------------------------------------------------------

    def _clone(self) -> Self:
        clone = _new(type(self))
        state = clone.__dict__ = self.__dict__.copy()
        if "_result_cache" in state:
            del state["_result_cache"]
            state.pop("_prefetch_done", None)
        return clone

    def _chain(self) -> Self:
        return self._clone()

    def _next_is_sticky(self) -> Self:
        """Return a copy whose next two filters speak of the same related rows: what filters of a related manager need."""
        return self._step(("sticky",))

    def _with(self, **changes: Any) -> Self:
        clone = self._clone()
        clone.__dict__.update(changes)
        return clone

    def _step(self, key: tuple[Any, ...], values: Sequence[Any] = (), keyed: bool = True) -> Self:
        """Return a copy one step further: `key` names the step, `values` are what it carries."""
        shape = self._shape.child(key, len(values), keyed)
        clone = self._clone()
        clone._shape = shape
        if values:
            clone._args = self._args + shape.bind(values)
        return clone

    def freeze(self, values: Values) -> Any:
        """Return this queryset as part of another one's step."""
        self._check_db_for_subquery()
        return self._frozen(values)

    def _frozen(self, values: Values) -> FrozenQuery:
        start = len(values)
        values.extend(self._args)
        high, low = self._high is not None, bool(self._low)
        count = None if self._high is None else self._high - self._low
        if high:
            values.append(count)
        if low:
            values.append(self._low)
        values.keyed = values.keyed and self._shape.keyed
        options = key_of(self._execution)
        return FrozenQuery(self._shape, start, low, high, count == 1, count == 0, self._db, options)

    def _check_db_for_subquery(self) -> None:
        if self._fields and len(self._fields) > 1 and self._kind == "named":
            raise TypeError("A named values_list() cannot be used as a subquery.")

    # -- which database --------------------------------------------------------------------------

    @property
    def db(self) -> str:
        """The alias of the database this queryset runs on."""
        if self._execution is not None:
            return under(self._with(_execution=None).db, self._execution)
        if self._db is not None:
            return self._db
        if not self._hints and not router.routers:
            return DEFAULT_DB_ALIAS
        if self._for_write:
            return router.db_for_write(self.model, **self._hints)
        return router.db_for_read(self.model, **self._hints)

    def using(self, alias: Using | None) -> Self:
        """Return a copy that runs on another database, or on a SQLAlchemy connection or session, in its transaction.

        `alias` is one of ``DATABASES`` (ConnectionDoesNotExist for others), or a Session, AsyncSession, scoped session, Connection or
        AsyncConnection.

        >>> Author.objects.using("default").count()
        3
        """
        return self._with(_db=alias_of(alias))

    def execution_options(self, **options: Any) -> Self:
        """Return a copy that is run with execution options, as SQLAlchemy's statements are; listeners see them.

        ``schema_translate_map`` says in which schemas its tables stand, also for what is loaded from there later;
        ``yield_per`` is the size of what `iterator` reads at a time, and ``stream_results=False`` makes it read all at
        once. Raises UnsupportedFeature for options of a connection: ``atomic(execution_options=...)``.
        See https://docs.sqlalchemy.org/en/21/core/connections.html#sqlalchemy.engine.Connection.execution_options
        """
        return self._with(_execution=(self._execution or AS_USUAL).updated(options).for_query())

    def _under(self, execution: Execution | None) -> Self:
        """Return this queryset under the options of the one that it belongs to, unless it has others of its own."""
        if execution is None or self._execution is not None:
            return self
        return self._with(_execution=execution)

    def timeout(self, seconds: float) -> Self:
        """Return a copy each of whose statements may take so many seconds, or `StatementTimeout` is raised.

        The server counts them, on PostgreSQL and MariaDB; elsewhere UnsupportedFeature is raised, before any SQL.

        >>> Author.objects.timeout(2).count()
        Traceback (most recent call last):
        facade.exceptions.UnsupportedFeature: Database 'default' (sqlite) cannot limit the time of a statement: ...
        """
        return self._with(_execution=(self._execution or AS_USUAL).updated({}, seconds))

    def _named_place(self) -> str | None:
        """Return the database that was named for this queryset, by its alias or by its schemas; None where none was."""
        if self._execution is not None and SCHEMAS in self._execution.options:
            return under(self._db or DEFAULT_DB_ALIAS, self._execution)
        return self._db

    def _add_hints(self, **hints: Any) -> None:
        self._hints = {**self._hints, **hints}

    # -- conditions ----------------------------------------------------------------------------

    def all(self) -> Self:
        """Return a copy, without the results that were fetched: it asks anew."""
        return self._chain()

    def none(self) -> Self:
        """Return a queryset that never has a row and never asks the database.

        >>> Author.objects.none().count()
        0
        """
        return self._step(("nothing",))

    def filter(self, *args: Any, **kwargs: Any) -> Self:
        """Keep the objects that meet all the conditions.

        Keywords are field lookups, positional arguments Q objects or conditional expressions. All conditions of one call speak of
        the same related object. FieldError for names that are none, ValueError or TypeError for values that the field cannot be
        compared with: both at once, not when the query runs. See https://docs.djangoproject.com/en/6.1/ref/models/querysets/#filter

        >>> Author.objects.filter(age__gte=18, books__pages__gt=100).order_by("name")
        <QuerySet [<Author: Ada>, <Author: Ben>]>
        >>> Author.objects.filter(age__gte="old")
        Traceback (most recent call last):
        ValueError: Field 'age' expected a number but got 'old'.
        """
        if args or self._low or self._high is not None or self._shape.query.source.combinator:
            return self._filter_or_exclude(False, args, kwargs)
        clone = self._clone()
        clone._shape, clone._args = self._filtered_shape(kwargs)
        return clone

    def exclude(self, *args: Any, **kwargs: Any) -> Self:
        """Drop the objects that meet all the conditions; takes what `filter` takes.

        A condition over a relation to many drops an object if any related one meets it.

        >>> Author.objects.exclude(books__title="Trees").order_by("name")
        <QuerySet [<Author: Ada>, <Author: Eve>]>
        """
        return self._filter_or_exclude(True, args, kwargs)

    def _filtered_shape(self, kwargs: dict[str, Any]) -> tuple[Shape, tuple[Any, ...]]:
        """Return the shape and the arguments after `filter(**kwargs)`."""
        if len(kwargs) > 1:  # whatever order they are written in, the shape is one
            kwargs = dict(sorted(kwargs.items()))
        values = tuple(kwargs.values())
        for name, value in kwargs.items():
            kind = type(value)
            if kind not in PLAIN and (kind is not bool or name.endswith("isnull")):
                if kind in _LISTS and value and PLAIN.issuperset(map(type, value)):
                    continue
                return self._condition_shape(False, (), kwargs)
        shape, bound = self._shape.advance(("filter_plain", *kwargs), values)
        return shape, self._args + bound

    def _filter_or_exclude(self, negated: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        if self._shape.query.source.combinator:
            self._refuse_combined("exclude" if negated else "filter")
        if (args or kwargs) and (self._low or self._high is not None):
            raise TypeError("Cannot filter a query once a slice has been taken.")
        refuse_q_options(kwargs)
        if not args and not kwargs:
            return self._chain()
        clone = self._clone()
        clone._shape, clone._args = self._condition_shape(negated, args, kwargs)
        return clone

    def _condition_shape(
        self, negated: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Shape, tuple[Any, ...]]:
        values = Values()
        children = [freeze_condition_argument(arg, values) for arg in args]
        children.extend(freeze_pair(name, value, values) for name, value in sorted(kwargs.items()))
        return self._expressions_shape("condition", HashedOnce(children), values, negated)

    def complex_filter(self, filter_obj: Q | dict[str, Any]) -> Self:
        """Filter by a Q object or a dict of lookups, whichever is given.

        >>> Author.objects.complex_filter({"name": "Ada"}).count()
        1
        """
        return (
            self.filter(filter_obj)
            if isinstance(filter_obj, Q)
            else self._filter_or_exclude(False, (), filter_obj)
        )

    # -- annotations ------------------------------------------------------------------------------

    def annotate(self, *args: Any, **kwargs: Any) -> Self:
        """Add computed values to each object, by name or, for simple aggregates, by their default alias.

        They are attributes of the objects, and names for all that follows. Aggregates over a relation count for each object; behind
        `values()`, for each group of equal values. ValueError for a name that a field has, TypeError for what is no expression.
        See https://docs.djangoproject.com/en/6.1/ref/models/querysets/#annotate

        >>> from facade.models import Count, Sum
        >>> ada = Author.objects.annotate(written=Count("books"), total=Sum("books__pages")).get(name="Ada")
        >>> ada.written, ada.total
        (2, 200)
        >>> Book.objects.values("author__name").annotate(n=Count("id")).order_by("author__name")
        <QuerySet [{'author__name': 'Ada', 'n': 2}, {'author__name': 'Ben', 'n': 1}]>
        """
        self._refuse_combined("annotate")
        return self._annotate(args, kwargs, select=True)

    def alias(self, *args: Any, **kwargs: Any) -> Self:
        """Like `annotate`, for values that are used in the query but not wanted in the result.

        >>> from facade.models import Count
        >>> Author.objects.alias(written=Count("books")).filter(written=0)
        <QuerySet [<Author: Eve>]>
        """
        self._refuse_combined("alias")
        return self._annotate(args, kwargs, select=False)

    def _annotate(self, args: tuple[Any, ...], kwargs: dict[str, Any], select: bool) -> Self:
        annotations = named_expressions(args, kwargs, "annotate" if select else "alias")
        query = self._shape.query
        if self._fields is None:
            taken = {item.name for item in query.opts.get_fields()} | {
                item.attname for item in query.opts.get_fields() if hasattr(item, "attname")
            }
        else:
            taken = set(self._fields)
        for name, annotation in annotations.items():
            if name in taken:
                raise ValueError(f"The annotation '{name}' conflicts with a field on the model.")
            if not isinstance(annotation, FilteredRelation):  # it has a rule of its own
                check_alias(name)
        clone = self._clone()
        clone._shape, clone._args = self._expressions_shape("annotate", *freeze_named(annotations), select)
        if self._fields is not None and select:
            added = [name for name in annotations if name not in self._fields]
            known = clone._shape.query.annotations
            clone._fields = (*self._fields, *[name for name in added if name in known])
        return clone

    def _expressions_shape(
        self, step: str, frozen: HashedOnce, values: Values, *rest: Any
    ) -> tuple[Shape, tuple[Any, ...]]:
        """Return the shape and the arguments one step further, with frozen expressions, which may have names."""
        if moved.names or moved.blocks:
            check_compared(values, self._named_place(), self._hints.get("instance"))
        shape, bound = self._shape.advance((step, frozen, *rest), values, values.keyed)
        return shape, self._args + bound

    # -- selection -----------------------------------------------------------------------------------

    def _values(self, *fields: Any, **expressions: Any) -> Self:
        clone = self._annotate((), expressions, select=True) if expressions else self
        for name in fields:
            check_alias(name)
        clone = clone._step(("values", fields))
        clone._fields = tuple(fields)
        return clone

    def values(self, *fields: Any, **expressions: Any) -> Self:
        """Return dicts instead of objects: of the fields that are named, or of all.

        Names may lead over relations; keywords are expressions under a name. The values have the types that attributes have.

        >>> Book.objects.values("title", "author__name").get(title="Trees")
        {'title': 'Trees', 'author__name': 'Ben'}
        """
        names = tuple(dict.fromkeys((*self._names(fields), *expressions)))
        clone = self._values(*names, **expressions)
        clone._kind = "dicts"
        return clone

    def values_list(self, *fields: Any, flat: bool = False, named: bool = False) -> Any:
        """Return tuples instead of objects; plain values of one field with `flat`, named tuples with `named`.

        TypeError for `flat` and more than one field, or both together.

        >>> Book.objects.order_by("title").values_list("title", "pages")
        <QuerySet [('Letters', 80), ('Notes', 120), ('Trees', 300)]>
        >>> list(Book.objects.order_by("title").values_list("title", flat=True))
        ['Letters', 'Notes', 'Trees']
        """
        if flat and named:
            raise TypeError("'flat' and 'named' can't be used together.")
        if flat and len(fields) > 1:
            raise TypeError("'flat' is not valid when values_list is called with more than one field.")
        if flat and not fields:
            fields = (self.model._meta.concrete_fields[0].attname,)
        names, expressions = value_names(
            fields, self.model, set(self._shape.query.annotations) | field_names(self.model._meta)
        )
        clone = self._values(*names, **expressions)
        clone._kind = "named" if named else "flat" if flat else "tuples"
        return clone

    def dates(self, field_name: str, kind: str, order: str = "ASC") -> Any:
        """Return the distinct dates of a field, cut to `"year"`, `"month"`, `"week"` or `"day"`.

        They come in order, `"ASC"` or `"DESC"`; NULL is none of them.

        >>> list(Book.objects.dates("published", "year"))
        [datetime.date(1843, 1, 1), datetime.date(1850, 1, 1)]
        """
        one_of("kind", kind, ("year", "month", "week", "day"))
        one_of("order", order, ("ASC", "DESC"))
        return self._moments(field_name, trunc(kind, field_name, model_fields.DateField()), order)

    def datetimes(
        self, field_name: str, kind: str, order: str = "ASC", tzinfo: dt.tzinfo | None = None
    ) -> Any:
        """Return the distinct moments of a field, cut to `kind`, in the time zone `tzinfo` (the current one by default)."""
        one_of("kind", kind, ("year", "month", "week", "day", "hour", "minute", "second"))
        one_of("order", order, ("ASC", "DESC"))
        zone = (tzinfo or current_timezone()) if settings.USE_TZ else None
        return self._moments(field_name, trunc(kind, field_name, model_fields.DateTimeField(), zone), order)

    def _moments(self, field_name: str, expression: object, order: str) -> Any:
        annotated = self.annotate(datefield=expression, plain_field=F(field_name))
        found = annotated.values_list("datefield", flat=True).distinct().filter(plain_field__isnull=False)
        return found.order_by(("-" if order == "DESC" else "") + "datefield")

    def distinct(self, *field_names: Any) -> Self:
        """Drop repeated rows; with names (PostgreSQL) keep the first row of each combination.

        Rows are repeated where a condition or an order joins a relation to many. UnsupportedFeature for names elsewhere.

        >>> Author.objects.filter(books__pages__gt=0).count(), Author.objects.filter(books__pages__gt=0).distinct().count()
        (3, 2)
        """
        self._refuse_combined("distinct")
        self._refuse_sliced("create distinct fields")
        return self._step(("distinct", self._names(field_names)))

    def order_by(self, *field_names: Any) -> Self:
        """Order by fields, `-` before a name for descending, `?` for random, or by expressions; without any, leave the order open.

        It takes the place of the order before, and of `Meta.ordering`. NULL comes where the database has it; `F("age").asc(nulls_last=True)` says it.

        >>> from facade.models import F
        >>> Author.objects.order_by(F("age").desc(nulls_last=True))
        <QuerySet [<Author: Ada>, <Author: Ben>, <Author: Eve>]>
        """
        self._refuse_sliced("reorder a query")
        for item in field_names:
            if type(item) is not str:
                return self._order_by_expressions(field_names)
        return self._step(("order_by", field_names))

    def _order_by_expressions(self, items: tuple[Any, ...]) -> Self:
        values = Values()
        frozen = HashedOnce(
            freeze(item, values) if is_expression(item) else item for item in self._names(items)
        )
        clone = self._clone()
        clone._shape, clone._args = self._expressions_shape("order_by", frozen, values)
        return clone

    def extra(
        self,
        select: dict[str, Any] | None = None,
        where: Iterable[str] | None = None,
        params: Iterable[Any] | None = None,
        tables: Iterable[str] | None = None,
        order_by: Iterable[str] | None = None,
        select_params: Iterable[Any] | None = None,
    ) -> Self:
        """Add SQL text of your own: columns, conditions, tables and an order, with `%s` for parameters.

        What expressions can say is better said by them. See
        https://docs.djangoproject.com/en/6.1/ref/models/querysets/#extra
        """
        self._refuse_combined("extra")
        self._refuse_sliced("change a query")
        values = Values()
        columns = tuple((name, text.freeze(values)) for name, text in selections(select, select_params))
        condition = RawCondition(where, params or ()).freeze(values) if where else None
        key = ("extra", columns, condition, tuple(tables or ()), tuple(order_by or ()))
        return self._step(key, values)

    def reverse(self) -> Self:
        """Turn the order round; where there is none, it stays open."""
        if self._low or self._high is not None:
            raise TypeError("Cannot reverse a query once a slice has been taken.")
        return self._step(("reverse",))

    # -- loading -----------------------------------------------------------------------------------

    def select_related(self, *fields: Any) -> Self:
        """Load related single objects in the same query; `select_related(None)` takes it back.

        Names are paths over foreign keys and one-to-one relations, from either side; without any, all foreign keys that cannot be
        NULL are followed. FieldError for a path that leads to many objects.

        >>> Book.objects.select_related("author").get(title="Trees").author.name  # one statement
        'Ben'
        """
        self._refuse_combined("select_related")
        if self._fields is not None:
            raise TypeError("Cannot call select_related() after .values() or .values_list()")
        if _is_none(fields):
            return self._step(("select_related", False))
        return self._step(("select_related", fields or True))

    def prefetch_related(self, *lookups: Any) -> Self:
        """Load related objects of all results with one more query per relation; `None` takes it back.

        Names are paths over any relations; a `Prefetch` says with which queryset. AttributeError for a name that is none, when the
        results are fetched.

        >>> [book.title for author in Author.objects.prefetch_related("books").order_by("name") for book in author.books.all()]
        ['Notes', 'Letters', 'Trees']
        """
        self._refuse_combined("prefetch_related")
        if _is_none(lookups):
            return self._with(_prefetch_related_lookups=())
        self._refuse_filtered("prefetch_related", (getattr(one, "prefetch_to", one) for one in lookups))
        return self._with(_prefetch_related_lookups=self._prefetch_related_lookups + lookups)

    def defer(self, *fields: Any) -> Self:
        """Leave the fields out until they are asked for; `defer(None)` takes it back.

        Reading one loads it, as `fetch_mode` says; saving the object does not write it.

        >>> Book.objects.defer("facts").get(title="Trees").get_deferred_fields()
        {'facts'}
        """
        self._refuse_combined("defer")
        if self._fields is not None:
            raise TypeError("Cannot call defer() after .values() or .values_list()")
        return self._step(("defer", None if _is_none(fields) else self._names(fields)))

    def only(self, *fields: Any) -> Self:
        """Load nothing but these fields (and the primary key); the rest is deferred.

        >>> sorted(Book.objects.only("title").get(title="Trees").get_deferred_fields())
        ['author_id', 'facts', 'pages', 'published']
        """
        self._refuse_combined("only")
        if self._fields is not None:
            raise TypeError("Cannot call only() after .values() or .values_list()")
        if _is_none(fields):
            raise TypeError("Cannot pass None as an argument to only().")
        names = self._names(fields)
        self._refuse_filtered("only", names)
        return self._step(("only", names))

    def select_for_update(
        self, nowait: bool = False, skip_locked: bool = False, of: tuple[str, ...] = (), no_key: bool = False
    ) -> Self:
        """Lock the rows until the end of the transaction block; a no-op on SQLite, whose blocks lock the whole database.

        `nowait` raises OperationalError where somebody else has the lock, `skip_locked` leaves such rows out; `of` names the
        relations whose rows are locked, ``"self"`` among them; `no_key` lets others refer to the rows meanwhile. Raises
        TransactionManagementError outside of a block, when the rows are read, and UnsupportedFeature for what the database cannot do.

        >>> from facade import atomic
        >>> with atomic():
        ...     Author.objects.select_for_update().get(name="Ada").age
        36
        """
        if nowait and skip_locked:
            raise ValueError("The nowait option cannot be used with skip_locked.")
        self._refuse_combined("select_for_update")
        clone = self._step(("lock", RowLock(nowait, skip_locked, tuple(of), no_key)))
        clone._for_write = True
        return clone

    def fetch_mode(self, fetch_mode: object) -> Self:
        """Say how fields and relations that were not loaded are fetched later: `FETCH_ONE`, `FETCH_PEERS` or `FETCH_RAISE`.

        Objects that are fetched from these have the same mode.

        >>> from facade.models import FETCH_RAISE
        >>> Book.objects.fetch_mode(FETCH_RAISE).get(title="Trees").author
        Traceback (most recent call last):
        facade.exceptions.FieldFetchBlocked: Fetching of Book.author blocked. ...
        """
        return self._with(_fetch_mode=None if fetch_mode is FETCH_ONE else fetch_mode)

    def _names(self, fields: Iterable[Any]) -> tuple[Any, ...]:
        """Return the names of fields that may be given as attributes of the model; what is neither stays."""
        return tuple([item if type(item) is str else name_of(item, self.model) for item in fields])

    # -- questions ------------------------------------------------------------------------------------------

    @property
    def ordered(self) -> bool:
        """Whether the objects come in a defined order, that of `order_by()` or of `Meta.ordering`."""
        return self._shape.query.is_empty or self._shape.query.is_ordered

    @property
    def totally_ordered(self) -> bool:
        """Whether the order leaves no two objects in doubt: it ends with the primary key or another unique field."""
        return totally_ordered(self._shape.query)

    def _refuse_filtered(self, operation: str, names: Iterable[str]) -> None:
        relations = self._shape.query.source.relations
        if relations and any(name.split(LOOKUP_SEP, 1)[0] in relations for name in names):
            raise ValueError(f"{operation}() is not supported with FilteredRelation.")

    def _refuse_combined(self, operation: str) -> None:
        if combinator := self._shape.query.source.combinator:
            raise UnsupportedFeature(f"Calling QuerySet.{operation}() after {combinator}() is not supported.")

    def _refuse_sliced(self, operation: str) -> None:
        if self._low or self._high is not None:
            raise TypeError(f"Cannot {operation} once a slice has been taken.")


def _is_none(items: tuple[Any, ...]) -> bool:
    """Return whether None is all that was given; what columns compare as is no truth."""
    return len(items) == 1 and items[0] is None
