"""DuckDB, through duckdb-engine: a sync face on the general road."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import uuid

import pytest

import facade
from facade import models, transaction, using_connection
from facade.configuration import override
from facade.db.connection import connections
from facade.exceptions import ImproperlyConfigured, UnsupportedFeature
from facade.models import Avg, ExpressionWrapper, F, Q, StringAgg, Sum, Value
from facade.models.functions import Now, TruncDay, TruncHour, TruncTime
from facade.testing import CaptureQueriesContext
from tests import corpus

pytest.importorskip("duckdb_engine")


class Gauge(models.Model):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=20, unique=True)
    level = models.IntegerField(db_default=7)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    read = models.DateTimeField(null=True)
    clock = models.TimeField(null=True)
    day = models.DateField(null=True)
    length = models.DurationField(null=True)
    raw = models.BinaryField(default=b"")
    data = models.JSONField(null=True)
    twice = models.GeneratedField(
        expression=F("level") * 2, output_field=models.IntegerField(), db_persist=False
    )

    class Meta:
        indexes = [models.Index(fields=["level"], name="gauge_level")]


class Jotting(models.Model):
    gauge = models.ForeignKey(Gauge, models.CASCADE, related_name="notes")
    text = models.TextField()


@pytest.fixture
def duck():
    with override(DATABASES={"default": "duckdb:///:memory:"}):
        facade.create_all([Gauge, Jotting])
        yield connections["default"]
        connections["default"].close()


@pytest.fixture(scope="module")
def found():
    """What each queryset of the corpus finds on SQLite and on DuckDB."""
    with override(DATABASES={"default": "sqlite://", "duck": "duckdb:///:memory:"}):
        for alias in ("default", "duck"):
            facade.create_all(corpus.MODELS, using=alias)
            corpus.fill(alias)
        yield {
            name: [rows(ask, alias) for alias in ("default", "duck")]
            for name, ask in corpus.QUERYSETS.items()
        }


def rows(ask, alias):
    return [values(row) for row in ask(lambda model: model.objects.using(alias))]


def values(row):
    if not isinstance(row, models.Model):
        return row
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


@pytest.mark.parametrize("name", corpus.QUERYSETS)
def test_a_queryset_finds_what_it_finds_on_sqlite(found, name):
    sqlite, duckdb = found[name]
    assert duckdb == sqlite


def test_an_object_comes_back_as_it_was_saved(duck):
    made = Gauge.objects.create(
        name="a", price=decimal.Decimal("12.50"), read=dt.datetime(2000, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC), clock=dt.time(1, 2, 3, 4),
        day=dt.date(2000, 2, 29), length=dt.timedelta(days=-1, microseconds=1), raw=b"\x00\xff'", data={"b": [1, None, "é"], "a": {}},
    )  # fmt: skip
    assert (made.level, made.twice) == (7, 14)
    again = Gauge.objects.get(pk=made.pk)
    names = [field.attname for field in Gauge._meta.concrete_fields]
    assert [getattr(again, name) for name in names] == [getattr(made, name) for name in names]


def test_writes_tell_how_many_rows_they_touched(duck):
    made = Gauge.objects.bulk_create([Gauge(name=f"g{number}", level=number) for number in range(5)])
    assert [gauge.level for gauge in made] == [*range(5)]
    assert Gauge.objects.filter(level__gte=3).update(price=F("level") + 1) == 2
    for gauge in made:
        gauge.level += 10
    assert Gauge.objects.bulk_update(made, ["level"]) == 5
    made[0].name = "first"
    made[0].save()
    assert sorted(Gauge.objects.values_list("name", "level", "price"))[:2] == [
        ("first", 10, 0),
        ("g1", 11, 0),
    ]
    assert Gauge.objects.filter(level=10).delete() == (1, {"tests.Gauge": 1})
    assert made[1].delete() == (1, {"tests.Gauge": 1})
    assert Gauge.objects.count() == 3


def test_conflicts_are_passed_over_or_update(duck):
    Gauge.objects.create(name="a", level=1)
    Gauge.objects.bulk_create([Gauge(name="a", level=2), Gauge(name="b", level=2)], ignore_conflicts=True)
    assert sorted(Gauge.objects.values_list("name", "level")) == [("a", 1), ("b", 2)]
    Gauge.objects.bulk_create(
        [Gauge(name="a", level=3)], update_conflicts=True, update_fields=["level"], unique_fields=["name"]
    )
    assert sorted(Gauge.objects.values_list("name", "level")) == [("a", 3), ("b", 2)]
    with pytest.raises(facade.exceptions.IntegrityError):
        Gauge.objects.create(name="a")


def test_keys_are_counted_by_a_sequence_that_goes_with_its_table(duck):
    gauge = Gauge.objects.create(name="a")
    made = [Jotting.objects.create(gauge=gauge, text="x") for _ in range(2)]
    assert [note.pk for note in made] == [1, 2]
    assert [
        note.pk
        for note in Jotting.objects.bulk_create(
            [Jotting(gauge=gauge, text="y"), Jotting(gauge=gauge, text="z")]
        )
    ] == [3, 4]
    facade.drop_all([Jotting])
    facade.create_all([Jotting])
    assert Jotting.objects.create(gauge=gauge, text="x").pk == 1


def test_what_refers_to_a_deleted_object_is_deleted_in_its_transaction(duck):
    gauge = Gauge.objects.create(name="a")
    gauge.notes.create(text="x")
    assert gauge.delete()[0] == 2
    assert not Jotting.objects.exists()


def test_a_block_is_kept_or_undone(duck):
    with transaction.atomic():
        Gauge.objects.create(name="kept")
        with transaction.atomic(savepoint=False):
            Gauge.objects.create(name="kept, too")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Gauge.objects.create(name="undone")
        raise ZeroDivisionError
    assert sorted(Gauge.objects.values_list("name", flat=True)) == ["kept", "kept, too"]


def test_a_block_inside_a_block_is_refused(duck):
    with transaction.atomic():
        Gauge.objects.create(name="kept")
        with pytest.raises(UnsupportedFeature, match="DuckDB has no savepoints"), transaction.atomic():
            raise AssertionError("this is not reached")
        Gauge.objects.create(name="kept, too")
    assert Gauge.objects.count() == 2


def test_objects_are_found_or_made(duck):
    made, is_new = Gauge.objects.get_or_create(name="a", defaults={"level": 1})
    assert (Gauge.objects.get_or_create(name="a"), is_new) == ((made, False), True)
    assert Gauge.objects.update_or_create(name="a", defaults={"level": 2}) == (made, False)
    with transaction.atomic():
        assert Gauge.objects.update_or_create(name="b", defaults={"level": 3})[1]
        assert Gauge.objects.get_or_create(name="c")[1]
    assert sorted(Gauge.objects.values_list("name", "level")) == [("a", 2), ("b", 3), ("c", 7)]


def test_a_connection_of_ones_own_is_joined(duck):
    with duck.engine.connect() as connection:
        with using_connection(connection):
            Gauge.objects.create(name="a")
            Gauge.objects.bulk_create([Gauge(name="b")])
            assert Gauge.objects.count() == 2
        connection.rollback()
    assert Gauge.objects.count() == 0


def test_sql_by_hand_tells_its_rows(duck):
    Gauge.objects.bulk_create([Gauge(name=name) for name in "abc"])
    with duck.cursor() as cursor:
        cursor.execute("UPDATE tests_gauge SET level = %s WHERE name < %s", [1, "c"])
        assert cursor.rowcount == 2
        cursor.execute("SELECT name FROM tests_gauge WHERE level = %s ORDER BY name", [1])
        assert (cursor.fetchall(), cursor.rowcount) == ([("a",), ("b",)], 2)
        cursor.execute("DELETE FROM tests_gauge RETURNING name")
        assert (len(cursor.fetchall()), cursor.rowcount) == (3, 3)


def test_row_locks_are_refused(duck):
    with (
        transaction.atomic(),
        pytest.raises(UnsupportedFeature, match="select_for_update.* is not supported on DuckDB"),
    ):
        list(Gauge.objects.select_for_update())


def test_there_is_no_async_face(duck):
    async def ask():
        return await Gauge.objects.acount()

    with pytest.raises(ImproperlyConfigured, match="duckdb.* has no async face"):
        asyncio.run(ask())


def test_a_stream_goes_on_beside_other_statements(duck):
    Gauge.objects.bulk_create([Gauge(name=str(number)) for number in range(50)])
    with transaction.atomic():
        seen = 0
        for gauge in Gauge.objects.iterator(chunk_size=7):
            assert Gauge.objects.filter(pk=gauge.pk).update(level=1) == 1
            seen += 1
    assert seen == Gauge.objects.filter(level=1).count() == 50


def test_two_connections_share_a_database_in_memory(duck):
    Gauge.objects.create(name="a")
    first, second = duck.lend(), duck.lend()
    assert first.raw is not second.raw
    for channel in (first, second):
        assert [
            *channel.perform(
                facade.db.channels.channel.Statement("SELECT count(*) FROM tests_gauge"), ()
            ).rows
        ] == [(1,)]
        channel.check_in()
    duck.close()
    assert Gauge.objects.count() == 1


def test_moments_are_computed_with_in_their_zone(duck):
    read = dt.datetime(2000, 6, 30, 23, 30, 15, tzinfo=dt.UTC)
    Gauge.objects.create(name="a", read=read, day=dt.date(2000, 6, 30), length=dt.timedelta(hours=2))
    with facade.timezone.override("Europe/Berlin"):
        gauges = Gauge.objects.annotate(
            the_day=TruncDay("read"), hour=TruncHour("read"), time=TruncTime("read"),
            later=ExpressionWrapper(F("read") + F("length"), models.DateTimeField()),
            between=ExpressionWrapper(F("read") - Value(read - dt.timedelta(minutes=1)), models.DurationField()),
        )  # fmt: skip
        found = gauges.get(read__date=dt.date(2000, 7, 1), read__hour=1, read__week_day=7)
    assert found.the_day == dt.datetime(2000, 6, 30, 22, tzinfo=dt.UTC)
    assert found.hour == dt.datetime(2000, 6, 30, 23, tzinfo=dt.UTC)
    assert found.time == dt.time(1, 30, 15)
    assert found.later == read + dt.timedelta(hours=2)
    assert found.between == dt.timedelta(minutes=1)
    now = Gauge.objects.annotate(now=Now()).get().now
    assert abs(now - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)


def test_numbers_are_computed_as_elsewhere(duck):
    Gauge.objects.bulk_create(
        [
            Gauge(name=str(level), level=level, price=level, length=dt.timedelta(seconds=level))
            for level in (3, 4)
        ]
    )
    found = Gauge.objects.aggregate(
        mean=Avg("level"), total=Sum("price"), mean_price=Avg("price"), longest=Sum("length"), mean_length=Avg("length"),
        names=StringAgg("name", Value("-"), order_by="-name"), few=Sum("level", filter=Q(level=3)),
    )  # fmt: skip
    assert found == {
        "mean": 3.5, "total": decimal.Decimal(7), "mean_price": decimal.Decimal("3.5"), "longest": dt.timedelta(seconds=7),
        "mean_length": dt.timedelta(seconds=3.5), "names": "4-3", "few": 3,
    }  # fmt: skip
    assert type(found["mean_price"]) is decimal.Decimal
    halves = Gauge.objects.order_by("level").values_list(
        F("level") / 2, F("level") % 2, F("level").bitxor(1), F("level") ** 2
    )
    assert list(halves) == [(1, 1, 2, 9), (2, 0, 5, 16)]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ({"regex": "^a.c$"}, {"abc"}),
        ({"iregex": "^a.c$"}, {"abc", "ABC"}),
        ({"regex": "b"}, {"abc", "xb%"}),
        ({"contains": "b%"}, {"xb%"}),
    ],
)
def test_patterns(duck, pattern, names):
    Gauge.objects.bulk_create([Gauge(name=name) for name in ("abc", "ABC", "xb%")])
    ((lookup, value),) = pattern.items()
    assert set(Gauge.objects.filter(**{f"name__{lookup}": value}).values_list("name", flat=True)) == names


DOCUMENTS = [
    {"a": 1},
    {"a": 1.0},
    {"a": "1"},
    {"a": None},
    {"a": [1, 2]},
    {"a": True},
    {"a": {"b": 2}},
    {"a/b": 10},
    {"a": 10},
    [5, 6],
]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"data": {"a": 1}}, [0]),
        ({"data": [5, 6]}, [9]),
        ({"data__a": 1}, [0]),
        ({"data__a": None}, [3]),
        ({"data__a": "1"}, [2]),
        ({"data__a": [1, 2]}, [4]),
        ({"data__a__b": 2}, [6]),
        ({"data__0": 5}, [9]),
        ({"data__-1": 6}, [9]),
        ({"data__a__1": 2}, [4]),
        ({"data__a__in": [1, True, "x"]}, [0, 5]),
        ({"data__a__gt": 1, "data__a__lt": 100}, [8]),
        ({"data__a__isnull": True}, [7, 9]),
        ({"data__has_key": "a/b"}, [7]),
        ({"data__has_keys": ["a"], "data__a__has_key": "b"}, [6]),
        ({"data__has_any_keys": ["a/b", "c"]}, [7]),
        ({"data__a__startswith": "1"}, [0, 1, 2, 8]),
    ],
    ids=str,
)
def test_documents(duck, asked, found):
    Gauge.objects.bulk_create(
        [Gauge(name=str(number), level=number, data=data) for number, data in enumerate(DOCUMENTS)]
    )
    assert list(Gauge.objects.filter(**asked).order_by("level").values_list("level", flat=True)) == found


def test_an_object_whose_keys_have_an_order_is_not_compared(duck):
    with pytest.raises(
        UnsupportedFeature, match="DuckDB compares objects in documents by the order of their keys"
    ):
        Gauge.objects.filter(data={"a": 1, "b": 2}).exists()


def test_ordering_by_a_part_of_a_document(duck):
    Gauge.objects.bulk_create([Gauge(name=str(number), data={"n": number}) for number in (2, 10, 1)])
    assert [gauge.data["n"] for gauge in Gauge.objects.filter(data__n__gte=2).order_by("data__n")] == [2, 10]


def test_a_value_that_is_looked_for_is_one_parameter_however_long_its_list(duck):
    Gauge.objects.bulk_create([Gauge(name=str(number), level=number) for number in range(3)])
    with CaptureQueriesContext(duck) as captured:
        assert Gauge.objects.filter(level__in=[0, 2, 9]).count() == 2
        assert (
            Gauge.objects.filter(key__in=list(Gauge.objects.values_list("key", flat=True)[:2])).count() == 2
        )
    assert "ANY" in captured[0]["statement"]


def test_a_model_that_needs_what_it_has_not_is_refused(duck):
    with facade.testing.isolate_apps():

        class Partial(models.Model):
            name = models.CharField(max_length=10)

            class Meta:
                constraints = [models.UniqueConstraint(fields=["name"], condition=Q(name="a"), name="partly")]

        with pytest.raises(UnsupportedFeature, match="duckdb.* cannot keep the constraint 'partly'"):
            facade.create_all([Partial])

        class Stored(models.Model):
            twice = models.GeneratedField(
                expression=F("id") * 2, output_field=models.IntegerField(), db_persist=True
            )

        with pytest.raises(UnsupportedFeature, match="DuckDB stores no generated columns"):
            facade.create_all([Stored])


def test_explain(duck):
    assert Gauge.objects.filter(level=1).explain().startswith("physical_plan")
    assert '"name"' in Gauge.objects.filter(level=1).explain(format="json")
    assert Gauge.objects.filter(level=1).explain(analyze=True).startswith("analyzed_plan")
