"""SQLAlchemy Core in querysets, and querysets in Core: the same rows, whichever language asks for them."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import decimal
import operator as op
import pickle

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors

from facade import configuration
from facade.exceptions import FieldError
from facade.models import Case, Count, Exists, F, OuterRef, Q, Subquery, Sum, Value, When
from facade.models.functions import Coalesce, Lower
from facade.sql.plan import plan as planning
from tests.corpus import MODELS, Album, Artist, fill
from tests.models import Author, Book, Place, Publisher, Restaurant, Review
from tests.test_sqlalchemy import url_for

author, book = Author.__table__, Book.__table__
album, artist = Album.__table__, Artist.__table__


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Review)
    people = [
        Author.objects.create(name=name, age=age) for name, age in (("Ada", 36), ("Bob", None), ("Cid", 20))
    ]
    press = Publisher.objects.create(name="Press")
    for number in range(8):
        Book.objects.create(
            title=f"T{number}",
            author=people[number % 2],
            publisher=press if number % 3 else None,
            pages=number * 10,
            price=decimal.Decimal(number) / 2,
            published=dt.date(2020, 1, number + 1) if number % 2 else None,
        )


def rows_of_core(database, face, statement):
    """Return the rows of a Core statement, run by an engine of SQLAlchemy's."""
    url = url_for(database, face)
    if not face.is_async:
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(statement)]
        finally:
            engine.dispose()

    async def run():
        engine = create_async_engine(url)
        try:
            async with engine.connect() as connection:
                return [tuple(row) for row in await connection.execute(statement)]
        finally:
            await engine.dispose()

    return face.wait(run())


@pytest.fixture
def by_core(database, face):
    """Return a function that runs Core statements, on one connection, in the database of the corpus."""
    database.create(*MODELS)
    fill()
    engine = sa.create_engine(url_for(database, face))
    with engine.connect() as connection:
        yield lambda statement: [tuple(row) for row in connection.execute(statement)]
    engine.dispose()


# -- Core in querysets ---------------------------------------------------------------------------------


def older():
    return sa.select(author.c.id).where(author.c.age > 30)


CONDITIONS = {
    "comparison": lambda: book.c.pages > 20,
    "arithmetic": lambda: book.c.pages * 2 + 1 <= 61,
    "two columns": lambda: book.c.pages >= book.c.id * 5,
    "list": lambda: book.c.title.in_(["T1", "T3", "no"]),
    "empty list": lambda: book.c.title.in_([]),
    "not in": lambda: book.c.title.not_in(["T1", "T3"]),
    "like": lambda: book.c.title.like("%3"),
    "null": lambda: book.c.published.is_(None),
    "date": lambda: book.c.published > dt.date(2020, 1, 3),
    "decimal": lambda: book.c.price.between(decimal.Decimal("0.5"), 2),
    "and, or, not": lambda: sa.or_(book.c.pages < 20, sa.and_(book.c.pages > 50, ~(book.c.title == "T6"))),
    "function": lambda: sa.func.lower(book.c.title) == "t5",
    "case": lambda: sa.case((book.c.pages > 40, "long"), else_="short") == "long",
    "subquery": lambda: book.c.author_id.in_(sa.select(author.c.id).where(author.c.age > 30)),
    "correlated": lambda: sa.exists().where(author.c.id == book.c.author_id, author.c.name == "Bob"),
    "scalar": lambda: book.c.pages > sa.select(sa.func.avg(author.c.age)).scalar_subquery(),
    "cast": lambda: sa.cast(book.c.pages, sa.String(10)) == "30",
    "derived table": lambda: book.c.author_id.in_(sa.select(older().subquery("older").c.id)),
    "common table expression": lambda: book.c.author_id.in_(sa.select(older().cte("older").c.id)),
    "function of a list": lambda: sa.func.coalesce(book.c.pages, 7).in_([10, 30]),
    "tuples": lambda: sa.tuple_(book.c.pages, book.c.title).in_([(10, "T1"), (30, "T3")]),
}
CANNOT_REPEAT_TUPLES = pytest.mark.skipif(
    Version(sa.__version__) < Version("2.0.56"),
    reason="SQLAlchemy takes a list of tuples twice from 2.0.56 on",
)


@pytest.mark.vendors("sqlite", "postgres")
def test_writes_that_a_common_table_expression_selects_are_counted(face, database, library):
    def chosen():
        books = sa.select(book.c.id).join(hers := older().cte("older"), hers.c.id == book.c.author_id)
        return Review.objects.filter(book__in=books)

    reader = Author.objects.get(name="Bob")
    Review.objects.bulk_create(Review(book=one, reviewer=reader) for one in Book.objects.all())
    assert face(chosen().update, text="read") == 4
    assert face(chosen().delete) == (4, {"tests.Review": 4})


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=CANNOT_REPEAT_TUPLES if name == "tuples" else ()) for name in CONDITIONS],
)
def test_a_condition_finds_the_rows_that_it_finds_in_core(face, database, library, name):
    condition = CONDITIONS[name]()
    wanted = rows_of_core(database, face, sa.select(book.c.title).where(condition).order_by(book.c.id))
    found = Book.objects.order_by("id").values_list("title")
    assert face.list(found.filter(condition)) == wanted
    assert face.list(found.filter(Q(condition) & Q(pages__gte=0))) == wanted
    unwanted = rows_of_core(database, face, sa.select(book.c.title).where(~condition).order_by(book.c.id))
    assert face.list(found.exclude(condition)) == unwanted
    assert face.list(found.annotate(holds=condition).filter(holds=True)) == [(*row, True) for row in wanted]


def test_a_condition_stands_in_case_in_when_and_beside_others(face, library):
    long = book.c.pages >= 60
    kinds = Book.objects.order_by("id").annotate(
        kind=Case(When(long, then=Value("long")), default=Value("short"))
    )
    assert face.list(kinds.values_list("kind", flat=True)) == ["short"] * 6 + ["long"] * 2
    assert face(Book.objects.filter(Q(long) | Q(author__name="Ada")).count) == 5
    assert face(Book.objects.filter(~Q(long)).count) == 6
    assert face(Book.objects.aggregate, n=Count("id", filter=Q(long))) == {"n": 2}


def test_values_are_computed_in_core(face, library):
    found = Book.objects.order_by("id").annotate(twice=book.c.pages * 2, small=sa.func.lower(book.c.title))
    assert face.list(found.values_list("twice", "small"))[2:4] == [(40, "t2"), (60, "t3")]
    assert face.list(found.filter(twice__gt=100).values_list("small", flat=True)) == ["t6", "t7"]
    assert face.list(found.filter(small__endswith="3").values_list("twice", flat=True)) == [60]
    assert [one.twice for one in face.list(found[:2])] == [0, 20]
    assert face.list(Book.objects.order_by("id").values_list(book.c.pages + 1, flat=True))[:2] == [1, 11]
    price = Book.objects.order_by("id").annotate(
        p=book.c.price, c=Coalesce(book.c.published, dt.date(2000, 1, 1))
    )
    assert face.list(price.values_list("p", "c"))[:2] == [
        (decimal.Decimal("0.00"), dt.date(2000, 1, 1)),
        (decimal.Decimal("0.50"), dt.date(2020, 1, 2)),
    ]
    mixed = Book.objects.annotate(sum=F("pages") + book.c.id, low=Lower(book.c.title)).order_by("id")
    first = face.list(mixed)[0]
    assert (first.sum, first.low) == (first.pages + first.id, "t0")


def test_orders(face, library):
    def titles(*order):
        return face.list(Book.objects.order_by(*order).values_list("title", flat=True))

    assert titles(book.c.pages.desc())[:2] == ["T7", "T6"]
    assert titles(book.c.pages % 20, -book.c.pages)[:2] == ["T6", "T4"]
    assert titles(book.c.published.desc().nulls_last(), "title")[:5] == ["T7", "T5", "T3", "T1", "T0"]
    assert titles(book.c.published.asc().nulls_first(), book.c.title)[-1] == "T7"


def test_groups_and_aggregates(face, library):
    counts = Book.objects.values("author__name").annotate(
        n=sa.func.count(book.c.id), most=sa.func.max(book.c.pages)
    )
    assert face.list(counts.order_by("author__name").values_list("author__name", "n", "most")) == [
        ("Ada", 4, 60),
        ("Bob", 4, 70),
    ]
    assert face(Book.objects.aggregate, total=sa.func.sum(book.c.pages), n=Count("id")) == {
        "total": 280,
        "n": 8,
    }
    by_length = Book.objects.values(long=book.c.pages > 40).annotate(n=Count("id")).order_by("long")
    assert [(bool(row["long"]), row["n"]) for row in face.list(by_length)] == [(False, 5), (True, 3)]
    assert face(Book.objects.aggregate, total=Sum(book.c.pages * 2)) == {"total": 560}


def test_the_right_side_of_a_lookup(face, library):
    assert face(Book.objects.filter(pages=book.c.id * 10 - 10).count) == 8
    assert face(Book.objects.filter(title__iexact=sa.func.lower(book.c.title)).count) == 8
    oldest = sa.select(sa.func.max(author.c.age))
    assert face(Author.objects.get, age=oldest).name == "Ada"
    assert (
        face(Author.objects.filter(pk__in=sa.select(book.c.author_id).where(book.c.pages > 60)).get).name
        == "Bob"
    )
    assert face(Author.objects.filter(books__pages__gt=sa.literal(60)).get).name == "Bob"


def test_lists_and_ranges_hold_expressions(face, library):
    def titles(**lookups):
        return face.list(Book.objects.filter(**lookups).order_by("id").values_list("title", flat=True))

    assert titles(pages__in=[book.c.id * 10 - 10, 3]) == [f"T{number}" for number in range(8)]
    assert titles(pages__in=(book.c.author_id * 5, 30, None)) == ["T1", "T3"]
    assert titles(id__in={sa.select(sa.func.max(book.c.id)).scalar_subquery(), 3}) == ["T2", "T7"]
    assert titles(title__in=[sa.func.upper("t4"), "T5"]) == ["T4", "T5"]
    assert titles(pages__range=(book.c.id * 9, 40)) == []
    assert titles(pages__range=(30, book.c.id * 10)) == ["T3", "T4", "T5", "T6", "T7"]
    assert titles(
        published__range=(dt.date(2020, 1, 5), sa.func.coalesce(book.c.published, dt.date(2020, 1, 1)))
    ) == ["T5", "T7"]
    assert face(Book.objects.exclude(pages__in=[book.c.id * 10 - 10, 3]).count) == 0
    with pytest.raises(FieldError, match=r"author\.age is not one of Book's"):
        Book.objects.filter(pages__in=[author.c.age, 3])
    with pytest.raises(TypeError, match="TextClause is no Core expression"):
        Book.objects.filter(pages__in=[sa.text("1"), 3])


def test_subqueries_call_the_table_by_another_name(face, library):
    longest = Book.objects.filter(book.c.pages < 70, author=OuterRef("pk")).order_by(book.c.pages.desc())
    found = Author.objects.order_by("id").annotate(
        most=Subquery(longest.values("pages")[:1]),
        any=Exists(Book.objects.filter(book.c.pages > 60, author=OuterRef("pk"))),
    )
    assert face.list(found.values_list("most", "any")) == [(60, False), (50, True), (None, False)]
    same = Book.objects.filter(pk__in=Book.objects.filter(book.c.pages > 50).values("pk")).filter(
        book.c.title != "T6"
    )
    assert face.list(same.values_list("title", flat=True)) == ["T7"]
    wrote = Book.objects.filter(
        author__in=Author.objects.filter(
            sa.exists().where(book.c.author_id == author.c.id, book.c.pages > 60)
        )
    )
    assert face(wrote.count) == 4
    both = Book.objects.filter(book.c.pages > 60).union(Book.objects.filter(book.c.pages < 10))
    assert sorted(one.title for one in face.list(both)) == ["T0", "T7"]
    assert face((Book.objects.filter(book.c.pages > 60) | Book.objects.filter(book.c.pages < 10)).count) == 2


def test_update_and_delete(face, library):
    assert (
        face(
            Book.objects.filter(book.c.pages > 50).update,
            pages=book.c.pages + 1,
            title=sa.func.lower(book.c.title),
        )
        == 2
    )
    assert face.list(Book.objects.filter(pages__gt=50).order_by("id").values_list("title", "pages")) == [
        ("t6", 61),
        ("t7", 71),
    ]
    assert face(Book.objects.filter(book.c.pages > 50).delete)[0] == 2
    assert face(Book.objects.count) == 6


def test_columns_of_a_parents_table_join_it(face, database):
    database.create(Author, Place, Restaurant)
    face(Restaurant.objects.create, name="Ada's", address="1 Street", serves_pizza=True)
    face(Restaurant.objects.create, name="Bob's", address="2 Street", serves_pizza=False)
    place, restaurant = Place.__table__, Restaurant.__table__
    found = face.list(Restaurant.objects.filter(place.c.name == "Ada's", restaurant.c.serves_pizza))
    assert [one.name for one in found] == ["Ada's"]


# -- shapes ------------------------------------------------------------------------------------------


def test_a_queryset_with_core_is_compiled_once(face, library, monkeypatch):
    made = []
    make = planning._make_plan
    monkeypatch.setattr(
        planning, "_make_plan", lambda *args, **options: made.append(args) or make(*args, **options)
    )

    def ask(low, names):
        found = Book.objects.filter(book.c.pages > low, book.c.title.in_(names)).annotate(
            x=book.c.pages + low
        )
        return face.list(found.order_by(book.c.id.desc()).values_list("title", "x"))

    with configuration.override(FACADE_SHAPE_CACHE=True):
        assert ask(10, ["T2", "T3"]) == [("T3", 40), ("T2", 30)]
        compiled = len(made)
        assert ask(20, ["T3"]) == [("T3", 50)]
        assert ask(30, ["T4", "T5", "T6"]) == [("T6", 90), ("T5", 80), ("T4", 70)]
        assert len(made) == compiled


def test_what_is_kept_of_a_queryset_has_none_of_its_values(library):
    with configuration.override(FACADE_SHAPE_CACHE=True):
        found = Book.objects.filter(book.c.title.in_(["secret"]), book.c.pages + 3 > sa.literal(7) * 9)
        ((_, (condition, *_), *_),) = [key for key, _ in found._shape.steps()]
        kept = [
            item.value for item in visitors.iterate(condition.element) if isinstance(item, sa.BindParameter)
        ]
        assert kept == [None]
        assert found._args[0] == ["secret"]


# -- what is refused ----------------------------------------------------------------------------------


def test_what_has_no_place_in_a_queryset_is_refused(face, library, assert_queries):
    with assert_queries(0):
        with pytest.raises(FieldError, match=r"author\.name is not one of Book's: name it by its path"):
            Book.objects.filter(author.c.name == "Ada")
        with pytest.raises(TypeError, match="TextClause is no Core expression that has a value"):
            Book.objects.filter(sa.text("1 = 1"))
        with pytest.raises(TypeError, match="Table is no Core expression"):
            Book.objects.annotate(x=book)
        with pytest.raises(TypeError, match="non-conditional"):
            Book.objects.filter(book.c.pages)
        with pytest.raises(TypeError, match=r"bindparam\('low'\) has no value"):
            Book.objects.filter(book.c.pages > sa.bindparam("low"))
        with pytest.raises(TypeError, match="A Core expression cannot be pickled"):
            pickle.dumps(Book.objects.filter(book.c.pages > 3).query)
        assert len(copy.deepcopy(Q(book.c.pages > 3))) == 1


# -- querysets in Core -----------------------------------------------------------------------------------

QUERYSETS = {
    "objects": lambda: Book.objects.order_by("id"),
    "filter": lambda: Book.objects.filter(pages__gt=20, title__startswith="T").order_by("id"),
    "joins": lambda: Book.objects.filter(author__name="Ada").select_related("author").order_by("id"),
    "outer join": lambda: Book.objects.filter(Q(publisher__name="Press") | Q(pages=0)).order_by("id"),
    "exclude": lambda: Author.objects.exclude(books__pages__gt=60).order_by("id"),
    "list": lambda: Book.objects.filter(title__in=["T1", "T2"]).order_by("id"),
    "empty list": lambda: Book.objects.filter(title__in=[]).order_by("id"),
    "none": lambda: Book.objects.none(),
    "none of values": lambda: Book.objects.none().values_list("title", "pages"),
    "slice": lambda: Book.objects.order_by("-pages")[2:5],
    "values": lambda: Book.objects.order_by("id").values_list("title", "author__name"),
    "annotations": lambda: (
        Book.objects.order_by("id").annotate(x=F("pages") * 2, l=Lower("title")).values_list("x", "l")
    ),
    "groups": lambda: (
        Book.objects.values_list("author").annotate(n=Count("id"), s=Sum("price")).order_by("author")
    ),
    "distinct": lambda: Book.objects.values_list("author__name").distinct().order_by("author__name"),
    "subquery": lambda: (
        Author.objects.order_by("id")
        .annotate(
            n=Subquery(Book.objects.filter(author=OuterRef("pk")).order_by("-pages").values("pages")[:1])
        )
        .values_list("name", "n")
    ),
    "union": lambda: (
        Book.objects.filter(pages=0)
        .values_list("title")
        .union(Book.objects.filter(pages=70).values_list("title"))
    ),
    "core": lambda: (
        Book.objects.filter(book.c.pages > 30).order_by(book.c.id.desc()).values_list(book.c.pages + 1)
    ),
    "dates": lambda: (
        Book.objects.filter(published__year=2020).order_by("id").values_list("published", "price")
    ),
    "extremes": lambda: Book.objects.filter(pages__lt=10**30).order_by("id").values_list("title"),
}


@pytest.mark.parametrize("name", QUERYSETS)
def test_the_statement_of_a_queryset_has_its_rows(face, database, library, name):
    queryset = QUERYSETS[name]()
    found = face.list(queryset)
    if found and not isinstance(found[0], tuple):
        names = [field.attname for field in found[0]._meta.concrete_fields]
        found = [tuple(getattr(one, name) for name in names) for one in found]
        rows = [row[: len(names)] for row in rows_of_core(database, face, queryset.statement)]
    else:
        rows = rows_of_core(database, face, queryset.statement)
    assert sorted(rows, key=repr) == sorted(found, key=repr) if name == "union" else rows == found


def test_a_queryset_is_a_part_of_a_core_statement(face, database, library):
    wrote = Book.objects.filter(pages__gt=60).values("author")
    statement = sa.select(author.c.name).where(
        author.c.id.in_(wrote), author.c.id.in_(wrote.filter(pages__lt=80))
    )
    assert rows_of_core(database, face, statement) == [("Bob",)]
    assert rows_of_core(database, face, Author.objects.filter(name="Ada").values_list("age").statement) == [
        (36,)
    ]
    inner = Book.objects.filter(pages__gt=50).values("title", "pages").statement.subquery()
    assert rows_of_core(database, face, sa.select(sa.func.max(inner.c.pages))) == [(70,)]


@pytest.mark.faces("sync")
def test_a_session_executes_a_queryset(database, face, library):
    engine = sa.create_engine(url_for(database, face))
    with Session(engine) as session:
        assert session.execute(Book.objects.filter(pages=70).values("title")).scalar_one() == "T7"
        assert session.scalars(Author.objects.filter(name="Ada").values_list("age")).all() == [36]
    engine.dispose()


def test_a_statement_needs_no_event_loop_and_asks_nothing(library, assert_queries):
    async def inside():
        return str(Book.objects.filter(title__in=["a", "b"], pages__gt=3).query)

    with assert_queries(0):
        assert "IN (a, b)" in asyncio.run(inside())
        assert "pages" in str(Book.objects.filter(book.c.pages.in_([1, 2])).query)
        assert "IN (1, 2)" in str(Book.objects.filter(book.c.pages.in_([1, 2])).query)


# -- objects from statements -----------------------------------------------------------------------------


def test_objects_from_a_statement(face, library, assert_queries):
    statement = (
        sa.select(book, author.c.name.label("by"), (book.c.price * 2).label("double"))
        .join(author, author.c.id == book.c.author_id)
        .where(book.c.title.in_(["T1", "T2"]), book.c.pages > 5)
        .order_by(book.c.id)
    )
    with assert_queries(1):
        found = face.list(Book.objects.from_statement(statement))
    assert [(one.title, one.by, one.double, one.published) for one in found] == [
        ("T1", "Bob", decimal.Decimal("1.00"), dt.date(2020, 1, 2)),
        ("T2", "Ada", decimal.Decimal("2.00"), None),
    ]
    with assert_queries(2):
        found = face.list(Book.objects.prefetch_related("author").from_statement(statement))
        assert [one.author.name for one in found] == ["Bob", "Ada"]
    bare = face.list(
        Book.objects.from_statement(sa.select(book.c.id).where(book.c.pages < 20).order_by(book.c.id))
    )
    assert [(one.pk, "title" in one.get_deferred_fields()) for one in bare] == [(1, True), (2, True)]
    text = sa.text("SELECT id, title, 5 AS five FROM tests_book WHERE pages > :low ORDER BY id").bindparams(
        low=50
    )
    assert [(one.title, one.five) for one in face.list(Book.objects.from_statement(text))] == [
        ("T6", 5),
        ("T7", 5),
    ]
    assert [
        one.pk for one in face.list(Book.objects.from_statement(Book.objects.filter(title="T7").statement))
    ] == [8]
    with assert_queries(0), pytest.raises(TypeError, match=r"SQL as text is for raw\(\)"):
        Book.objects.from_statement("SELECT 1")


# -- whatever Core writes ---------------------------------------------------------------------------------

numbers = st.sampled_from([album.c.copies, album.c.id, album.c.artist_id]) | st.integers(-50, 50).map(
    sa.literal
)
texts = st.sampled_from([album.c.title, sa.func.upper(album.c.title)]) | st.text("AaLl%_1", max_size=3).map(
    sa.literal
)
sums = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.builds(lambda one, other: one + other, inner, inner),
        st.builds(lambda one, other: one - other, inner, inner),
        st.builds(lambda one, factor: one * factor, inner, st.integers(-3, 3)),
        st.builds(lambda one, other: sa.case((one > other, one), else_=other), inner, inner),
        inner.map(sa.func.abs),
    ),
    max_leaves=4,
)
conditions = st.recursive(
    st.one_of(
        st.builds(
            lambda compare, one, other: compare(one, other),
            st.sampled_from([op.lt, op.ge, op.eq, op.ne]),
            sums,
            sums,
        ),
        st.builds(
            lambda text, start: text.startswith(start, autoescape=True), texts, st.text("AaLl%_", max_size=2)
        ),
        st.builds(lambda number, values: number.in_(values), sums, st.lists(st.integers(0, 50), max_size=4)),
        st.just(album.c.released.is_not(None)),
        st.builds(
            lambda low: album.c.artist_id.in_(sa.select(artist.c.id).where(artist.c.rating > low)),
            st.integers(0, 4),
        ),
    ),
    lambda inner: st.one_of(
        st.builds(lambda one, other: one & other, inner, inner),
        st.builds(lambda one, other: one | other, inner, inner),
        inner.map(op.inv),
    ),
    max_leaves=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(condition=conditions, value=sums, order=sums)
@pytest.mark.faces("sync")
def test_any_expression_gives_what_it_gives_in_core(face, database, by_core, condition, value, order):
    ordered = ((order + album.c.id * 0).desc(), album.c.id)  # MariaDB takes a mere number for a position
    wanted = by_core(sa.select(album.c.id, value).where(condition).order_by(*ordered))
    found = (
        Album.objects.filter(condition).order_by(*ordered).annotate(value=value).values_list("id", "value")
    )
    assert face.list(found) == wanted
    assert by_core(found.statement) == wanted
    inside = (
        Album.objects.filter(pk__in=Album.objects.filter(condition))
        .order_by(*ordered)
        .values_list("id", flat=True)
    )
    assert face.list(inside) == [key for key, _ in wanted]
