"""Functions and aggregates over windows of rows."""

from __future__ import annotations

import pytest

from facade.exceptions import NotSupportedError
from facade.models import (
    Avg,
    Count,
    F,
    Max,
    Q,
    RowRange,
    Sum,
    Value,
    ValueRange,
    Window,
    WindowFrame,
    WindowFrameExclusion,
)
from facade.models.functions import (
    CumeDist,
    DenseRank,
    FirstValue,
    Lag,
    LastValue,
    Lead,
    Lower,
    NthValue,
    Ntile,
    PercentRank,
    Rank,
    RowNumber,
)
from tests.models import Author, Book, Publisher

PAGES = [10, 20, 20, 30]

NO_EXCLUSION = pytest.mark.without("mariadb", reason="its window frames exclude nothing")
NO_DEFAULT = pytest.mark.without("mariadb", reason="its LAG() takes no default")


@pytest.fixture
def books(database):
    database.create(Publisher, Author, Book)
    ada, bob = Author.objects.create(name="Ada"), Author.objects.create(name="Bob")
    for number, pages in enumerate(PAGES):
        Book.objects.create(title=f"A{number}", author=ada, pages=pages)
    Book.objects.create(title="B", author=bob, pages=5)


def over(face, function, **options):
    """Return the values of a function over the books of each author, in the order of their pages and titles."""
    options = {"partition_by": "author", "order_by": ["pages", "title"], **options}
    found = Book.objects.annotate(result=Window(function, **options)).order_by("author", "pages", "title")
    return face.list(found.values_list("result", flat=True))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (RowNumber(), [1, 2, 3, 4, 1]),
        (CumeDist(), [0.25, 0.5, 0.75, 1.0, 1.0]),
        (Ntile(2), [1, 1, 2, 2, 1]),
        (FirstValue("title"), ["A0", "A0", "A0", "A0", "B"]),
        (LastValue("title"), ["A0", "A1", "A2", "A3", "B"]),
        (NthValue("title", 2), [None, "A1", "A1", "A1", None]),
        (Lag("title"), [None, "A0", "A1", "A2", None]),
        (Lag("title", 2), [None, None, "A0", "A1", None]),
        pytest.param(Lag("title", 1, Value("-")), ["-", "A0", "A1", "A2", "-"], marks=NO_DEFAULT),
        (Lead("title"), ["A1", "A2", "A3", None, None]),
        (Sum("pages"), [10, 30, 50, 80, 5]),
        (Count("*"), [1, 2, 3, 4, 1]),
        (Avg("pages"), [10.0, 15.0, 50 / 3, 20.0, 5.0]),
    ],
    ids=str,
)
def test_a_function_looks_at_the_rows_of_its_window(face, books, function, expected):
    assert (
        over(face, function) == pytest.approx(expected, rel=1e-5)
        if isinstance(function, Avg)
        else over(face, function) == expected
    )


@pytest.mark.parametrize(
    ("function", "expected"),
    [(Rank(), [1, 2, 2, 4, 1]), (DenseRank(), [1, 2, 2, 3, 1]), (PercentRank(), [0, 1 / 3, 1 / 3, 1, 0])],
    ids=str,
)
def test_ranks_are_shared(face, books, function, expected):
    assert over(face, function, order_by="pages") == pytest.approx(expected, rel=1e-5)


def test_a_window_may_be_all_rows(face, books):
    assert over(face, Max("pages"), partition_by=None, order_by=None) == [30] * 5
    assert over(face, RowNumber(), partition_by=None, order_by=["-author", "-pages", "title"]) == [
        5,
        3,
        4,
        2,
        1,
    ]


def test_partitions_and_orders_are_expressions(face, books):
    found = over(
        face,
        RowNumber(),
        partition_by=[Lower("author__name")],
        order_by=[F("pages").desc(), Lower("title").desc()],
    )
    assert found == [4, 3, 2, 1, 1]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (RowRange(), [80, 80, 80, 80, 5]),
        (RowRange(None, 0), [10, 30, 50, 80, 5]),
        (RowRange(-1, 1), [30, 50, 70, 50, 5]),
        (RowRange(0, None), [80, 70, 50, 30, 5]),
        (RowRange(1, 2), [40, 50, 30, None, None]),
        (RowRange(-2, -1), [None, 10, 30, 40, None]),
        pytest.param(
            RowRange(None, None, WindowFrameExclusion.CURRENT_ROW), [70, 60, 60, 50, None], marks=NO_EXCLUSION
        ),
        pytest.param(
            RowRange(None, None, WindowFrameExclusion.NO_OTHERS), [80, 80, 80, 80, 5], marks=NO_EXCLUSION
        ),
    ],
    ids=str,
)
def test_a_frame_says_which_rows_count(face, books, frame, expected):
    assert over(face, Sum("pages"), frame=frame) == expected


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (ValueRange(None, 0), [10, 50, 50, 80, 5]),
        (ValueRange(0, None), [80, 70, 70, 30, 5]),
        (ValueRange(0, 0), [10, 40, 40, 30, 5]),
        pytest.param(
            ValueRange(None, None, WindowFrameExclusion.GROUP), [70, 40, 40, 50, None], marks=NO_EXCLUSION
        ),
        pytest.param(
            ValueRange(None, None, WindowFrameExclusion.TIES), [80, 60, 60, 80, 5], marks=NO_EXCLUSION
        ),
    ],
    ids=str,
)
def test_a_frame_of_values_counts_equal_rows_together(face, books, frame, expected):
    assert over(face, Sum("pages"), order_by="pages", frame=frame) == expected


def test_a_window_is_filtered_over_and_compared(face, books):
    ranked = Book.objects.annotate(rank=Window(RowNumber(), partition_by="author", order_by="-pages"))
    assert [book.title for book in face.list(ranked.filter(rank=1).order_by("title"))] == ["A3", "B"]
    assert face(ranked.filter(rank__lte=2).count) == 3
    shares = ranked.annotate(longest=Window(Max("pages"), partition_by="author")).filter(pages=F("longest"))
    assert sorted(face.list(shares.values_list("title", flat=True))) == ["A3", "B"]


def test_a_window_takes_part_in_arithmetic(face, books):
    rest = Window(Max("pages"), partition_by="author") - F("pages")
    found = Book.objects.annotate(rest=rest).order_by("title").values_list("rest", flat=True)
    assert face.list(found) == [20, 10, 10, 0, 0]


@pytest.mark.vendors("postgres")
def test_postgresql_knows_no_distances_of_values(face, books):
    with pytest.raises(
        NotSupportedError, match="PostgreSQL only supports UNBOUNDED together with PRECEDING and FOLLOWING"
    ):
        over(face, Sum("pages"), order_by="pages", frame=ValueRange(-5, 5))


@pytest.mark.vendors("sqlite")
def test_a_frame_of_values_may_have_a_distance(face, books):
    assert over(face, Sum("pages"), order_by="pages", frame=ValueRange(-10, 0)) == [10, 50, 50, 70, 5]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (RowRange(1, 0), "start cannot be greater than end."),
        (RowRange("1); DROP TABLE x", 0), "start argument must be an integer, zero, or None"),
        (RowRange(0, 1.5), "end argument must be an integer, zero, or None"),
        (ValueRange(1, None), "start argument must be a negative integer, zero, or None"),
        (ValueRange(None, -1), "end argument must be a positive integer, zero, or None"),
    ],
    ids=["order", "text", "float", "following", "preceding"],
)
def test_frames_have_integers_for_ends(face, books, frame, message):
    with pytest.raises(ValueError, match=message):
        over(face, Sum("pages"), frame=frame)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Window(Lower("title")), ValueError, "isn't compatible with OVER clauses"),
        (lambda: Window(Rank(), order_by=5), ValueError, "Window.order_by must be either a string reference"),
        (
            lambda: WindowFrame(exclusion="TIES"),
            TypeError,
            "exclusion must be a WindowFrameExclusion instance",
        ),
        (lambda: Lag("title", 0), ValueError, "Lag requires a positive integer for the offset"),
        (lambda: Lead(None), ValueError, "Lead requires a non-null source expression"),
        (lambda: NthValue("title", -1), ValueError, "NthValue requires a positive integer as for nth"),
        (lambda: Ntile(0), ValueError, "num_buckets must be greater than 0"),
    ],
)
def test_what_makes_no_window_is_refused_when_written(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_window_shows_how_it_was_written():
    window = Window(Sum("pages"), partition_by="author", frame=RowRange(-1, 0, WindowFrameExclusion.TIES))
    assert repr(window) == (
        "<Window: Sum(F(pages)) OVER (PARTITION BY F(author)ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES)>"
    )


def test_groups_agree_in_what_a_window_that_is_only_asked_for_reads(face, database):
    database.create(Publisher, Author, Book)
    ada, bob = (Author.objects.create(name=name, age=age) for name, age in (("Ada", 36), ("Bob", 20)))
    for title, author in (("a", ada), ("b", ada), ("c", bob)):
        Book.objects.create(title=title, author=author, pages=1)
    ranked = Author.objects.annotate(rank=Window(Rank(), order_by="-age")).values_list("name", flat=True)
    counted = ranked.annotate(count=Count("books"))
    assert face.list(counted.filter(rank=1)) == ["Ada"]
    assert face.list(counted.filter(rank=1, count__gte=1)) == ["Ada"]
    assert sorted(face.list(counted.filter(Q(rank=1) | Q(count__gte=1)))) == ["Ada", "Bob"]
    after = Author.objects.annotate(rank=Window(Rank(), order_by="-age") + 1).annotate(count=Count("books"))
    assert sorted(face.list(after.values_list("name", "rank", "count"))) == [("Ada", 2, 2), ("Bob", 3, 1)]
