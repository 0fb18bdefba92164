"""Both faces are one: each method that reaches the database has a twin, and the twin sends the same statements."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import inspect
import warnings
from decimal import Decimal

import pytest
from sqlalchemy import make_url

import facade
from facade import bridge, configure, models, transaction
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.connection import close_all, close_all_async, connections
from facade.exceptions import EmptyResultSet
from facade.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from facade.orm.querysets.manager import BaseManager
from facade.orm.querysets.raw import RawQuerySet
from tests.models import Author, Book, Category, Everything, Place, Profile, Publisher, Restaurant, Review

# -- the surface --------------------------------------------------------------------------------

# What touches no database: it returns another queryset or manager, or tells something about this one.
WITHOUT_TWIN = {
    "QuerySet": "alias all annotate as_manager compile complex_filter dates datetimes db defer distinct exclude execution_options "
    "extra fetch_mode filter freeze intersection difference none only order_by ordered prefetch_related query reverse select_for_update "
    "select_related timeout totally_ordered union using from_statement statement",
    "RawQuerySet": "columns db model_fields prefetch_related resolve_model_init_order using",
    "Manager": "auto_created check contribute_to_class creation_counter db db_manager deconstruct from_queryset get_queryset "
    "use_in_migrations",
    "RelatedManager": "do_not_call_in_templates get_prefetch_querysets rel superclass through source_field",
    "Model": "DoesNotExist MultipleObjectsReturned NotUpdated add_to_class check clean clean_fields date_error_message "
    "from_db get_constraints get_deferred_fields objects pk prepare_database_save serializable_value unique_error_message "
    "_meta",
    "transaction": "Atomic TransactionManagementError aatomic atomic clean_savepoints detached get_autocommit get_connection "
    "get_rollback mark_for_rollback_on_error set_rollback",
    "facade": "DEFAULT_DB_ALIAS CaptureQueriesContext aatomic atomic configure connection connections metadata models pool_stats router "
    "run settings transaction using_connection",
}
# Whose other face has a name of its own: `for` and `async for`, `async with`.
OTHER_NAME = {"close_all": "close_all_async"}


def public(owner):
    return {name for name in dir(owner) if not name.startswith("_")}


def related_manager():
    return type(Author(pk=1).books)


def nullable_related_manager():
    return type(Publisher(pk=1).book_set)


SURFACES = [
    ("QuerySet", lambda: models.QuerySet, ("QuerySet",)),
    ("RawQuerySet", lambda: RawQuerySet, ("RawQuerySet",)),
    ("Manager", lambda: models.Manager, ("QuerySet", "Manager")),
    ("manager of a queryset", lambda: type(Author.objects), ("QuerySet", "Manager")),
    ("related manager", related_manager, ("QuerySet", "Manager", "RelatedManager")),
    ("nullable related manager", nullable_related_manager, ("QuerySet", "Manager", "RelatedManager")),
    ("Model", lambda: models.Model, ("Model",)),
]


def surface(owner, plain):
    """Return the public names that are neither plain nor twins: those that must have one."""
    known = {name for key in plain for name in WITHOUT_TWIN[key].split()}
    names = public(owner)
    twins = {f"a{name}" for name in names}
    return sorted(
        name
        for name in names - known - twins
        if callable(inspect.getattr_static(owner, name))
        or isinstance(inspect.getattr_static(owner, name), classmethod)
    )


@pytest.mark.parametrize(
    ("owner", "plain"), [item[1:] for item in SURFACES], ids=[item[0] for item in SURFACES]
)
def test_every_method_that_reaches_the_database_has_a_twin(owner, plain):
    owner = owner()
    names = surface(owner, plain)
    missing = [name for name in names if not hasattr(owner, f"a{name}")]
    assert not missing, f"without a twin, and not listed as harmless: {missing}"
    for name in names:
        sync, twin = getattr(owner, name), getattr(owner, f"a{name}")
        assert is_async(twin) or name == "iterator", name
        assert not is_async(sync), name
        if name == "iterator":  # Django's own defaults differ
            assert [item[0] for item in parameters(twin)] == [item[0] for item in parameters(sync)]
        else:
            assert parameters(twin) == parameters(sync), name


def is_async(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.iscoroutinefunction(inspect.unwrap(function, stop=asyncio.iscoroutinefunction))


def parameters(function):
    return [(item.name, item.kind, item.default) for item in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        (
            "QuerySet",
            (
                "aggregate bulk_create bulk_update contains count create delete earliest exists explain first get get_or_create "
                "in_bulk iterator last latest raw update update_or_create values values_list"
            ),
        ),
        ("Model", "delete full_clean refresh_from_db save save_base validate_constraints validate_unique"),
    ],
)
def test_the_twins_that_users_know_are_there(owner, expected):
    for name in expected.split():
        assert hasattr(getattr(models, owner), f"a{name}"), name


@pytest.mark.parametrize(
    "name", ["add", "set", "create", "get_or_create", "update_or_create", "remove", "clear"]
)
def test_related_managers_write_on_both_faces(name):
    manager = nullable_related_manager()
    assert parameters(getattr(manager, name)) == parameters(getattr(manager, f"a{name}"))


@pytest.mark.parametrize(("module", "key"), [(transaction, "transaction"), (facade, "facade")])
def test_every_function_that_reaches_the_database_has_a_twin(module, key):
    plain = set(WITHOUT_TWIN[key].split())
    names = set(module.__all__) - {"__version__"}
    sync = {name for name in names if not (name.startswith("a") and name[1:] in names)} - plain
    sync -= set(OTHER_NAME.values())
    for name in sorted(sync):
        twin = OTHER_NAME.get(name, f"a{name}")
        assert twin in names, f"{module.__name__}.{name} has no {twin}"
        assert parameters(getattr(module, name)) == parameters(getattr(module, twin)), name


def test_methods_of_a_queryset_of_ones_own_are_on_both_faces():
    class Shelf(models.QuerySet):
        def total(self):
            return self.aggregate(n=Sum("pages"))["n"]

        atotal = bridge.twin(total)

    manager = BaseManager.from_queryset(Shelf)
    assert is_async(manager.atotal)
    assert parameters(manager.atotal) == parameters(manager.total)


# -- the statements ------------------------------------------------------------------------------

DAY = dt.date(2002, 5, 1)
NOW = dt.datetime(2002, 5, 1, 12, 30, tzinfo=dt.UTC)

LOOKUPS = [
    {"title": "Alpha"},
    {"title__exact": "Alpha"},
    {"title": None},
    {"title__iexact": "alpha"},
    {"title__contains": "l%_"},
    {"title__icontains": "A"},
    {"title__startswith": "Be"},
    {"title__istartswith": "be"},
    {"title__endswith": "a"},
    {"title__iendswith": "A"},
    {"title__in": ["Alpha", "Beta"]},
    {"title__in": []},
    {"title__regex": "^A"},
    {"title__iregex": "^a"},
    {"title__gt": "B"},
    {"pages": 100},
    {"pages__gt": 1},
    {"pages__gte": 1.5},
    {"pages__lt": 2**70},
    {"pages": 2**70},
    {"pages__lte": 200},
    {"pages__in": range(50)},
    {"pages__in": [1, None, 2**70]},
    {"pages__range": (1, 200)},
    {"pages__isnull": True},
    {"pages__isnull": False},
    {"pages": F("author__age")},
    {"pages__gt": F("author__age") * 2 + 1},
    {"price": Decimal("9.50")},
    {"price__lt": "10"},
    {"price__in": [Decimal(1), 2]},
    {"published": DAY},
    {"published__gte": "2002-01-01"},
    {"published__year": 2002},
    {"published__month__gt": 3},
    {"published__in": [DAY]},
    {"published__isnull": True},
    {"author": 1},
    {"author__in": [1, 2]},
    {"author__name": "Ada"},
    {"author__name__icontains": "a"},
    {"author__age__isnull": True},
    {"author__profile__biography": "x"},
    {"publisher": None},
    {"publisher__name": "North", "pages": 1},
    {"publisher__isnull": False},
    {"review__verdict": Review.Verdict.GOOD},
    {"review__reviewer__name__startswith": "A", "review__text": ""},
    {"pk": 1},
    {"pk__in": {1, 2}},
]
BOOKS = Book.objects
newest = Book.objects.filter(author=OuterRef("pk")).order_by("-pages")

QUERYSETS = [
    BOOKS.all,
    lambda: BOOKS.order_by("title"),
    lambda: BOOKS.order_by("-pages", "author__name"),
    lambda: BOOKS.order_by("publisher"),
    lambda: BOOKS.order_by(F("published").desc(nulls_last=True)),
    lambda: BOOKS.order_by(F("pages") * 2),
    lambda: BOOKS.order_by("pages").reverse(),
    lambda: BOOKS.order_by("pages")[:3],
    lambda: BOOKS.order_by("pages")[2:],
    lambda: BOOKS.order_by("pages")[1:3],
    lambda: BOOKS.filter(Q(pages=1) | Q(title="x")),
    lambda: BOOKS.filter(~Q(pages=1) & (Q(title="x") ^ Q(title="y"))),
    lambda: BOOKS.exclude(Q(publisher__name="North") | Q(author__age=3)),
    lambda: BOOKS.values("title", "author__name"),
    BOOKS.values,
    lambda: BOOKS.values("pages").distinct().order_by("pages"),
    lambda: BOOKS.values_list("title", "published"),
    lambda: BOOKS.values_list("title", flat=True),
    lambda: BOOKS.values_list("title", "price", named=True),
    lambda: BOOKS.values("author__name").annotate(n=Count("id"), m=Avg("pages")).order_by("author__name"),
    lambda: BOOKS.only("title"),
    lambda: BOOKS.defer("price", "published"),
    lambda: BOOKS.select_related("author", "publisher"),
    lambda: BOOKS.select_related("author__profile").only(
        "title", "author__name", "author__profile__biography"
    ),
    lambda: BOOKS.prefetch_related("review_set", "author"),
    lambda: BOOKS.prefetch_related(
        Prefetch("review_set", Review.objects.select_related("reviewer"), to_attr="seen")
    ),
    lambda: BOOKS.annotate(double=F("pages") * 2).filter(double__gt=100).order_by("-double"),
    lambda: BOOKS.annotate(size=Case(When(pages__gte=200, then=Value("long")), default=Value("short"))),
    lambda: BOOKS.alias(n=Count("review")).filter(n=0),
    lambda: BOOKS.annotate(n=Count("review", filter=Q(review__verdict=2), distinct=True)),
    BOOKS.distinct,
    BOOKS.none,
    lambda: BOOKS.filter(pages__lt=200).union(BOOKS.filter(pages=300)).order_by("pages"),
    lambda: BOOKS.filter(pages__lt=200).intersection(BOOKS.filter(pages=100)),
    lambda: BOOKS.filter(pages__lt=200).difference(BOOKS.filter(pages=100)),
    lambda: BOOKS.filter(pages=1) | BOOKS.filter(author__name="Ada"),
    lambda: BOOKS.filter(pages=1) & BOOKS.filter(author__name="Ada"),
    lambda: BOOKS.dates("published", "month"),
    lambda: Everything.objects.datetimes("datetime", "hour"),
    lambda: Everything.objects.filter(datetime__date=DAY, datetime__hour__gte=3),
    lambda: Everything.objects.filter(datetime__lt=NOW, duration__gt=dt.timedelta(1), boolean=True),
    lambda: Everything.objects.filter(uuid="12345678123456781234567812345678", time__hour=1, binary=b"x"),
    lambda: Author.objects.filter(Exists(newest)),
    lambda: Author.objects.filter(~Exists(newest.filter(pages=3))),
    lambda: Author.objects.annotate(top=Subquery(newest.values("title")[:1])).order_by("top"),
    lambda: Author.objects.filter(books__pages=1).filter(books__title="x").distinct(),
    lambda: Author.objects.exclude(books__pages=1, books__title="x"),
    lambda: Author.objects.filter(books__in=BOOKS.filter(pages__gt=1)),
    lambda: Author.objects.filter(pk__in=BOOKS.order_by("-pages")[:2].values("author")),
    lambda: Author.objects.annotate(n=Count("books"), pages=Sum("books__pages")).filter(n__gt=1),
    lambda: Category.objects.filter(parent__parent__name="x").select_related("parent"),
    lambda: Category.objects.filter(children__children=None),
    lambda: Category.objects.raw("SELECT * FROM tests_category WHERE name = %s", ["x"]),
]

OPERATIONS = [
    lambda: (BOOKS.get, {"title": "Alpha"}),
    lambda: (BOOKS.filter(pages__gt=1).count, {}),
    lambda: (BOOKS.all()[1:3].count, {}),
    lambda: (BOOKS.values("author").distinct().count, {}),
    lambda: (BOOKS.filter(author__name="Ada").exists, {}),
    lambda: (BOOKS.first, {}),
    lambda: (BOOKS.last, {}),
    lambda: (BOOKS.earliest, {}),
    lambda: (BOOKS.latest, {}),
    lambda: (BOOKS.in_bulk, {}),
    lambda: (Category.objects.in_bulk, {"id_list": ["x"], "field_name": "name"}),
    lambda: (BOOKS.contains, {"obj": Book(pk=1)}),
    lambda: (
        BOOKS.aggregate,
        {"n": Count("id"), "top": Max("price"), "low": Min("published"), "s": Sum("pages")},
    ),
    lambda: (BOOKS.order_by("pages")[:2].aggregate, {"s": Sum("pages")}),
    lambda: (BOOKS.filter(pages=1).update, {"pages": F("pages") + 1, "title": "x"}),
    lambda: (BOOKS.filter(author__name="Ada").update, {"publisher": None}),
    lambda: (BOOKS.filter(pages=100).delete, {}),
    lambda: (Author.objects.filter(name="Ada").delete, {}),
    lambda: (Category.objects.create, {"name": "new"}),
    lambda: (Category.objects.get_or_create, {"name": "newer"}),
    lambda: (Category.objects.update_or_create, {"name": "newest", "defaults": {"parent": None}}),
    lambda: (
        Category.objects.bulk_create,
        {"objs": [Category(name=f"c{i}") for i in range(5)], "batch_size": 2},
    ),
    lambda: (
        Category.objects.bulk_create,
        {
            "objs": [Category(name="c")],
            "update_conflicts": True,
            **({} if connections["default"].vendor == "mysql" else {"unique_fields": ["name"]}),
            "update_fields": ["parent"],
        },
    ),
    lambda: (BOOKS.bulk_update, {"objs": [Book(pk=1, pages=7), Book(pk=2, pages=8)], "fields": ["pages"]}),
    lambda: (Book(pk=1, title="T", author_id=1).save, {}),
    lambda: (Book(pk=1, title="T", author_id=1).save, {"update_fields": ["title"]}),
    lambda: (Book(pk=1).refresh_from_db, {"fields": ["title"]}),
    lambda: (Book(pk=1).delete, {}),
    lambda: (BOOKS.explain, {}),
    lambda: (Author(pk=1).books.create, {"title": "mine"}),
    lambda: (Author(pk=1).books.get_or_create, {"title": "mine"}),
    lambda: (Publisher(pk=1).book_set.clear, {}),
]


def sent(captured):
    return [(query["statement"], tuple(query["params"] or ())) for query in captured.captured_queries]


def refused(fn):
    """Return what `fn()` gives; errors of the database are part of the answer, and end the block."""
    try:
        return fn()
    except (models.ObjectDoesNotExist, EmptyResultSet) as error:
        return type(error)


def both_faces(operation, aoperation):
    """Return the statements of an operation on either face; what it writes is rolled back."""

    def sync():
        with CaptureQueriesContext(connections["default"]) as captured, transaction.atomic():
            refused(operation)
            transaction.set_rollback(True)
        return sent(captured)

    async def other():
        try:
            async with CaptureQueriesContext(connections["default"]) as captured, transaction.atomic():
                with contextlib.suppress(models.ObjectDoesNotExist, EmptyResultSet):
                    await aoperation()
                transaction.set_rollback(True)
            return sent(captured)
        finally:
            await close_all_async()

    return sync(), asyncio.run(other())


@pytest.fixture
def shelf(database):
    """A few rows, and one driver for both faces on PostgreSQL."""
    if database.vendor == "postgresql":
        configure(DATABASES={"default": make_url(database.url).set(drivername="postgresql+psycopg")})
    database.create(Publisher, Author, Book, Profile, Category, Review, Everything, Place, Restaurant)
    north = Publisher.objects.create(name="North")
    ada = Author.objects.create(name="Ada", age=36)
    for number, title in enumerate(["Alpha", "Beta", "Gamma"], 1):
        Book.objects.create(title=title, author=ada, publisher=north, pages=number * 100, published=DAY)
    yield
    close_all()


async def listed(queryset):
    return await queryset


def test_the_corpus_is_large_enough():
    assert 2 * len(LOOKUPS) + len(QUERYSETS) >= 150


@pytest.mark.parametrize("method", ["filter", "exclude"])
def test_conditions_are_the_same_on_both_faces(method, database, shelf):
    for lookups in LOOKUPS:
        make = lambda: getattr(Book.objects, method)(**lookups)  # noqa: B023, E731
        sync, other = both_faces(lambda: list(make()), lambda: listed(make()))  # noqa: B023
        assert sync == other, lookups


def test_querysets_are_the_same_on_both_faces(database, shelf):
    for number, make in enumerate(QUERYSETS):
        sync, other = both_faces(lambda: list(make()), lambda: listed(make()))  # noqa: B023
        assert sync == other, number


def test_operations_are_the_same_on_both_faces(database, shelf):
    for number, make in enumerate(OPERATIONS):

        def sync_operation():
            method, arguments = make()  # noqa: B023
            return method(**arguments)

        def async_operation():
            method, arguments = make()  # noqa: B023
            return getattr(method.__self__, f"a{method.__name__}")(**arguments)

        sync, other = both_faces(sync_operation, async_operation)
        assert sync == other, number
        assert len(sync) > 2, number
