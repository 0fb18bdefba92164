"""Q, F and expressions as clauses of SQLAlchemy Core: `Q(age__gte=18).resolve(Author)`."""

from __future__ import annotations

import datetime as dt
import decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from facade.exceptions import FieldError
from facade.models import Avg, Case, Count, Exists, F, OuterRef, Q, Subquery, Value, When, Window
from facade.models.functions import Coalesce, ExtractYear, Lower, RowNumber, Upper
from tests.corpus import MODELS, Album, Artist, Genre, Track, fill
from tests.models import Author, Place, Restaurant
from tests.test_core_statements import core_rows
from tests.test_sqlalchemy import both_urls

album, artist, track = (model.__table__ for model in (Album, Artist, Track))


@pytest.fixture
def records(database):
    database.create(*MODELS)
    fill()


def ids(statement):
    return sa.select(album.c.id).where(statement).order_by(album.c.id)


CONDITIONS = {
    "exact": lambda: Q(title="Album 2%"),
    "comparison": lambda: Q(copies__gte=10, price__lt=decimal.Decimal(20)),
    "or and not": lambda: Q(copies__lt=10) | ~Q(price__lt=15),
    "not of a nullable column": lambda: ~Q(released=dt.date(1991, 2, 1)),
    "xor": lambda: Q(copies__lt=20) ^ Q(price__lt=10),
    "pattern": lambda: Q(title__icontains="LIVE") | Q(title__endswith="7%"),
    "list": lambda: Q(pk__in=[1, 3, 99]),
    "list with none": lambda: Q(studio__in=[1, None]),
    "empty list": lambda: Q(pk__in=[]),
    "not the empty list": lambda: ~Q(pk__in=[]),
    "null": lambda: Q(released=None),
    "date": lambda: Q(released__range=(dt.date(1992, 1, 1), dt.date(1996, 1, 1))),
    "part of a date": lambda: Q(released__year=1994) | Q(released__month__gt=7),
    "foreign key": lambda: Q(artist=2) | Q(artist_id=3),
    "key of a relation": lambda: Q(artist__id=2),
    "two columns": lambda: Q(copies__gt=F("id") * 3),
    "beyond the column": lambda: Q(copies__lt=10**30),
    "beneath the column": lambda: Q(copies__lt=-(10**30)),
    "document": lambda: Q(notes__tour__year=1999) | Q(notes__label="Even"),
    "backwards, excluded": lambda: ~Q(tracks__number=3),
    "subquery": lambda: Q(artist__in=Artist.objects.filter(active=False)),
    "exists": lambda: Q(Exists(Track.objects.filter(album=OuterRef("pk"), seconds__gt=100))),
    "core": lambda: Q(album.c.copies > 10),
    "nothing": Q,
}


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.faces("sync")
def test_a_condition_finds_in_core_what_it_finds_in_a_queryset(face, database, records, name):
    condition = CONDITIONS[name]()
    found = face.list(Album.objects.filter(condition).order_by("id").values_list("id"))
    statements = {"where": ids(condition.resolve(Album)), "not": ids(~condition.resolve(Album))}
    rows = core_rows(face, database, statements)
    assert rows["where"] == found
    if name != "list with none":  # in which NULL makes it unknown
        assert len(rows["not"]) <= 9 - len(found)


EXPRESSIONS = {
    "column": lambda: F("title"),
    "key": lambda: F("pk"),
    "foreign key": lambda: F("artist"),
    "arithmetic": lambda: F("copies") * 2 + F("id"),
    "constant": lambda: Value("x"),
    "function": lambda: Upper("title"),
    "nested": lambda: Coalesce(Lower("title"), Value("none")),
    "case": lambda: Case(When(copies__gt=20, then=Value("many")), default=Value("few")),
    "transform": lambda: F("released__year"),
    "part of a date": lambda: Coalesce(ExtractYear("released"), Value(0)),
    "window": lambda: Window(RowNumber(), partition_by="artist", order_by="id"),
    "subquery": lambda: Subquery(Artist.objects.filter(pk=OuterRef("artist")).values("name")),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_has_in_core_the_value_that_it_has_in_a_queryset(face, database, records, name):
    expression = EXPRESSIONS[name]()
    found = face.list(Album.objects.annotate(v=expression).order_by("id").values_list("id", "v"))
    statement = sa.select(album.c.id, expression.resolve(Album)).order_by(album.c.id)
    assert core_rows(face, database, {"rows": statement})["rows"] == found


def test_orders_and_groups(face, database, records):
    dear = sa.select(album.c.id).order_by(F("released").desc(nulls_last=True).resolve(Album), album.c.id)
    by_artist = (
        sa.select(F("artist").resolve(Album), Count("id").resolve(Album))
        .group_by(F("artist").resolve(Album))
        .having(Count("id").resolve(Album) > 1)
        .order_by(F("artist").resolve(Album))
    )
    rows = core_rows(face, database, {"order": dear, "groups": by_artist})
    assert rows["groups"] == [(1, 3), (2, 3), (3, 3)]
    assert [key for (key,) in rows["order"]] == face.list(
        Album.objects.order_by(F("released").desc(nulls_last=True), "id").values_list("id", flat=True)
    )


def test_clauses_join_what_the_statement_joins(face, database, records):
    statement = (
        sa.select(track.c.id)
        .join(album, album.c.id == track.c.album_id)
        .where(Q(seconds__gt=60).resolve(Track), Q(title__startswith="Live").resolve(Album))
        .order_by(track.c.id)
    )
    rows = core_rows(face, database, {"joined": statement})["joined"]
    wanted = Track.objects.filter(seconds__gt=60, album__title__startswith="Live").order_by("id")
    assert rows == face.list(wanted.values_list("id"))


@pytest.mark.faces("sync")
def test_a_session_updates_by_clauses(face, database, records):
    engine = sa.create_engine(both_urls(database)[0])
    with Session(engine) as session, session.begin():
        first = Q(pk=1).resolve(Album, using=session)
        before = session.scalar(sa.select(album.c.copies).where(first))
        more = (F("copies") + 1).resolve(Album, using=session)
        session.execute(sa.update(album).where(first).values(copies=more))
    engine.dispose()
    assert Album.objects.get(pk=1).copies == before + 1


def test_columns_of_a_parent_are_those_of_its_table(face, database):
    database.create(Author, Place, Restaurant)
    face(Restaurant.objects.create, name="Ada's", serves_pizza=True)
    face(Restaurant.objects.create, name="Bob's", serves_pizza=True)
    place, restaurant = Place.__table__, Restaurant.__table__
    condition = Q(name="Ada's", serves_pizza=True).resolve(Restaurant)
    statement = sa.select(place.c.name).select_from(restaurant.join(place)).where(condition)
    assert core_rows(face, database, {"rows": statement})["rows"] == [("Ada's",)]
    assert F("name").resolve(Restaurant) is place.c.name


@pytest.mark.faces("sync")
def test_a_value_is_a_parameter_of_the_fields_type(face, database):
    clause = Q(released=dt.date(2020, 1, 1)).resolve(Album)
    assert isinstance(clause.right, sa.BindParameter)
    assert clause.right.value == dt.date(2020, 1, 1)
    assert clause.right.type is album.c.released.type
    assert F("copies").resolve(Album) is album.c.copies
    text = str(Q(title="it's'; --").resolve(Album).compile(dialect=both_urls(database)[0].get_dialect()()))
    assert "it's" not in text


def test_what_a_clause_cannot_say_is_refused_by_name(face, database, assert_queries):
    with assert_queries(0):
        with pytest.raises(
            FieldError, match=r"Q: \(AND: \('artist__name', 'Ada'\)\)> goes over the relation Album\.artist"
        ):
            Q(artist__name="Ada").resolve(Album)
        with pytest.raises(
            FieldError, match=r"F\(artist__mentor__name\) goes over the relation Album\.artist"
        ):
            F("artist__mentor__name").resolve(Album)
        with pytest.raises(FieldError, match=r"goes over the relation Artist\.album"):
            Count("albums").resolve(Artist)
        with pytest.raises(FieldError, match=r"goes over the relation Genre\.parent"):
            Q(parent__name="Rock").resolve(Genre)
        with pytest.raises(FieldError, match="Cannot resolve keyword 'nmae'"):
            F("nmae").resolve(Artist)
        with pytest.raises(TypeError, match=r"resolve\(\) takes a model that has a table, not 'Artist'"):
            F("name").resolve("Artist")
        with pytest.raises(ValueError, match="may only be used in a subquery"):
            Q(name=OuterRef("title")).resolve(Artist)
        with pytest.raises(ValueError, match="copies"):
            Q(copies="many").resolve(Album)
    assert str(Avg("copies").resolve(Album)).startswith("avg")
