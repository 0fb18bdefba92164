"""Windows and aggregates of SQLAlchemy Core in querysets: the rows of Core, the groups of facade's own aggregates."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from facade.exceptions import FieldError
from facade.models import Avg, Count, F, Max, Min, Q, Sum, Window
from facade.models.functions import RowNumber
from facade.models.lookups import GreaterThan
from tests.corpus import MODELS, Album, Artist, Track, fill
from tests.test_core_statements import core_rows

album, artist, track = (model.__table__ for model in (Album, Artist, Track))


@pytest.fixture
def records(database):
    database.create(*MODELS)
    fill()


def of_artist(function, **options):
    return function.over(partition_by=album.c.artist_id, **options)


WINDOWS = {
    "row number": lambda: of_artist(sa.func.row_number(), order_by=album.c.price.desc()),
    "rank": lambda: sa.func.rank().over(order_by=album.c.copies % 3),
    "sum": lambda: of_artist(sa.func.sum(album.c.copies)),
    "running sum": lambda: of_artist(sa.func.sum(album.c.copies), order_by=album.c.id),
    "frame": lambda: of_artist(sa.func.max(album.c.copies), order_by=album.c.id, rows=(-1, 0)),
    "before": lambda: of_artist(sa.func.lag(album.c.copies, 1), order_by=album.c.id),
    "expression": lambda: of_artist(sa.func.count()) * 10 + album.c.id,
    "of a condition": lambda: sa.func.count().over(partition_by=album.c.copies > 20),
    "two orders": lambda: sa.func.row_number().over(order_by=[album.c.artist_id.desc(), album.c.id]),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_has_the_rows_of_core(face, database, records, name):
    window = WINDOWS[name]()
    inner = sa.select(album.c.id, window.label("w")).subquery()
    wanted = core_rows(
        face,
        database,
        {
            "all": sa.select(album.c.id, window).order_by(album.c.id),
            "some": sa.select(inner.c.id, inner.c.w).where(inner.c.w >= 2).order_by(inner.c.id),
            "ordered": sa.select(album.c.id).order_by(window, album.c.id),
        },
    )
    found = Album.objects.annotate(w=window)
    rows = found.values_list("id", "w")
    assert face.list(rows.order_by("id")) == wanted["all"]
    assert face.list(rows.filter(w__gte=2).order_by("id")) == wanted["some"]
    assert face.list(Album.objects.filter(window >= 2).order_by("id").values_list("id")) == [
        (key,) for key, _ in wanted["some"]
    ]
    assert face.list(Album.objects.order_by(window, "id").values_list("id")) == wanted["ordered"]
    assert face.list(found.order_by("w", "id").values_list("id")) == wanted["ordered"]
    assert [(one.pk, one.w) for one in face.list(found.order_by("id"))] == wanted["all"]


def test_a_window_sees_the_rows_that_the_filter_leaves(face, records):
    window = of_artist(sa.func.row_number(), order_by=album.c.id)
    own = Window(RowNumber(), partition_by="artist", order_by="id")
    for make in (
        lambda w: Album.objects.filter(copies__gt=20).annotate(w=w),
        lambda w: Album.objects.annotate(w=w).filter(copies__gt=20),
    ):
        one, other = (face.list(make(w).order_by("id").values_list("id", "w")) for w in (window, own))
        assert one == other
    first = Album.objects.annotate(w=window).filter(w=1)
    assert face(first.count) == 3
    assert face(Track.objects.filter(album__in=first.values("pk")).count) == face(
        Track.objects.filter(album__in=[one.pk for one in face.list(first)]).count
    )


AGGREGATES = {
    "count": (lambda: sa.func.count(album.c.id), lambda: Count("id")),
    "count of rows": (lambda: sa.func.count(), lambda: Count("*")),
    "count of different": (
        lambda: sa.func.count(sa.distinct(album.c.studio_id)),
        lambda: Count("studio", distinct=True),
    ),
    "sum": (lambda: sa.func.sum(album.c.copies), lambda: Sum("copies")),
    "least": (lambda: sa.func.min(album.c.released), lambda: Min("released")),
    "computed": (lambda: sa.func.max(album.c.copies * 2) + 1, lambda: Max(F("copies") * 2) + 1),
    "two": (
        lambda: sa.func.max(album.c.copies) - sa.func.min(album.c.copies),
        lambda: Max("copies") - Min("copies"),
    ),
    "beside a column": (
        lambda: sa.func.count(album.c.id) + album.c.artist_id,
        lambda: Count("id") + F("artist_id"),
    ),
}


@pytest.mark.parametrize("name", AGGREGATES)
def test_an_aggregate_groups_as_facades_own_does(face, records, name):
    core, own = (make() for make in AGGREGATES[name])

    def both(make):
        one, other = (face.list(make(aggregate)) for aggregate in (core, own))
        assert one == other
        return one

    groups = both(
        lambda a: Album.objects.values("artist").annotate(a=a).order_by("artist").values_list("artist", "a")
    )
    assert len(groups) == 3
    assert len(both(lambda a: Album.objects.annotate(a=a).order_by("id").values_list("id", "a"))) == 9
    both(
        lambda a: (
            Album.objects.values("artist").annotate(a=a).order_by("-a", "artist").values_list("artist", "a")
        )
    )
    both(
        lambda a: (
            Album.objects.values("artist")
            .order_by("artist")
            .annotate(a=a, n=Count("*"))
            .filter(a=groups[0][1])
        )
    )
    both(
        lambda a: Album.objects.annotate(long=Q(copies__gt=20)).values("long").annotate(a=a).order_by("long")
    )
    if name != "beside a column":
        assert face(Album.objects.aggregate, a=core) == face(Album.objects.aggregate, a=own)


def test_a_condition_on_an_aggregate_chooses_groups(face, records):
    groups = (
        Album.objects.values("artist")
        .annotate(most=Max("copies"))
        .order_by("artist")
        .values_list("artist", "most")
    )
    many = sa.func.max(album.c.copies) > 40
    wanted = face.list(groups.filter(most__gt=40))
    assert 0 < len(wanted) < 3
    assert face.list(groups.filter(many)) == wanted
    assert face.list(groups.filter(Q(many) & Q(artist__gt=0))) == wanted
    assert face.list(groups.exclude(~many)) == wanted
    assert face.list(groups.filter(most=sa.func.max(album.c.copies))) == face.list(groups)


def test_an_aggregate_over_joined_rows_counts_them_as_facades_own_does(face, records):
    joined = Album.objects.filter(tracks__number__lte=2).values("artist").order_by("artist")
    assert face.list(joined.annotate(n=sa.func.count(album.c.id))) == face.list(
        joined.annotate(n=Count("id"))
    )


def test_what_has_no_group_is_refused_by_name(face, records, assert_queries):
    with assert_queries(0):
        with pytest.raises(FieldError, match=r"track\.id is not one of Album's: name it by its path"):
            Album.objects.annotate(n=sa.func.count(track.c.id))
        for condition in (
            sa.func.count(album.c.id) > 1,
            GreaterThan(Count("id"), 1),
            Q(copies=sa.func.max(album.c.copies)),
        ):
            with pytest.raises(
                FieldError,
                match=r"A filter of Album compares an aggregate, and nothing makes groups: annotate\(\)",
            ):
                face.list(Album.objects.filter(condition))
        with pytest.raises(
            FieldError, match=r"Using an aggregate in order_by\(\) without also including it in annotate"
        ):
            Album.objects.order_by(sa.func.max(album.c.copies))
        with pytest.raises(FieldError, match="Aggregate functions are not allowed in this query"):
            face(Album.objects.update, copies=sa.func.max(album.c.copies))
    assert face(Album.objects.aggregate, mean=Avg(album.c.copies)) == face(
        Album.objects.aggregate, mean=Avg("copies")
    )
