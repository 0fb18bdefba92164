"""Expressions that are stored: what a function adds itself is the same in every statement that writes."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

import facade
from facade.configuration import override
from facade.exceptions import FieldError, UnsupportedFeature
from facade.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    DateField,
    DateTimeField,
    Exists,
    F,
    IntegerField,
    JSONField,
    Max,
    Model,
    OuterRef,
    Q,
    Subquery,
    TimeField,
    Value,
    When,
)
from facade.models.functions import ExtractHour, ExtractYear, Now, TruncDate, TruncHour, TruncMonth, TruncTime
from tests.models import Everything

AUCKLAND, VIENNA = "Pacific/Auckland", ZoneInfo("Europe/Vienna")
MADE = dt.datetime(2020, 12, 31, 20, 0, tzinfo=dt.UTC)  # in Auckland the new year has come


class Moment(Model):
    title = CharField(max_length=20, null=True)
    n = IntegerField(null=True)
    day = DateField(null=True)
    clock = TimeField(null=True)
    made = DateTimeField(null=True)
    flag = BooleanField(null=True)
    data = JSONField(null=True)

    class Meta:
        app_label = "tests"


class Dated(Model):
    title = CharField(max_length=20, null=True)
    year = IntegerField(db_default=ExtractYear(Value(MADE, output_field=DateTimeField())))
    hour = IntegerField(db_default=ExtractHour(Value(MADE, output_field=DateTimeField())))

    class Meta:
        app_label = "tests"


@pytest.fixture
def moments(database):
    with override(TIME_ZONE=AUCKLAND):
        database.create(Moment)
        yield Moment.objects


def _update(pk, name, value):
    Moment.objects.filter(pk=pk).update(**{name: value})


def _save(pk, name, value):
    moment = Moment.objects.get(pk=pk)
    setattr(moment, name, value)
    moment.save()
    if not hasattr(value, "resolve_expression") or name in moment.__dict__:
        assert getattr(moment, name) == getattr(Moment.objects.get(pk=pk), name)


def _bulk_update(pk, name, value):
    moment = Moment.objects.get(pk=pk)
    setattr(moment, name, value)
    Moment.objects.bulk_update([moment], [name])


def _update_or_create(pk, name, value):
    Moment.objects.update_or_create(pk=pk, defaults={name: value})


CHANGES = [_update, _save, _bulk_update, _update_or_create]


def naive(*numbers):
    return dt.datetime(*numbers)  # noqa: DTZ001 - a clock of TIME_ZONE


def run(face, function, *args):
    return face.wait(facade.run(function, *args)) if face.is_async else function(*args)


def stored(face, moments, change, name, value):
    made = face(moments.create, title="ab", n=1, day=dt.date(2020, 5, 5), made=MADE, data={"x": 1}, flag=None)
    run(face, change, made.pk, name, value)
    return getattr(face(moments.get, pk=made.pk), name)


CASES = [
    ("n", ExtractYear("made"), 2021),
    ("n", ExtractHour("made"), 9),
    ("n", Case(When(made__year=2021, then=7), default=8), 7),
    ("n", Case(When(made__date=dt.date(2021, 1, 1), then=7), default=8), 7),
    ("n", Case(When(n__range=(1, 5), then=7), default=8), 7),
    ("n", Case(When(n__in=[None, 1], then=7), default=8), 7),
    ("n", Case(When(n__in=[], then=7), default=8), 8),
    ("n", Case(When(n__lt=2**70, then=7), default=8), 7),
    ("n", Case(When(flag=[], then=7), default=8), 7),
    ("n", Case(When(data__x=1, then=7), default=8), 7),
    ("n", Case(When(data__x__gte=2, then=7), default=8), 8),
    ("day", TruncDate("made"), dt.date(2021, 1, 1)),
    ("clock", TruncTime("made"), dt.time(9)),
    ("made", TruncMonth("made"), dt.datetime(2020, 12, 31, 11, tzinfo=dt.UTC)),
    ("flag", Q(made__year=2021), True),
    ("flag", Q(made__year=2020), False),
    ("flag", Q(n__range=(0, 5)), True),
    ("flag", Q(n__in=[]), False),
    ("flag", Q(data__x=1), True),
    ("flag", ~Q(data__x=1), False),
]


@pytest.mark.parametrize("change", CHANGES)
def test_all_changes_store_the_same(face, moments, change):
    found = [(name, str(value), stored(face, moments, change, name, value)) for name, value, _ in CASES]
    assert found == [(name, str(value), result) for name, value, result in CASES]


CUT = [
    ("day", TruncMonth("made"), dt.date(2021, 1, 1)),
    ("day", TruncMonth("made", tzinfo=VIENNA), dt.date(2020, 12, 1)),
    ("day", TruncMonth("made", output_field=DateField()), dt.date(2021, 1, 1)),
    ("day", F("made"), dt.date(2020, 12, 31)),
    ("day", F("day") + dt.timedelta(days=1), dt.date(2020, 5, 6)),
    ("clock", TruncHour("made"), dt.time(9)),
    ("clock", F("made"), dt.time(20)),
    ("made", F("day"), dt.datetime(2020, 5, 5, tzinfo=dt.UTC)),
    ("made", F("day") + dt.timedelta(hours=1), dt.datetime(2020, 5, 5, 1, tzinfo=dt.UTC)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_moments_become_days_and_times_by_the_clock_they_were_cut_by(face, moments, change):
    found = [(name, str(value), stored(face, moments, change, name, value)) for name, value, _ in CUT]
    assert found == [(name, str(value), result) for name, value, result in CUT]


@pytest.mark.parametrize("change", CHANGES)
def test_without_time_zones_days_and_moments_agree_with_time_zone(face, database, change):
    with override(TIME_ZONE=AUCKLAND, USE_TZ=False):
        database.create(Moment)
        made = face(Moment.objects.create, day=dt.date(2020, 5, 5), made=naive(2020, 12, 31, 5))
        for name, value, result in (
            ("day", F("made"), dt.date(2020, 12, 31)),
            ("clock", TruncHour("made"), dt.time(5)),
            ("made", F("day"), naive(2020, 12, 31)),
            ("made", F("day") + dt.timedelta(hours=1), naive(2020, 12, 31, 1)),
        ):
            run(face, change, made.pk, name, value)
            assert getattr(face(Moment.objects.get), name) == result


def _create(name, value):
    Moment.objects.create(**{name: value})


def _bulk_create(name, value):
    Moment.objects.bulk_create([Moment(**{name: value}), Moment(title="b")])


def _get_or_create(name, value):
    Moment.objects.get_or_create(title="x", defaults={name: value})


def _create_or_update(name, value):
    Moment.objects.update_or_create(title="x", defaults={name: value})


INSERTED = [
    ("n", ExtractYear(Value(MADE)), 2021),
    ("n", ExtractHour(Value(MADE)), 9),
    ("day", TruncDate(Value(MADE)), dt.date(2021, 1, 1)),
    ("day", TruncMonth(Value(MADE)), dt.date(2021, 1, 1)),
    ("clock", TruncTime(Value(MADE)), dt.time(9)),
    ("made", TruncMonth(Value(MADE)), dt.datetime(2020, 12, 31, 11, tzinfo=dt.UTC)),
]


@pytest.mark.parametrize("make", [_create, _bulk_create, _get_or_create, _create_or_update])
def test_all_inserts_store_the_same(face, moments, make):
    for name, value, result in INSERTED:
        run(face, make, name, value)
        found = face(moments.earliest, "pk")
        assert (name, getattr(found, name)) == (name, result)
        face(moments.all().delete)


def test_days_and_durations_make_moments_that_are_read_alike(face, moments):
    face(moments.create, day=dt.date(2020, 5, 5))
    later = F("day") + dt.timedelta(hours=1)
    expected = dt.datetime(2020, 5, 5, 1, tzinfo=dt.UTC)
    assert face.list(moments.values_list(later, flat=True)) == [expected]
    assert face(moments.annotate(later=later).get).later == expected
    assert face(moments.aggregate, last=Max(later)) == {"last": expected}
    assert face(moments.filter(day__lt=later).count) == 1
    with override(USE_TZ=False):
        clock = expected.replace(tzinfo=None)
        assert face.list(moments.values_list(later, flat=True)) == [clock]
        assert face(moments.aggregate, last=Max(later)) == {"last": clock}


def test_the_present_is_a_day_by_the_clock_of_utc(face, moments):
    before = dt.datetime.now(dt.UTC).date()
    face(moments.create, day=Now())
    assert before <= face(moments.get).day <= dt.datetime.now(dt.UTC).date()


@pytest.mark.without("mariadb", reason="its defaults hold no subquery, which the clock of a zone needs")
def test_defaults_of_the_database_read_the_clock_of_time_zone(face, database):
    with override(TIME_ZONE=AUCKLAND):
        database.create(Dated)
        made = face(Dated.objects.create)
        face(Dated.objects.bulk_create, [Dated(), Dated(hour=1)])
        found = face.list(Dated.objects.order_by("pk").values_list("year", "hour"))
    assert (made.year, made.hour) == (2021, 9)
    assert found == [(2021, 9), (2021, 9), (2021, 1)]


@pytest.mark.vendors("mariadb")
def test_a_default_that_the_server_would_not_keep_is_refused(database):
    with (
        override(TIME_ZONE=AUCKLAND),
        pytest.raises(UnsupportedFeature, match=r"db_default of tests.Dated.year asks a query"),
    ):
        database.create(Dated)
    assert database.observe("SHOW TABLES") == []


@pytest.mark.parametrize("empty", [[], (), set()])
def test_an_empty_list_that_a_column_takes_for_none_is_none(face, moments, empty):
    face(moments.create, title="unknown")
    face(moments.create, title="no", flag=False)
    assert face(moments.get, flag=empty).title == "unknown"
    assert face(moments.exclude(flag=empty).get).title == "no"
    assert face(moments.get, Q(flag=empty) & Q(title="unknown")).flag is None
    with pytest.raises(ValueError, match="Cannot use None as a query value"):
        moments.filter(flag__gt=empty)


def test_a_refusal_shows_the_values_that_the_user_wrote(face, database):
    database.create(Everything)
    row = face(Everything.objects.create)
    row.integer = Max(Value(1))
    rows = Everything.objects.filter(char="x")
    for act, given in (
        (row.save, {}),
        (Everything.objects.create, {"integer": Max(Value(1))}),
        (rows.update, {"integer": Max(Value(1))}),
    ):
        with pytest.raises(FieldError, match=r"not allowed in this query \(integer=Max\(Value\(1\)\)\)"):
            face(act, **given)
    counted = rows.annotate(known=Count(Value("earlier")))
    with pytest.raises(FieldError, match=r"integer=<CombinedExpression: Count\(Value\(…\)\) \+ Value\(5\)>"):
        face(counted.update, integer=F("known") + 5)


@pytest.mark.parametrize("nested", [False, True])
def test_a_subquery_cannot_refer_to_the_row_that_is_being_inserted(face, database, assert_queries, nested):
    database.create(Everything)
    face(Everything.objects.create, integer=5)
    others = Everything.objects.filter(integer=OuterRef(OuterRef("integer") if nested else "integer"))
    if nested:
        others = Everything.objects.filter(Exists(others))
    row = Everything(big=Subquery(others.values("integer")[:1]))
    with (
        pytest.raises(ValueError, match=r"expression \"Subquery.*can only be used to update"),
        assert_queries(0),
    ):
        face(row.save)
    with (
        pytest.raises(ValueError, match=r"expression \"Subquery.*can only be used to update"),
        assert_queries(0),
    ):
        face(Everything.objects.bulk_create, [row])
    known = Everything(big=Subquery(Everything.objects.values("integer")[:1]))
    face(known.save)
    assert face(Everything.objects.get, pk=known.pk).big == 5
