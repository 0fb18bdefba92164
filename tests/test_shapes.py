"""The cache of shapes: querysets written alike share one, results never depend on it, and it stays small."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import itertools
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from facade import bridge, configuration, connections, models
from facade.db.scopes.optioned import MAX_NAMES
from facade.exceptions import EmptyResultSet
from facade.meta.registry import isolate_apps
from facade.models import Case, Count, Exists, F, Max, OuterRef, Q, Subquery, Sum, Value, When
from facade.sql.plan import retention
from facade.sql.plan import shape as shapes
from facade.sql.plan.loaders import _row_classes as row_classes
from facade.sql.query.state import PARTS
from tests.models import Author, Book, Category, Everything, Profile, Publisher

DAY = dt.date(2002, 5, 1)


@pytest.fixture
def cached():
    """The cache, empty and on whatever the environment says."""
    with configuration.override(FACADE_SHAPE_CACHE=True):
        shapes.clear()
        yield
    shapes.clear()


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Profile, Category)
    north = Publisher.objects.create(name="North", city="Oslo")
    ada, bob, _ = Author.objects.bulk_create(
        [Author(name="Ada", age=36, email="a%b@x.org"), Author(name="Bob", age=50), Author(name="Cyd")]
    )
    Book.objects.bulk_create(
        [
            Book(title="Alpha", author=ada, publisher=north, pages=100, price=Decimal("9.50"), published=DAY),
            Book(title="Beta", author=ada, pages=200, price=Decimal("19.00"), published=DAY),
            Book(title="alp_a", author=bob, publisher=north, pages=300, price=Decimal("29.99")),
            Book(title="50%", author=bob, pages=0),
        ]
    )


def sql_of(queryset):
    try:
        return queryset.query.sql_with_params()[0]
    except EmptyResultSet:
        return None


def size():
    gc.collect()
    return len(shapes._living)


# -- one shape for one structure ---------------------------------------------------------------

ALIKE = [
    (lambda v: Book.objects.filter(pages=v), 1, 2),
    (lambda v: Book.objects.filter(title__contains=v), "a", "100%"),
    (lambda v: Book.objects.exclude(pages__gt=v).filter(title=str(v)), 1, 2),
    (lambda v: Book.objects.filter(Q(pages=v) | ~Q(author__name=str(v))), 1, 2),
    (lambda v: Book.objects.filter(pages__in=v), [1], [1, 2, 3]),
    (lambda v: Book.objects.filter(pages__in=v), [1], (4, 5)),
    (lambda v: Book.objects.filter(pages__in=v), [1], {4, 5}),
    (lambda v: Book.objects.filter(pages__range=v), (1, 2), (3, 4)),
    (lambda v: Book.objects.filter(published__year=v), 2001, 2002),
    (lambda v: Book.objects.annotate(x=F("pages") + v).filter(x=v), 1, 2),
    (lambda v: Book.objects.annotate(x=Value(v)), 1, 2),
    (lambda v: Book.objects.filter(pages=F("author__age") * v), 2, 3),
    (lambda v: Book.objects.filter(author__in=Author.objects.filter(age=v)), 1, 2),
    (lambda v: Book.objects.filter(author__in=Author.objects.order_by("pk")[:v]), 2, 3),
    (lambda v: Author.objects.filter(Exists(Book.objects.filter(author=OuterRef("pk"), pages=v))), 1, 2),
    (lambda v: Book.objects.annotate(x=Case(When(pages=v, then=Value(v)), default=Value(v))), 1, 2),
    (lambda v: Author.objects.annotate(n=Count("books", filter=Q(books__pages=v))).filter(n=v), 1, 2),
    (lambda v: Book.objects.filter(pages__gt=v).union(Book.objects.filter(pages=v)), 1, 2),
    (lambda v: Book.objects.filter(author=v), Author(pk=1), Author(pk=7)),
    (lambda v: Book.objects.filter(author__in=v), [Author(pk=1)], [Author(pk=1), Author(pk=7)]),
    (lambda v: Book.objects.order_by(F("pages") * v), 1, 2),
]


@pytest.mark.parametrize(("make", "one", "other"), ALIKE)
def test_other_values_share_the_shape(make, one, other, database, cached):
    first = make(one)
    assert make(other)._shape is first._shape
    assert with_short_lists(sql_of(make(other))) == with_short_lists(sql_of(first))


def with_short_lists(sql):
    """MariaDB's lists have a placeholder for each value: write them as if they had one."""
    return re.sub(r"(%s, )+%s", "%s", sql)


def test_each_attribute_of_a_query_is_in_one_part_and_shown_by_its_name(database):
    named = [item.name for part in PARTS.values() for item in fields(part)]
    assert len(named) == len(set(named))
    query = Author.objects.select_related().distinct().order_by("-age").values("name").query
    assert (query.distinct, query.order_by, query.selected) == (True, ("-age",), ("name",))
    assert [*query.select] == ["name"]
    assert {name for name in named if not hasattr(query, name)} == set()


def test_slices_share_the_shape_whatever_their_bounds(database, cached):
    books = Book.objects.filter(pages=1)
    assert books[2:5]._shape is books[7:9]._shape is books._shape
    assert sql_of(books[2:5]) == sql_of(books[7:9])
    parts = [books, books[:5], books[5:], books[2:5]]
    assert len({part.query.sql_with_params() for part in parts}) == 4


DIFFERENT = [
    [lambda: Book.objects.filter(published=None), lambda: Book.objects.filter(published=DAY)],
    [
        lambda: Book.objects.filter(published__isnull=True),
        lambda: Book.objects.filter(published__isnull=False),
        lambda: Book.objects.exclude(published__isnull=True, pages=1),
    ],
    [lambda: Book.objects.filter(pages=1), lambda: Book.objects.filter(pages=F("author__age"))],
    [lambda: Book.objects.filter(pages=F("pages") + 1), lambda: Book.objects.filter(pages=F("pages") - 1)],
    [lambda: Book.objects.filter(pages__in=[]), lambda: Book.objects.filter(pages__in=[1])],
    [
        lambda: Book.objects.filter(pages__in=[1]),
        lambda: Book.objects.filter(pages__in=[F("author__age"), 1]),
    ],
    [lambda: Book.objects.filter(pages=1), lambda: Book.objects.filter(pages=2**70)],
    [lambda: Book.objects.filter(pages__lt=2**70), lambda: Book.objects.filter(pages__lt=-(2**70))],
    [
        lambda: Book.objects.filter(author__in=Author.objects.all()),
        lambda: Book.objects.filter(author__in=Author.objects.all()[1:2]),
        lambda: Book.objects.filter(author__in=Author.objects.filter(age=1)),
        lambda: Book.objects.filter(author__in=Author.objects.filter(age=None)),
        lambda: Book.objects.filter(author__in=Author.objects.order_by("name")[:2]),
    ],
    [
        lambda: Book.objects.filter(author=Author.objects.all()[:1]),
        lambda: Book.objects.filter(author__in=Author.objects.all()[:2]),
    ],
    [
        lambda: Book.objects.filter(Q(pages=1) | Q(title="a")),
        lambda: Book.objects.filter(Q(pages=1) & Q(title="a")),
    ],
    [lambda: Book.objects.filter(Q(pages=1)), lambda: Book.objects.filter(~Q(pages=1))],
    [lambda: Book.objects.order_by("pages"), lambda: Book.objects.order_by("-pages")],
    [
        lambda: Book.objects.order_by(F("pages").asc()),
        lambda: Book.objects.order_by(F("pages").desc()),
        lambda: Book.objects.order_by(F("pages").desc(nulls_first=True)),
    ],
    [lambda: Book.objects.values("pages"), lambda: Book.objects.values("title")],
    [lambda: Book.objects.only("pages"), lambda: Book.objects.defer("pages")],
    [lambda: Book.objects.annotate(x=F("pages")), lambda: Book.objects.annotate(y=F("pages"))],
    [lambda: Book.objects.annotate(x=Max("pages")), lambda: Book.objects.annotate(x=Sum("pages"))],
    [
        lambda: Book.objects.annotate(x=Count("id")),
        lambda: Book.objects.annotate(x=Count("id", distinct=True)),
    ],
    [
        lambda: Author.objects.filter(books__title="a", books__pages=1),
        lambda: Author.objects.filter(books__title="a").filter(books__pages=1),
    ],
    [
        lambda: Book.objects.filter(title__contains="a"),
        lambda: Book.objects.filter(title__startswith=F("title")),
    ],
]


@pytest.mark.parametrize("makers", DIFFERENT)
def test_another_structure_is_another_statement(makers, database, cached):
    statements = [sql_of(make()) for make in makers]
    assert len(set(statements)) == len(makers), statements
    assert [sql_of(make()) for make in makers] == statements


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (slice(None), 4),
        (slice(1), 2),
        (slice(2), 4),
        (slice(1, None), 2),
        (slice(1, 2), 2),
        (slice(0, 0), 0),
        (slice(5, None), 0),
        (slice(2, 3), 0),
    ],
)
def test_slices_of_embedded_querysets_are_told_apart(part, expected, database, cached, library):
    for _ in range(2):
        for warm in (slice(None), slice(1), slice(1, None), slice(1, 2), slice(0, 0)):
            list(Book.objects.filter(author__in=Author.objects.order_by("pk")[warm]))
        assert Book.objects.filter(author__in=Author.objects.order_by("pk")[part]).count() == expected


def test_true_and_one_are_different_constants(database, cached):
    database.create(Everything)
    Everything.objects.create(boolean=True, integer=1)
    for value in (True, 1, False, 0, True):
        found = Everything.objects.annotate(x=Value(value)).get().x
        assert (found, type(found)) == (value, type(value))
    assert Everything.objects.filter(boolean=True).count() == 1
    assert Everything.objects.filter(integer=1, boolean__in=[True]).count() == 1


def test_one_and_one_point_zero_are_different_constants(database, cached):
    database.create(Everything)
    Everything.objects.create(integer=3)
    for value in (1, 1.0, Decimal(1), 1):
        found = Everything.objects.annotate(x=Value(value)).get().x
        assert (found, type(found)) == (value, type(value))


def test_values_in_an_order_stay_with_their_query(database, cached, library):
    first = When(published__gte="2002-01-01", then=Value(0))
    late = Book.objects.filter(pages__gte=100).order_by(Case(first, default=Value(1)), 1000 - F("pages"))
    assert [book.title for book in late.filter(pages__lt=1000)] == ["Beta", "Alpha", "alp_a"]
    assert [book.title for book in late[1:3]] == ["Alpha", "alp_a"]
    merged = Book.objects.filter(title__in=["Alpha", "Beta"], pages__lt=500) & late
    assert [book.title for book in merged] == ["Beta", "Alpha"]
    longest = late.filter(author=OuterRef("pk")).values("title")[:1]
    authors = Author.objects.filter(age__gt=0).annotate(first=Subquery(longest)).order_by("pk")
    assert [author.first for author in authors] == ["Beta", "alp_a"]


@pytest.mark.vendors("postgres")  # older versions of SQLite know no outer columns in a subquery's ORDER BY
def test_an_order_may_refer_to_the_query_around(database, cached, library):
    nearest = Book.objects.filter(pages__gt=0).order_by((F("pages") - OuterRef("age") * 4).asc())
    authors = Author.objects.filter(age__gt=0).annotate(first=Subquery(nearest.values("title")[:1]))
    assert {author.first for author in authors} == {"Alpha"}


def test_a_step_that_cannot_be_keyed_works(database, cached, library):
    class Unkeyed(models.Func):
        function = "UPPER"

        @property
        def identity(self):
            raise TypeError("no key")

    found = Book.objects.annotate(loud=Unkeyed(F("title"), output_field=models.CharField())).order_by("pk")
    assert [book.loud for book in found.filter(pages__lt=150)] == ["ALPHA", "50%"]
    assert [book.loud for book in found.filter(pages__gt=150)] == ["BETA", "ALP_A"]


# -- results do not depend on it -------------------------------------------------------------------

numbers = st.one_of(st.integers(-5, 400), st.just(2**40), st.just(2**70), st.just(-(2**70)))
texts = st.sampled_from(["Alpha", "alpha", "a", "%", "_", "50%", "\\", "", "l_", "Ada"])
dates = st.sampled_from([None, DAY, dt.date(2001, 1, 1), "2002-05-01"])

LOOKUPS = {
    "pages": st.one_of(numbers, st.builds(lambda n: F("author__age") + n, st.integers(0, 60))),
    "pages__gte": st.one_of(numbers, st.floats(-1, 400, allow_nan=False)),
    "pages__lt": numbers,
    "pages__in": st.one_of(
        st.lists(st.one_of(numbers, st.none()), max_size=3),
        st.frozensets(numbers, max_size=2),
        st.just([F("author__age"), 100]),
    ),
    "pages__range": st.tuples(st.integers(-5, 400), st.integers(-5, 400)),
    "pages__isnull": st.booleans(),
    "title": texts,
    "title__iexact": texts,
    "title__contains": texts,
    "title__istartswith": texts,
    "title__in": st.lists(texts, max_size=3),
    "published": dates,
    "published__year": st.integers(2000, 2003),
    "published__isnull": st.booleans(),
    "price__gt": st.sampled_from([Decimal("9.50"), "9.5", 10, None]).filter(lambda v: v is not None),
    "publisher": st.sampled_from([None, 1]),
    "publisher__name": texts,
    "author__name__startswith": texts,
    "author__age__isnull": st.booleans(),
    "author__in": st.one_of(
        st.lists(st.integers(1, 3), max_size=2),
        st.builds(lambda n: Author.objects.order_by("pk")[:n], st.integers(0, 3)),
        st.builds(lambda n: Author.objects.order_by("pk")[n : n + 1], st.integers(0, 3)),
        st.builds(lambda n: Author.objects.filter(age__gt=n), st.integers(0, 60)),
        st.builds(lambda n: Author.objects.filter(books__pages__lt=n).values("pk"), st.integers(0, 400)),
        st.just(Author.objects.none()),
    ),
}
pairs = st.sampled_from(sorted(LOOKUPS)).flatmap(lambda name: LOOKUPS[name].map(lambda value: (name, value)))


def q_of(pair):
    return Q(**dict([pair]))


conditions = st.recursive(
    pairs.map(q_of),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a, b: a ^ b, inner, inner),
        inner.map(lambda q: ~q),
    ),
    max_leaves=3,
)

steps = st.one_of(
    st.tuples(st.just("filter"), st.lists(pairs, max_size=2, unique_by=lambda pair: pair[0])),
    st.tuples(st.just("exclude"), st.lists(pairs, min_size=1, max_size=2, unique_by=lambda pair: pair[0])),
    st.tuples(st.just("where"), conditions),
    st.tuples(st.just("annotate"), st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 3))),
    st.tuples(st.just("above"), st.integers(0, 300)),
    st.tuples(st.just("reverse"), st.none()),
    st.tuples(st.just("distinct"), st.none()),
    st.tuples(st.just("all"), st.none()),
)
ends = st.one_of(
    st.just(None),
    st.tuples(st.none() | st.integers(0, 3), st.none() | st.integers(0, 4)),
    st.sampled_from(["count", "exists", "sum"]),
)


def build(recipe):
    queryset = Book.objects.order_by("pk")
    for name, value in recipe:
        if name in ("filter", "exclude"):
            queryset = getattr(queryset, name)(**dict(value))
        elif name == "where":
            queryset = queryset.filter(value)
        elif name == "annotate":
            queryset = queryset.annotate(**{value[0]: F("pages") + value[1]})
        elif name == "above":
            queryset = queryset.alias(z=F("pages") * 2).filter(z__gt=value)
        else:
            queryset = getattr(queryset, name)()
    return queryset


def answer(recipe, end):
    """Return what the recipe gives, an error's class included."""
    try:
        queryset = build(recipe)
        if end == "count":
            return queryset.count()
        if end == "exists":
            return queryset.exists()
        if end == "sum":
            return queryset.aggregate(n=Sum("pages"), top=Max("published"))
        if end is not None:
            queryset = queryset[end[0] : end[1]]
        return [(book.pk, getattr(book, "x", None), getattr(book, "y", None)) for book in queryset]
    except (TypeError, ValueError) as error:
        return type(error), str(error)


@pytest.mark.faces("sync")
def test_results_with_the_cache_are_those_without(face, library):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.lists(steps, max_size=3), ends), min_size=2, max_size=5))
    def law(recipes):
        with configuration.override(FACADE_SHAPE_CACHE=True):
            shapes.clear()
            first = [answer(*recipe) for recipe in recipes]
            again = [answer(*recipe) for recipe in reversed(recipes)]
        with configuration.override(FACADE_SHAPE_CACHE=False):
            plain = [answer(*recipe) for recipe in recipes]
        assert first == plain
        assert again[::-1] == plain

    law()


@pytest.mark.parametrize(
    "use",
    [
        lambda n: list(Book.objects.filter(pages__gt=n)),
        lambda n: list(Book.objects.filter(pages__in=range(n + 1))),
        lambda n: list(Book.objects.filter(title__in=[str(i) for i in range(n)] or ["x"])),
        lambda n: list(Book.objects.order_by("pages")[n : n + 5]),
        lambda n: Book.objects.filter(pages=n).count(),
        lambda n: Book.objects.filter(pages=n).exists(),
        lambda n: Book.objects.filter(pages=n).first(),
        lambda n: Book.objects.get_or_none(pk=n),
        lambda n: Book.objects.in_bulk([n, n + 1]),
        lambda n: Book.objects.aggregate(n=Count("id", filter=Q(pages__gt=n))),
        lambda n: Book.objects.filter(pk=n + 100).update(pages=F("pages") + n, title=str(n)),
        lambda n: Book.objects.filter(pages=n + 1000).delete(),
        lambda n: list(Book.objects.annotate(x=F("pages") + n).filter(x__lt=n).values_list("x")),
        lambda n: list(Author.objects.prefetch_related("books")[: n % 4]),
        lambda n: list(Author.objects.filter(Exists(Book.objects.filter(author=OuterRef("pk"), pages=n)))),
        lambda n: list(Author.objects.annotate(t=Subquery(Book.objects.filter(pages=n).values("title")[:1]))),
        lambda n: list(Book.objects.filter(author__in=Author.objects.order_by("pk")[: n + 2])),
        lambda n: list(Book.objects.filter(author__in=[Author(pk=i) for i in range(1, n + 2)])),
        lambda n: list(Book.objects.raw("SELECT * FROM tests_book WHERE pages = %s", [n])),
    ],
)
@pytest.mark.vendors("sqlite")
def test_repeated_calls_with_other_values_make_no_new_shapes(use, database, library, cached):
    for n in (3, 4, 5, 6):
        use(n)
    before = size()
    for n in range(7, 40):
        use(n)
    assert size() <= before


# -- bounded, shared and cleared ---------------------------------------------------------------------


def numbered(n):
    """Return a queryset of a structure of its own."""
    return Book.objects.annotate(**{f"x{n}": F("pages")})


@pytest.fixture
def few(cached, monkeypatch):
    """A tree that holds no more than fifty shapes, two of them new ones."""
    gc.collect()
    monkeypatch.setattr(retention, "MAX_SHAPES", 50)
    return 50


@pytest.mark.vendors("sqlite")
def test_the_number_of_shapes_is_bounded(database, few):
    before = size()  # what other tests hold
    for n in range(500):
        numbered(n)
        assert len(shapes._kept) <= few
    assert size() - before <= few + 10  # the roots of models do not count
    for n in [n for n in range(500) for _ in range(3)]:  # and of those that are asked for again
        numbered(n)
        assert len(shapes._kept) <= few
    assert size() - before <= few + 10  # the roots of models do not count


@pytest.mark.vendors("sqlite")
def test_what_comes_back_after_it_was_let_go_is_kept(database, few):
    for _ in range(2):
        for n in range(30):
            numbered(n)
    kept = [numbered(n)._shape for n in range(30)]
    for n in range(100, 200):
        numbered(n)
    assert [numbered(n)._shape for n in range(30)] == kept


@pytest.mark.vendors("sqlite")
def test_a_queryset_that_is_held_does_not_hold_all_that_was_made_of_it(database, few):
    before = size()
    held = Book.objects.filter(pages=1)
    for n in range(500):
        held.annotate(**{f"x{n}": F("pages")})
    assert size() - before <= few + 10  # the roots of models do not count
    assert sql_of(held) is not None


@pytest.mark.vendors("sqlite")
def test_querysets_that_are_held_do_not_count(database, few):
    held = [numbered(n) for n in range(few * 3)]
    assert numbered("y")._shape is numbered("y")._shape
    assert held[0].filter(pages=1)._shape is held[0].filter(pages=2)._shape
    assert [sql_of(queryset) for queryset in held] == [sql_of(numbered(n)) for n in range(few * 3)]


HOT = [
    lambda n: Book.objects.filter(pages__gte=n).order_by("pk"),
    lambda n: Book.objects.filter(title=str(n), pages=n),
    lambda n: Book.objects.exclude(author__age=n).values_list("title"),
    lambda n: Book.objects.annotate(x=F("pages") + n).filter(x__gt=n),
]
NAMED = [
    lambda n: Everything.objects.filter(**{f"json__key{n}": 1}),
    lambda n: Everything.objects.filter(json__has_key=f"key{n}"),
    lambda n: Everything.objects.order_by(f"json__key{n}"),
    lambda n: Everything.objects.values_list(f"json__key{n}"),
    lambda n: Book.objects.annotate(**{f"alias{n}": F("pages")}).values_list(f"alias{n}", named=True),
    lambda n: Book.objects.alias(**{f"alias{n}": Count("pk")}).filter(**{f"alias{n}": 1}),
]


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_names_from_users_push_out_no_query_that_is_used(face, database, library, few, times, monkeypatch):
    """What programs ask for again and again is compiled once, whatever else comes by, and is asked for twice, too."""
    database.create(Everything)
    for _ in range(2):
        for make in HOT:
            face.list(make(1))
    known = [(make(1)._shape, dict(make(1)._shape.plans)) for make in HOT]
    for n in range(60):
        for _ in range(times):
            for name in NAMED:
                face.list(name(n))
        for make, (shape, plans) in zip(HOT, known, strict=True):
            face.list(make(n))
            assert make(n)._shape is shape
            assert shape.plans == plans
    assert len(shapes._kept) <= few


@pytest.mark.vendors("sqlite")
def test_classes_of_named_rows_live_as_long_as_somebody_has_them(face, database, library, few):
    def rows(n):
        return face.list(
            Book.objects.annotate(**{f"alias{n}": F("pages")}).values_list(f"alias{n}", named=True)
        )

    held = rows("_held")[0]
    for n in range(150):
        rows(n)
    gc.collect()
    assert len(row_classes) <= few + 5
    assert type(rows("_held")[0]) is type(held)


@pytest.mark.faces("sync")
def test_options_remember_no_session_for_ever(face, database, library):
    limited = Book.objects.execution_options(yield_per=100).order_by("pk")
    engine = sa.create_engine(connections["default"].settings.url)
    for _ in range(MAX_NAMES * 2 + 5):
        with Session(engine) as session:
            assert limited.using(session).first().pk == 1
    assert len(limited._execution.names) <= MAX_NAMES
    engine.dispose()


def test_the_order_of_keywords_makes_no_shape(face, database, library, cached):
    names = {"pages__gte": 100, "title__startswith": "a", "author__name": "Bob", "publisher__name": "North"}
    found = [dict(order) for order in itertools.permutations(names.items())]
    assert len({Book.objects.filter(**keywords)._shape for keywords in found}) == 1
    assert {tuple(face.list(Book.objects.filter(**keywords).values_list("pk"))) for keywords in found} == {
        ((3,),)
    }
    before = size()
    for keywords in found:
        assert face(Book.objects.get, **keywords).title == "alp_a"
    assert size() <= before + 1


@pytest.mark.vendors("sqlite")
def test_threads_share_the_tree(database, cached, library):
    start = threading.Barrier(8)

    def work(number):
        start.wait()
        found = []
        for n in range(40):
            queryset = numbered(n % 10).filter(pages__gte=number * 10).order_by("pk")
            found.append((queryset._shape, [book.pk for book in queryset]))
        return found

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    for number, found in enumerate(results):
        expected = [pk for pk, pages in ((1, 100), (2, 200), (3, 300), (4, 0)) if pages >= number * 10]
        assert all(rows == expected for _, rows in found)
    assert len({id(shape) for found in results for shape, _ in found[10:]}) == 10


@pytest.mark.vendors("sqlite")
def test_threads_go_on_while_the_tree_is_cleared(database, cached, library):
    done = threading.Event()

    def clear():
        while not done.wait(0.001):
            shapes.clear()

    clearing = threading.Thread(target=clear)
    clearing.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda n: Book.objects.filter(pages__gte=n % 300).count(), range(400)))
    finally:
        done.set()
        clearing.join()
    assert results == [sum(pages >= n % 300 for pages in (100, 200, 300, 0)) for n in range(400)]


def test_a_model_that_comes_later_is_seen(database, cached):
    with pytest.raises(Exception, match="Cannot resolve keyword 'laterbook'"):
        Author.objects.filter(laterbook__title="x")
    with isolate_apps():

        class LaterAuthor(models.Model):
            name = models.CharField(max_length=10)

            class Meta:
                app_label = "tests"

        before = LaterAuthor.objects.filter(name="x")
        with pytest.raises(Exception, match="Cannot resolve keyword 'laterbook'"):
            LaterAuthor.objects.filter(laterbook__title="x")

        class LaterBook(models.Model):
            title = models.CharField(max_length=10)
            author = models.ForeignKey(LaterAuthor, models.CASCADE)

            class Meta:
                app_label = "tests"

        assert "laterbook" in sql_of(LaterAuthor.objects.filter(laterbook__title="x"))
        assert LaterAuthor.objects.filter(name="x")._shape is not before._shape


def test_a_lookup_that_is_registered_later_is_used(database, cached):
    class Backwards(models.Lookup):
        lookup_name = "exact"

        def compare(self, left, right, compiler):
            return left != right

    held = Author.objects.all()
    plain = sql_of(held.filter(name="x"))
    models.CharField.register_lookup(Backwards)
    try:
        assert "!=" in sql_of(Author.objects.filter(name="x"))
        assert "!=" in sql_of(held.filter(name="x"))
    finally:
        models.CharField._unregister_lookup(Backwards)
    assert sql_of(Author.objects.filter(name="x")) == plain
    assert sql_of(held.filter(name="x")) == plain


def test_settings_that_change_are_seen(database, cached):
    moments = Everything.objects.filter(datetime__hour=1)
    with configuration.override(TIME_ZONE="Europe/Vienna"):
        assert Everything.objects.filter(datetime__hour=1)._shape is not moments._shape
        vienna = Everything.objects.filter(datetime__hour=1).query.sql_with_params()
    assert Everything.objects.filter(datetime__hour=1).query.sql_with_params() != vienna


def test_without_the_cache_nothing_is_kept(database):
    with configuration.override(FACADE_SHAPE_CACHE=False):
        shapes.clear()
        assert Book.objects.filter(pages=1)._shape is not Book.objects.filter(pages=1)._shape
        assert not shapes.root(Book).children


@contextmanager
def compiling(monkeypatch):
    made = []
    original = shapes.Shape._build
    monkeypatch.setattr(
        shapes.Shape, "_build", lambda self, *args, **kw: made.append(args) or original(self, *args, **kw)
    )
    yield made


def test_a_second_call_resolves_nothing(face, database, cached, monkeypatch, library):
    def use(n):
        face.list(Book.objects.filter(pages__gte=n, title__contains=str(n)).order_by("pages")[n : n + 5])
        face(Book.objects.filter(author__name=str(n)).count)
        face(Book.objects.get_or_none, pk=n)

    use(1)
    with compiling(monkeypatch) as made:
        use(2)
    assert made == []


def test_both_faces_share_the_shapes(database, cached, library):
    here = Book.objects.filter(pages=1)._shape

    assert asyncio.run(bridge.run(lambda: Book.objects.filter(pages=2)._shape)) is here


def test_a_default_order_changed_later_is_noticed(face, database, monkeypatch):
    database.create(Publisher)
    face(Publisher.objects.bulk_create, [Publisher(name="B", city="x"), Publisher(name="A", city="y")])
    held = Publisher.objects.all()
    assert [publisher.name for publisher in face.list(Publisher.objects.all())] == ["A", "B"]
    monkeypatch.setattr(Publisher._meta, "ordering", ["city"])
    assert [publisher.name for publisher in face.list(Publisher.objects.all())] == ["B", "A"]
    assert [publisher.name for publisher in face.list(held)] == ["B", "A"]
