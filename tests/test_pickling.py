"""What is copied or pickled asks the same question afterwards."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
import subprocess
import sys
from decimal import Decimal

import pytest

from facade.models import (
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from facade.models.functions import Lower, RowNumber, TruncYear
from facade.sql.plan import shape
from facade.transaction import atomic
from tests.models import Author, Book, Publisher, Review


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Review)
    ada, bob = Author.objects.bulk_create([Author(name="Ada", age=36), Author(name="Bob", age=50)])
    house = Publisher.objects.create(name="House")
    Book.objects.bulk_create(
        [
            Book(title="Alpha", author=ada, pages=100, price=Decimal("1.50"), publisher=house),
            Book(title="Beta", author=ada, pages=200, published=dt.date(2020, 5, 5)),
            Book(title="Gamma", author=bob, pages=300),
        ]
    )
    Review.objects.create(book=Book.objects.get(title="Alpha"), reviewer=bob)
    return ada, bob


def again(thing):
    """Return what comes out of a pickle in a process that has not asked anything yet."""
    text = pickle.dumps(thing)
    shape.clear()
    return pickle.loads(text)


BOOKS = Book.objects.order_by("title")
LONG = Book.objects.filter(pages__gt=150)
QUESTIONS = {
    "filter": lambda: BOOKS.filter(title="Alpha"),
    "lists and None": lambda: BOOKS.filter(pages__in=[100, 300, None], published=None),
    "empty list": lambda: BOOKS.exclude(pages__in=[]),
    "out of range": lambda: BOOKS.exclude(pages__gt=2**70),
    "exclude": lambda: BOOKS.exclude(author__name="Ada"),
    "conditions": lambda: BOOKS.filter(Q(pages=100) | ~Q(author__age__lt=40, price__gte=Decimal("1.1"))),
    "slice": lambda: BOOKS[1:3],
    "reverse": lambda: BOOKS.reverse(),
    "relations": lambda: BOOKS.select_related("author").prefetch_related("review_set", Prefetch("author")),
    "prefetch": lambda: Author.objects.prefetch_related(Prefetch("books", LONG, to_attr="long")),
    "deferred": lambda: BOOKS.defer("pages"),
    "only": lambda: BOOKS.only("title"),
    "distinct": lambda: Author.objects.filter(books__pages__gt=1).distinct(),
    "annotated": lambda: Author.objects.annotate(n=Count("books", filter=Q(books__pages__gt=150))).filter(
        n=1
    ),
    "expressions": lambda: BOOKS.annotate(
        x=Case(When(pages__gt=F("author__age") * 5, then=Lower("title")), default=Value("short"))
    ).filter(x="short"),
    "window": lambda: BOOKS.annotate(n=Window(RowNumber(), partition_by="author", order_by="pages")).filter(
        n=1
    ),
    "moments": lambda: BOOKS.annotate(year=TruncYear("published")).filter(year=dt.date(2020, 1, 1)),
    "values": lambda: BOOKS.values("title", "author__name").filter(pages=100),
    "values_list": lambda: BOOKS.values_list("title", flat=True).filter(pages__lt=250),
    "named": lambda: BOOKS.values_list("title", "pages", named=True).filter(pages=100),
    "groups": lambda: Book.objects.values("author__name").annotate(n=Sum("pages")).filter(n__gt=300),
    "union": lambda: BOOKS.filter(pages=100).union(BOOKS.filter(pages=200)),
    "combined": lambda: BOOKS.filter(pages=100) | BOOKS.filter(pages=200),
    "queryset in a lookup": lambda: Author.objects.filter(books__in=LONG.filter(title="Gamma")),
    "Q with a queryset": lambda: Author.objects.filter(Q(pk__in=LONG.values("author")) & Q(age__gt=40)),
    "sliced subquery": lambda: Author.objects.filter(pk__in=LONG.order_by("-pages").values("author")[:1]),
    "Exists": lambda: Author.objects.filter(~Exists(LONG.filter(author=OuterRef("pk"), title="Gamma"))),
    "Subquery": lambda: Author.objects.annotate(
        long=Subquery(LONG.filter(author=OuterRef("pk")).order_by("title").values("title")[:1])
    ).filter(long="Beta"),
    "FilteredRelation": lambda: Author.objects.annotate(
        long=FilteredRelation("books", condition=Q(books__pages__gt=250))
    ).filter(long__isnull=False),
    "extra": lambda: BOOKS.extra(
        select={"more": "pages + %s"}, select_params=[1], where=["pages > %s"], params=[150]
    ),
    "none": lambda: BOOKS.none(),
    "dates": lambda: Book.objects.filter(pages=200).dates("published", "year"),
}


@pytest.fixture(params=QUESTIONS)
def question(request, library):
    """Return a function that makes the queryset anew."""
    return QUESTIONS[request.param]


def same_sql(one, other):
    return (one.query.is_empty and other.query.is_empty) or str(one.query) == str(other.query)


def test_a_pickled_queryset_asks_the_same(face, question, assert_queries):
    original = question()
    loaded = again(original)
    assert same_sql(loaded, question())
    with assert_queries(0):  # the rows came along
        assert face.list(loaded) == face.list(original)
    assert face.list(loaded.all()) == face.list(question())


def test_a_copied_queryset_asks_the_same(face, question):
    for copied in (copy.copy(question()), copy.deepcopy(question())):
        assert same_sql(copied, question())
        assert face.list(copied.all()) == face.list(question())


def test_a_pickled_query_is_not_asked_and_asks_the_same(face, question, assert_queries):
    original = question()
    queryset = QuerySet(original.model)
    with assert_queries(0):
        queryset.query = again(original.query)
    assert same_sql(queryset, question())
    if original._kind in ("instances", "dicts"):
        assert face.list(queryset) == face.list(question())


def test_a_pickled_lock_locks(face, library):
    locked = BOOKS.filter(pages=200).select_for_update(skip_locked=True)
    queryset = Book.objects.all()
    queryset.query = again(locked.query)
    assert same_sql(queryset, locked)
    with face.block(atomic()):
        assert [book.title for book in face.list(again(locked).filter(title="Beta"))] == ["Beta"]


def test_delete_and_update_of_a_pickled_queryset_touch_its_rows_only(face, library, database):
    assert face(again(BOOKS.filter(title="Beta")).update, pages=7) == 1
    assert face(again(BOOKS.filter(title="Beta")).delete)[0] == 1
    assert sorted(database.observe("SELECT title, pages FROM tests_book")) == [("Alpha", 100), ("Gamma", 300)]


def test_what_holds_a_queryset_can_be_pickled(face, library):
    long = LONG.filter(title="Gamma")
    assert [a.name for a in face.list(Author.objects.filter(again(Q(books__in=long))))] == ["Bob"]
    assert [
        a.name for a in face.list(Author.objects.filter(again(Exists(long.filter(author=OuterRef("pk"))))))
    ] == ["Bob"]
    titles = again(Subquery(long.filter(author=OuterRef("pk")).values("title")[:1]))
    assert face.list(Author.objects.order_by("name").values_list(titles, flat=True)) == [None, "Gamma"]
    authors = Author.objects.order_by("name").prefetch_related(again(Prefetch("books", long, to_attr="long")))
    assert [[book.title for book in author.long] for author in face.list(authors)] == [[], ["Gamma"]]


def test_querysets_of_related_managers_can_be_pickled(face, library):
    ada, _ = library
    loaded = again(ada.books.filter(pages=100))
    assert [book.title for book in face.list(loaded.all())] == ["Alpha"]
    assert face(again(ada.books.all()).count) == 2


def test_a_query_can_be_assigned(face, library):
    queryset = Book.objects.all()
    queryset.query = again(BOOKS.filter(pages=200).query)
    assert [book.title for book in face.list(queryset)] == ["Beta"]
    queryset.query = again(BOOKS.values_list("title").query)
    assert face.list(queryset)[0] == {"title": "Alpha"}
    made = QuerySet(Book, again(BOOKS.filter(pages=200).query))
    assert [book.title for book in face.list(made)] == ["Beta"]
    with pytest.raises(TypeError, match="takes the query of a queryset, not str"):
        queryset.query = "SELECT 1"


def test_what_cannot_be_carried_is_refused_when_it_is_pickled(face, library):
    class Local(Lower):
        pass

    with pytest.raises((pickle.PicklingError, AttributeError), match="Local"):
        pickle.dumps(BOOKS.annotate(low=Local("title")))


def test_querysets_of_another_version_warn(face, library):
    queryset = BOOKS.filter(pages=1)
    state = queryset.__getstate__()
    with pytest.warns(RuntimeWarning, match=r"queryset was made with facade 0\.0"):
        Book.objects.all().__setstate__({**state, "_facade_version": "0.0"})


@pytest.mark.vendors("sqlite")
def test_another_process_asks_the_same(library, database, tmp_path):
    path = tmp_path / "query"
    path.write_bytes(pickle.dumps((BOOKS.filter(title="Beta"), Exists(LONG.filter(author=OuterRef("pk"))))))
    program = f"""
import pickle, facade
facade.configure(DATABASES={{"default": {database.url!r}}})
import tests.models
from tests.models import Author
queryset, exists = pickle.load(open({str(path)!r}, "rb"))
queryset.delete()
print([a.name for a in Author.objects.filter(exists)])
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "['Bob']\n"
    assert sorted(database.observe("SELECT title FROM tests_book")) == [("Alpha",), ("Gamma",)]
