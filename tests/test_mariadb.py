"""What is MariaDB's own: its roads through pymysql and asyncmy, its errors, its habits."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
import time
import uuid
from contextlib import closing, suppress
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from facade import CaptureQueriesContext, atomic, connections, models, timezone
from facade.configuration import configure
from facade.exceptions import (
    DeadlockDetected,
    IntegrityError,
    OperationalError,
    TransactionManagementError,
    UnsupportedFeature,
)
from facade.meta.registry import isolate_apps
from facade.models import Avg, Case, Count, ExpressionWrapper, F, Max, Prefetch, Q, Sum, Value, When, Window
from facade.models.functions import (
    Cast,
    Chr,
    Concat,
    ExtractDay,
    ExtractHour,
    Lag,
    RowNumber,
    TruncDate,
    TruncDay,
    TruncHour,
    TruncMonth,
)
from tests.models import Author, Book, Category, Place, Profile, Publisher, Restaurant, Review

pytestmark = pytest.mark.vendors("mariadb")


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Profile, Category, Review, Place, Restaurant)
    north = Publisher.objects.create(name="North", city="Oslo")
    ada = Author.objects.create(name="Ada", age=36)
    bob = Author.objects.create(name="Bob", age=50)
    for title, author, pages in (("Alpha", ada, 100), ("Beta", ada, 200), ("Gamma", bob, 300)):
        Book.objects.create(
            title=title,
            author=author,
            publisher=north,
            pages=pages,
            price="9.50",
            published=dt.date(2002, 5, pages // 100),
        )
    return ada, bob


def titles(face, queryset):
    return sorted(book.title for book in face.list(queryset))


def test_each_face_has_its_driver(face, database, library):
    assert face(Author.objects.count) == 2
    lender = connections["default"].lender
    assert lender.dialect.driver == ("asyncmy" if face.is_async else "pymysql")
    assert connections["default"].vendor == "mysql"


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"title": "Alpha"}, ["Alpha"]),
        ({"title__contains": "lph"}, ["Alpha"]),
        ({"title__icontains": "A"}, ["Alpha", "Beta", "Gamma"]),
        ({"title__startswith": "%"}, []),
        ({"title__in": ["Alpha", "Beta"]}, ["Alpha", "Beta"]),
        ({"title__in": []}, []),
        ({"pages__range": (100, 200)}, ["Alpha", "Beta"]),
        ({"pages__in": list(range(5000))}, ["Alpha", "Beta", "Gamma"]),
        ({"pages": 2**70}, []),
        ({"published__year": 2002, "published__day__gt": 1}, ["Beta", "Gamma"]),
        ({"price": Decimal("9.50")}, ["Alpha", "Beta", "Gamma"]),
        ({"author__name": "Ada"}, ["Alpha", "Beta"]),
        ({"publisher__isnull": True}, []),
        ({"pages__gt": F("author__age") * 4}, ["Beta", "Gamma"]),
    ],
)
def test_conditions(face, library, lookups, expected, assert_queries):
    assert titles(face, Book.objects.filter(**lookups)) == expected
    rest = sorted({"Alpha", "Beta", "Gamma"} - set(expected))
    assert titles(face, Book.objects.exclude(**lookups)) == rest


def test_orders_slices_and_values(face, library):
    books = Book.objects.order_by("-pages")
    assert [book.title for book in face.list(books[1:])] == ["Beta", "Alpha"]
    assert [book.title for book in face.list(books[1:2])] == ["Beta"]
    assert face.list(books.values_list("title", flat=True)) == ["Gamma", "Beta", "Alpha"]
    row = face(books.values("price", "published").last)
    assert row == {"price": Decimal("9.50"), "published": dt.date(2002, 5, 1)}


def test_relations(face, library, assert_queries):
    with assert_queries(1):
        found = face.list(Book.objects.select_related("author", "publisher").order_by("title"))
        assert [(book.author.name, book.publisher.name) for book in found][::2] == [
            ("Ada", "North"),
            ("Bob", "North"),
        ]
    longest = Prefetch("books", Book.objects.order_by("-pages"))
    with assert_queries(2):
        authors = face.list(Author.objects.prefetch_related(longest).order_by("name"))
        assert [[book.title for book in author.books.all()] for author in authors] == [
            ["Beta", "Alpha"],
            ["Gamma"],
        ]


def test_annotations_and_aggregates(face, library):
    found = face(
        Book.objects.aggregate, n=Count("id"), total=Sum("pages"), mean=Avg("pages"), top=Max("price")
    )
    assert found == {"n": 3, "total": 600, "mean": 200.0, "top": Decimal("9.50")}
    assert [type(value) for value in found.values()] == [int, int, float, Decimal]
    authors = Author.objects.annotate(n=Count("books", filter=Q(books__pages__gt=100))).order_by("name")
    assert [author.n for author in face.list(authors)] == [1, 1]
    size = Case(When(pages__gt=150, then=Value("long")), default=Value("short"))
    assert [book.size for book in face.list(Book.objects.annotate(size=size).order_by("pages"))] == [
        "short",
        "long",
        "long",
    ]


def test_rows_are_written(face, library, assert_queries):
    with assert_queries(1):
        cyd = face(Author.objects.create, name="Cyd ü 🎈", age=1)
    assert cyd.pk
    cyd.age = 2
    face(cyd.save)
    assert face(Author.objects.filter(pk=cyd.pk).update, age=F("age") + 1) == 1
    face(cyd.refresh_from_db)
    assert (cyd.name, cyd.age) == ("Cyd ü 🎈", 3)
    made = face(Author.objects.bulk_create, [Author(name=f"{i}") for i in range(5)])
    assert len({author.pk for author in made}) == 5
    found, created = face(Category.objects.get_or_create, name="x")
    assert created
    assert face(Category.objects.get_or_create, name="x") == (found, False)
    with pytest.raises(IntegrityError):
        face(Category.objects.create, name="x")
    assert face(cyd.delete) == (1, {"tests.Author": 1})
    assert face(Author.objects.filter(name="Ada").delete)[0] == 3


def test_blocks_and_savepoints(face, database, library):
    with pytest.raises(LookupError), face.block(atomic()):
        face(Author.objects.update, age=0)
        raise LookupError
    with face.block(atomic()):
        face(Author.objects.filter(name="Ada").update, age=1)
        with pytest.raises(LookupError), face.block(atomic()):
            face(Author.objects.update, age=2)
            raise LookupError
    assert database.observe("SELECT age FROM tests_author ORDER BY id") == [(1,), (50,)]


def test_streams(face, library):
    Author.objects.bulk_create([Author(name=f"{number}") for number in range(2500)])
    seen = 0
    for author in face.iterate(Author.objects.order_by("pk").iterator, 100):
        seen += 1
        if seen % 1000 == 0:
            assert face(Author.objects.filter(pk=author.pk).exists)
    assert seen == 2502


def test_rows_are_locked(face, library):
    ada, _ = library
    with face.block(atomic()):
        assert face(Author.objects.select_for_update().get, pk=ada.pk) == ada


# -- what MariaDB does otherwise than the others ----------------------------------------------------------


class Paper(models.Model):
    b = models.CharField(max_length=40, default="")
    a = models.CharField(max_length=40, default="")
    number = models.IntegerField(default=0)
    size = models.PositiveIntegerField(default=0)
    huge = models.PositiveBigIntegerField(default=0)
    data = models.JSONField(null=True)
    at = models.DateTimeField(null=True)
    took = models.DurationField(null=True)
    code = models.UUIDField(null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def papers(database):
    database.create(Paper)
    return Paper.objects


def test_a_block_that_only_reads_stores_nothing(face, papers):
    with pytest.raises(OperationalError, match="READ ONLY"), face.block(atomic(read_only=True)):
        face(papers.create)
    with face.block(atomic()):
        face(papers.create)
    assert face(papers.count) == 1


def test_a_deadlock_ends_the_block_that_goes_on(face, database, papers):
    first, second = papers.create(a="first"), papers.create(a="second")
    with closing(database.home.connect("default")) as rival, rival.cursor() as cursor:
        cursor.execute("SET innodb_lock_wait_timeout = 5")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("BEGIN")
        # The one that has changed more rows wins.
        cursor.execute(
            "INSERT INTO tests_paper (a, b, number, size, huge) VALUES "
            + ", ".join(["('', '', 0, 0, 0)"] * 50)
        )
        cursor.execute(f"UPDATE tests_paper SET number = 7 WHERE id = {second.pk}")
        with pytest.raises(TransactionManagementError), face.block(atomic()):
            face(papers.filter(pk=first.pk).update, number=1)
            wait = threading.Thread(
                target=cursor.execute, args=(f"UPDATE tests_paper SET number = 7 WHERE id = {first.pk}",)
            )
            wait.start()
            time.sleep(0.3)
            with suppress(DeadlockDetected):
                face(papers.filter(pk=second.pk).update, number=1)
                pytest.fail("no deadlock")
            face(papers.create, a="alone")  # would be committed without the rest
        wait.join()
        cursor.execute("ROLLBACK")
    assert database.observe("SELECT a, number FROM tests_paper ORDER BY id") == [("first", 0), ("second", 0)]


def test_sessions_read_what_is_committed(face, database, papers):
    def level():
        return face.list(papers.raw("SELECT 1 AS id, @@tx_isolation AS level"))[0].level

    assert level() == "READ-COMMITTED"
    with face.block(atomic()):
        assert level() == "READ-COMMITTED"
        assert face(papers.count) == 0
        database.observe("INSERT INTO tests_paper (a, b, number, size, huge) VALUES ('', '', 0, 0, 0)")
        assert face(papers.count) == 1
    with face.block(atomic(isolation_level="REPEATABLE READ")):
        assert level() == "REPEATABLE-READ"
    configure(DATABASES={"default": {"URL": database.url, "OPTIONS": {"isolation_level": None}}})
    assert level() == "REPEATABLE-READ"


@pytest.mark.parametrize("key", ["ß", "é", "🎈", "a\nb", '"', "\\", "\t", "\x01", "a.b", "$", "%"])
@pytest.mark.parametrize("escaped", [True, False])
def test_keys_of_any_letters_are_found(face, database, papers, key, escaped):
    papers.create(data={"other": 1})
    document = json.dumps({key: {key: 1, "t": "txt"}}, ensure_ascii=escaped)
    with closing(database.home.connect("default")) as connection, connection.cursor() as cursor:
        sql = "INSERT INTO tests_paper (a, b, number, size, huge, data) VALUES ('it', '', 0, 0, 0, %s)"
        cursor.execute(sql, (document,))
    for lookup in (
        {f"data__{key}__isnull": False},
        {f"data__{key}__{key}": 1},
        {f"data__{key}__t": "txt"},
        {f"data__{key}__has_key": key},
        {"data__has_key": key},
        {"data__has_keys": [key]},
        {"data__has_any_keys": [key, "nothing"]},
    ):
        assert face.list(papers.filter(**lookup).values_list("a", flat=True)) == ["it"], lookup
    assert face(papers.exclude(data__has_key=key).count) == 1


def test_documents_that_are_no_objects_have_no_keys(face, papers):
    papers.bulk_create([Paper(data=value) for value in ([1], "text", {"b": 1}, None)])
    for lookup in (
        {"data__has_key": "a"},
        {"data__has_keys": ["a", "c"]},
        {"data__has_any_keys": ["a", "c"]},
    ):
        assert face(papers.exclude(**lookup).count) == 4
        assert face(papers.filter(**lookup).count) == 0


def test_no_document_is_neither_known_to_have_keys_nor_to_lack_them(face, papers):
    papers.create(a="it")
    for lookup in ({"data__has_key": "a"}, {"data__has_keys": ["a"]}, {"data__has_any_keys": ["a"]}):
        assert face(papers.filter(Q(**lookup) ^ Q(a="it")).count) == 0


def test_documents_are_in_a_list_as_a_whole(face, papers):
    values = ["x", {"a": 1}, [1, 2], {}, [], [1], "xx", 1, "ß", ["ß"]]
    papers.bulk_create([Paper(data=value) for value in values])
    found = papers.filter(data__in=["x", {"a": 1}, [1, 2], "ß"]).order_by("pk")
    assert face.list(found.values_list("data", flat=True)) == ["x", {"a": 1}, [1, 2], "ß"]


def test_all_assignments_read_the_row_as_it_was(face, papers):
    paper = papers.create(a="a", b="b")
    pair = papers.values_list("a", "b")
    face(papers.update, b=F("a"), a="new")
    assert face(pair.get) == ("new", "a")
    face(papers.update, a="newer", b=F("a"))
    assert face(pair.get) == ("newer", "new")
    assert face(papers.filter(a="newer").update, a=F("b"), b=F("a")) == 1
    assert face(pair.get) == ("new", "newer")
    paper.a, paper.b = F("b"), F("a")
    face(paper.save)
    assert face(pair.get) == ("newer", "new")
    paper.a, paper.b = "last", F("a")
    face(papers.bulk_update, [paper], ["a", "b"])
    assert face(pair.get) == ("last", "newer")


def test_rows_are_updated_in_the_order_that_was_asked_for(face, papers, database):
    papers.bulk_create([Paper(number=number) for number in range(4)])
    database.observe("ALTER TABLE tests_paper ADD UNIQUE (number)")
    assert face(papers.order_by("-number").update, number=F("number") + 1) == 4
    with pytest.raises(IntegrityError):
        face(papers.order_by("number").update, number=F("number") + 1)


def test_columns_without_a_sign_hold_their_whole_range(face, papers):
    paper = face(papers.create, size=2**32 - 1, huge=2**64 - 1)
    assert face(papers.get, size=2**32 - 1, huge=2**64 - 1) == paper
    assert face(papers.filter(huge__in=[2**64 - 1, 2**70]).count) == 1
    assert face(papers.filter(huge__lt=2**64).count) == 1
    assert face(papers.filter(huge__gt=2**64).count) == 0


def test_bits_have_a_sign(face, papers):
    papers.create(number=-5)
    bits = papers.values_list(
        F("number").bitand(-2), F("number").bitor(8), F("number").bitxor(1), F("number").bitleftshift(1),
        F("number").bitrightshift(1),
    )  # fmt: skip
    assert face(bits.get) == (-6, -5, -6, -10, -3)
    face(papers.update, number=F("number").bitor(8))


def test_nulls_come_where_they_are_wanted(face, papers):
    papers.bulk_create(
        [Paper(a="1", took=None), Paper(a="2", took=dt.timedelta(1)), Paper(a="3", took=dt.timedelta(2))]
    )
    for order, expected in (
        (F("took").asc(nulls_first=True), "123"),
        (F("took").asc(nulls_last=True), "231"),
        (F("took").desc(nulls_first=True), "132"),
        (F("took").desc(nulls_last=True), "321"),
    ):
        assert "".join(face.list(papers.order_by(order).values_list("a", flat=True))) == expected
        numbered = papers.annotate(n=Window(RowNumber(), order_by=order)).order_by("n")
        assert "".join(face.list(numbered.values_list("a", flat=True))) == expected


MOMENTS = [(1893, 1, 1), (1916, 6, 1), (1950, 7, 1), (1980, 7, 1), (2024, 7, 1), (2039, 7, 1), (2090, 1, 5)]


@pytest.mark.parametrize("zone", ["Europe/Vienna", "America/New_York", "Asia/Kathmandu", "Pacific/Apia"])
def test_clocks_of_a_zone_need_no_tables_of_the_server(face, papers, zone):
    tzinfo = ZoneInfo(zone)
    moments = [dt.datetime(*day, 23, 30, tzinfo=dt.UTC) for day in MOMENTS]
    papers.bulk_create([Paper(at=moment) for moment in moments])
    rows = papers.order_by("pk").values_list(
        ExtractHour("at", tzinfo=tzinfo), TruncDate("at", tzinfo=tzinfo), TruncDay("at", tzinfo=tzinfo)
    )
    local = [moment.astimezone(tzinfo) for moment in moments]
    midnight = {"hour": 0, "minute": 0, "second": 0}
    assert face.list(rows) == [(clock.hour, clock.date(), clock.replace(**midnight)) for clock in local]
    with timezone.override(tzinfo):
        assert face(papers.filter(at__date=local[2].date()).count) == 1


@pytest.mark.parametrize("zone", [dt.UTC, ZoneInfo("Europe/Vienna")])
def test_statements_grow_with_truncations_no_faster_than_they_are_nested(face, papers, zone):
    moment = dt.datetime(2024, 8, 31, 23, 30, tzinfo=dt.UTC)
    papers.bulk_create([Paper(at=moment), Paper()])
    cut, lengths = F("at"), []
    for truncation in (TruncHour, TruncDay, TruncMonth, TruncDay, TruncDay):
        cut = truncation(cut, tzinfo=zone)
        with CaptureQueriesContext(connections["default"]) as captured:
            found = face.list(papers.order_by("pk").values_list(cut, ExtractDay(cut, tzinfo=zone)))
        lengths.append(len(captured[0]["sql"]))
    first = moment.astimezone(zone).replace(day=1, hour=0, minute=0)
    assert found == [(first, 1), (None, None)]
    grown = [longer - shorter for shorter, longer in itertools.pairwise(lengths)]
    assert max(grown[1:]) < 1.1 * grown[1]
    assert face(
        papers.filter(at__lt=moment + dt.timedelta(1)).aggregate, day=TruncDay(Max("at"), tzinfo=zone)
    ) == {"day": moment.astimezone(zone).replace(hour=0, minute=0)}


def test_lengths_of_time_are_added_up(face, papers):
    papers.bulk_create([Paper(took=dt.timedelta(seconds=seconds)) for seconds in (1, 2, 6)])
    found = face(papers.aggregate, total=Sum("took"), mean=Avg("took"))
    assert found == {"total": dt.timedelta(seconds=9), "mean": dt.timedelta(seconds=3)}


def test_means_of_lengths_of_time_are_whole_microseconds(face, papers):
    papers.bulk_create([Paper(took=dt.timedelta(microseconds=length)) for length in (2, 3)])
    mean = dt.timedelta(microseconds=3)  # as the server rounds 2.5
    assert face(papers.aggregate, mean=Avg("took"))["mean"] == mean
    groups = papers.values("number").annotate(mean=Avg("took"), total=Sum("took"))
    assert face.list(groups.filter(mean=mean, total=2 * mean - dt.timedelta(microseconds=1)))
    assert not face.list(groups.filter(mean__lt=mean))
    assert face.list(papers.annotate(mean=Window(Avg("took"))).values_list("mean", flat=True)) == [mean, mean]


def test_a_day_and_a_duration_make_a_clock_whether_the_day_is_stored_or_given(face, library):
    day, hour = dt.date(2002, 5, 1), dt.timedelta(hours=1)
    for left in (F("published"), Value(day)):
        made = [
            ExpressionWrapper(sum_, output_field=models.DateField()) for sum_ in (left + hour, left - hour)
        ]
        found = face(Book.objects.filter(title="Alpha").values_list(*made).get)
        assert found == (dt.datetime(2002, 5, 1, 1), dt.datetime(2002, 4, 30, 23))  # noqa: DTZ001 - a clock, nowhere


def test_conditions_on_groups_read_columns_of_other_tables(face, library):
    counted = Book.objects.annotate(n=Count("pk")).filter(Q(n__gt=3) | Q(author__name="Ada"))
    assert titles(face, counted) == ["Alpha", "Beta"]


def test_a_slice_is_a_list_of_values(face, papers):
    papers.bulk_create([Paper(number=number) for number in range(4)])
    first = papers.order_by("number")[:2]
    assert face(papers.filter(pk__in=first).count) == 2
    assert face(papers.exclude(pk__in=first).update, a="rest") == 2
    assert face(papers.filter(pk__in=first).delete)[0] == 2


def test_constants_keep_their_type(face, papers):
    papers.create(code=uuid.UUID(int=7), a="x")
    moment = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert face(papers.values_list(Value(dt.time(1, 2)), Value(moment)).get) == (dt.time(1, 2), moment)
    assert face(papers.filter(pk=-1).aggregate, last=Max("at", default=moment)) == {"last": moment}
    text = Cast("code", models.CharField())
    assert face(papers.values_list(text, Concat("a", Chr(Value(0x1F388)))).get) == (
        str(uuid.UUID(int=7)),
        "x🎈",
    )


def test_constants_say_nothing_of_an_order(face, papers):
    papers.bulk_create([Paper(number=number) for number in range(3)])
    for constant in (Value(1), Value(-1), Value(dt.timedelta(1))):
        assert face.list(papers.order_by(constant, "-number").values_list("number", flat=True)) == [2, 1, 0]


def test_what_the_server_cannot_do_is_refused(face, papers):
    with pytest.raises(ValueError, match="cannot hold 0"):
        face(papers.create, pk=0)
    with pytest.raises(ValueError, match="cannot hold 0"):
        face(papers.bulk_create, [Paper(pk=0)])
    with pytest.raises(UnsupportedFeature, match="FOR UPDATE OF"), face.block(atomic()):
        face.list(papers.select_for_update(of=("self",)))
    with pytest.raises(UnsupportedFeature, match="Lag with a default"):
        face.list(papers.values_list(Window(Lag("number", default=0), order_by="pk")))


@pytest.mark.parametrize(
    "options",
    [
        {"fields": ["a"], "deferrable": models.Deferrable.DEFERRED},
        {"fields": ["number"], "nulls_distinct": False},
        {"fields": ["a"], "condition": Q(number=1)},
    ],
)
def test_a_table_whose_constraint_cannot_be_kept_is_not_made(face, database, options):
    with isolate_apps("tests"):

        class Strict(models.Model):
            a = models.CharField(max_length=10)
            number = models.IntegerField(null=True)

            class Meta:
                app_label = "tests"
                constraints = [models.UniqueConstraint(name="strict", **options)]

    for _ in range(2):
        with pytest.raises(UnsupportedFeature, match="'strict'"):
            database.create(Author, Strict)
    assert database.observe("SHOW TABLES") == []


@pytest.mark.vendors("sqlite", "postgres", "mariadb")
@pytest.mark.parametrize(
    "text", ["x\\', evil INT DEFAULT 7, -- ", "100% :x %s %(a)s", "q'q", "a\\b", "nl\nx", "é\\", "\\"]
)
def test_texts_in_a_table_s_definition_are_texts(face, database, text):
    with isolate_apps("tests"):

        class Defaults(models.Model):
            plain = models.CharField(max_length=40, db_default=text)
            made = models.CharField(max_length=90, db_default=Concat(Value(text), Value("!")))
            data = models.JSONField(db_default={"a": text})
            raw = models.BinaryField(db_default=text.encode())

            class Meta:
                app_label = "tests"

    database.create(Defaults)
    face(Defaults.objects.create)
    found = face(Defaults.objects.get)
    assert (found.plain, found.made, found.data) == (text, f"{text}!", {"a": text})
    assert bytes(found.raw) == text.encode()
