"""Querysets as data frames: `queryset.statement` is what pandas and polars read."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from facade.models import Avg
from facade.models.functions import ExtractYear, Upper
from tests.corpus import MODELS, Album, Track, fill
from tests.test_core_statements import run_by_sqlalchemy

QUERYSETS = {
    "values": lambda: Album.objects.order_by("id").values("id", "title", "artist__name", "price", "released"),
    "annotations": lambda: (
        Album.objects.order_by("id").annotate(loud=Upper("title")).values_list("id", "loud")
    ),
    "filtered": lambda: (
        Track.objects.filter(album__in=Album.objects.filter(copies__gt=10), seconds__isnull=False)
        .order_by("id")
        .values_list("id", "seconds", "recorded")
    ),
    "groups": lambda: (
        Album.objects.filter(released__isnull=False)
        .values(year=ExtractYear("released"))
        .annotate(mean=Avg("copies"))
        .order_by("year")
    ),
    "nothing": lambda: Album.objects.filter(pk__in=[]).values("id", "title"),
}


@pytest.fixture
def records(database):
    database.create(*MODELS)
    fill()


def listed(queryset):
    return [tuple(row.values()) if isinstance(row, dict) else row for row in queryset]


def plain(value):
    """Return a value of a data frame as the database's: no number is NaN there, and no moment is pandas' own."""
    if value is pd.NaT or value != value:
        return None
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value


@pytest.mark.parametrize("name", QUERYSETS)
@pytest.mark.faces("sync")
def test_pandas_reads_the_rows_of_a_queryset(face, database, records, name):
    queryset = QUERYSETS[name]()
    frame = run_by_sqlalchemy(face, database, lambda connection: pd.read_sql(queryset.statement, connection))
    found = [tuple(map(plain, row)) for row in frame.itertuples(index=False, name=None)]
    assert found == listed(queryset)
    if name in ("values", "nothing"):
        assert list(frame.columns)[:2] == ["id", "title"]


@pytest.mark.parametrize("name", QUERYSETS)
def test_polars_reads_the_rows_of_a_queryset(face, database, records, name):
    queryset = QUERYSETS[name]()
    for query in (queryset, queryset.statement):
        frame = run_by_sqlalchemy(
            face, database, lambda connection, query=query: pl.read_database(query, connection)
        )
        assert [tuple(row) for row in frame.iter_rows()] == listed(face.list(queryset.all()))
