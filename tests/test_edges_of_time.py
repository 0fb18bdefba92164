"""The first and the last day and moment that Python knows are stored and found as themselves, by every driver."""

from __future__ import annotations

import datetime as dt

import pytest

from facade import atomic
from facade.models import F, Value
from tests.models import Everything

FIRST, LAST = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)
EDGES = [
    ("date", dt.date.max),
    ("date", dt.date.min),
    ("datetime", LAST),
    ("datetime", FIRST),
    ("datetime", (LAST - dt.timedelta(hours=2)).replace(tzinfo=dt.timezone(dt.timedelta(hours=-2)))),
]


@pytest.fixture
def row(database):
    if database.vendor == "mysql":
        pytest.skip("MariaDB's days begin with the year 1000")
    database.create(Everything)
    return Everything.objects.create(char="x")


def written(database, name):
    """Return what the tables hold, as the database writes it."""
    return [
        str(value)[:10] for (value,) in database.observe(f"SELECT CAST({name} AS text) FROM tests_everything")
    ]


@pytest.mark.parametrize(("name", "value"), EDGES)
def test_an_edge_of_time_is_stored_as_itself(face, database, row, name, value):
    rows, text = Everything.objects, f"{value.year:04}-{value:%m-%d}"
    face(rows.update, **{name: value})
    assert written(database, name) == [text]
    face(rows.update, **{name: None})
    setattr(row, name, value)
    face(row.save)
    face(rows.create, **{name: value})
    face(rows.bulk_create, [Everything(**{name: value}), Everything(**{name: value}, char=Value("x"))])
    assert written(database, name) == [text] * 4
    face(rows.update, **{name: None})
    assert face(rows.bulk_update, [row], [name]) == 1
    assert face(rows.filter(**{name: value}).get) == row


@pytest.mark.parametrize(("name", "value"), EDGES)
def test_an_edge_of_time_is_found(face, row, name, value):
    rows = Everything.objects.all()
    face(rows.update, **{name: value}, char="y")
    assert getattr(face(rows.get), name) == value
    for condition in (
        {name: value},
        {f"{name}__in": [value, value.replace(year=2000)]},
        {f"{name}__range": (value, value)},
    ):
        assert face(rows.filter(**condition).count) == 1
        assert list(face.iterate(rows.filter(**condition).iterator)) == [row]
    assert face(rows.annotate(e=Value(value)).filter(e=F(name)).count) == 1
    assert face(rows.filter(**{f"{name}__year": value.year}).count) == 1


def test_an_edge_of_time_within_a_transaction(face, database, row):
    rows = Everything.objects
    with face.block(atomic()):
        face(rows.update, date=dt.date.max, datetime=FIRST)
        with face.block(atomic()):
            face(rows.update, char="z")
        assert face(rows.get, date=dt.date.max).char == "z"
    assert written(database, "date") == ["9999-12-31"]
