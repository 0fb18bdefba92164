"""Querysets as statements of Core, and statements of Core as objects: `queryset.statement`, `from_statement()`."""

from __future__ import annotations

import decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.sql import visitors

from facade import atomic, configuration, models
from facade.db.connection import connections
from facade.exceptions import FieldDoesNotExist
from facade.orm.querysets import core_statements
from tests import corpus
from tests.test_sqlalchemy import both_urls, url_for


@pytest.fixture
def records(database):
    database.create(*corpus.MODELS)
    corpus.fill()


def core_rows(face, database, statements):
    """Return the rows of each of the named statements, run by SQLAlchemy alone."""

    def run(connection):
        return {name: connection.execute(statement).all() for name, statement in statements.items()}

    return run_by_sqlalchemy(face, database, run)


def run_by_sqlalchemy(face, database, work):
    """Return what `work(connection)` does, on a connection of an engine of SQLAlchemy's that the face would have."""
    if face.is_async:
        return face.wait(_run_async(database, work))
    engine = connections["default"].engine if teaches(database) else sa.create_engine(url_for(database, face))
    with engine.connect() as connection:
        done = work(connection)
    engine.dispose()
    return done


async def _run_async(database, work):
    url = both_urls(database)[1]
    engine = connections["default"].async_engine if teaches(database) else create_async_engine(url)
    async with engine.connect() as connection:
        done = await connection.run_sync(work)
    await engine.dispose()
    return done


def teaches(database):
    """SQLite's statements call functions that facade registers on the connections that it meets."""
    return database.vendor == "sqlite"


def values_of(queryset, found, rows):
    """Return the columns of objects as their statement has them: own ones, what was annotated, those of related objects."""
    columns = {field.column: field.attname for field in queryset.model._meta.concrete_fields}
    keys = [columns.get(key, key) for key in rows[0]._fields] if rows else []
    return [
        tuple(obj.__dict__[key] for key in keys if key in obj.__dict__)
        + tuple(
            getattr(other, field.attname, None)
            for name, other in obj._state.fields_cache.items()
            for field in obj._meta.get_field(name).related_model._meta.concrete_fields
        )
        for obj in found
    ]


def objects_of(model):
    return model.objects.all()


def rows_of(queryset, found, rows):
    """Return what a queryset found, as the tuples that its statement gives."""
    if found and isinstance(found[0], models.Model):
        return values_of(queryset, found, rows)
    return [tuple(row.values()) if isinstance(row, dict) else row for row in found]


def test_rows_of_the_statement_are_those_of_the_queryset(face, database, records):
    querysets = {name: make(objects_of) for name, make in corpus.QUERYSETS.items()}
    rows = core_rows(face, database, {name: queryset.statement for name, queryset in querysets.items()})
    found = {name: rows_of(queryset, face.list(queryset), rows[name]) for name, queryset in querysets.items()}
    assert {name: [tuple(row) for row in of_core] for name, of_core in rows.items()} == found
    assert sum(not rows for rows in found.values()) <= 5, [name for name, rows in found.items() if not rows]


# -- objects from statements ------------------------------------------------------------------------------

album, artist, track = (model.__table__ for model in (corpus.Album, corpus.Artist, corpus.Track))


def tracks_of(low, names):
    return (
        sa.select(track, album.c.title.label("on"), (album.c.price * 2).label("double"))
        .join(album, album.c.id == track.c.album_id)
        .where(track.c.seconds > low, album.c.title.in_(names))
        .order_by(track.c.id)
    )


def test_a_statement_is_compiled_once_whatever_its_values(face, database, records, monkeypatch):
    made = []
    compile_given = core_statements.compile_given
    monkeypatch.setattr(
        core_statements,
        "compile_given",
        lambda *args, **options: made.append(args) or compile_given(*args, **options),
    )

    def ask(low, *names):
        found = face.list(corpus.Track.objects.from_statement(tracks_of(low, names)))
        return [(one.pk, one.on, one.double, one.recorded is None) for one in found]

    with configuration.override(FACADE_SHAPE_CACHE=True):
        first = ask(20, "Album 1%", "Album 2%")
        assert first[0] == (11, "Album 1%", decimal.Decimal("5.00"), False)
        assert {on for _, on, _, _ in first} == {"Album 1%", "Album 2%"}
        assert ask(40, "Album 2%") == [row for row in first if row[1] == "Album 2%"]
        assert ask(20) == []
        assert len(ask(0, "Album 1%", "Album 2%", "Live Album 3%")) == 5
        assert len(made) == 1
        kept = [item for item in visitors.iterate(made[0][0]) if isinstance(item, sa.BindParameter)]
        assert {item.value for item in kept} == {None}
        (other,) = face.list(corpus.Track.objects.from_statement(sa.select(track).where(track.c.id == 11)))
        assert other.seconds == 21
        assert len(made) == 2
        for low in (21, 41):  # a parameter whose value a function gives
            given = sa.bindparam(None, callable_=lambda low=low: low, type_=sa.Integer)
            late = sa.select(track).where(track.c.seconds == given)
            assert [one.seconds for one in face.list(corpus.Track.objects.from_statement(late))] == [low]
        assert len(made) == 3


@pytest.mark.parametrize("chunk_size", [2, 100])
def test_a_statement_streams(face, database, records, assert_queries, chunk_size):
    statement = tracks_of(0, [f"Album {number}%" for number in range(9)])
    rows = corpus.Track.objects.from_statement(statement)
    whole = [(one.pk, one.on) for one in face.list(rows)]
    with assert_queries(1):
        assert [(one.pk, one.on) for one in face.iterate(rows.iterator, chunk_size)] == whole
    related = corpus.Track.objects.prefetch_related("album__artist").from_statement(statement)
    chunks = -(-len(whole) // chunk_size)
    with assert_queries(1 + 2 * chunks):
        for one in face.iterate(related.iterator, chunk_size):
            assert one.album.title == one.on
            assert one.album.artist.pk
    with assert_queries(1 + 2):
        assert {one.album.artist.name for one in face.list(related)}


def test_a_stream_is_left_and_the_connection_is_free(face, database, records):
    rows = corpus.Track.objects.from_statement(sa.select(track).order_by(track.c.id))
    for one in face.iterate(rows.iterator, 1):
        assert one.pk == 11
        break
    with face.block(atomic()):
        stream = face.iterate(rows.iterator, 3)
        first = next(stream)
        face(corpus.Track.objects.filter(pk=first.pk).update, text="seen")
        assert len([first, *stream]) == face(corpus.Track.objects.count)


def test_a_text_streams_where_its_columns_are_named(face, database, records, assert_queries):
    sql = "SELECT id, title, seconds * 2 FROM tests_track WHERE number = :number ORDER BY id"
    text = sa.text(sql).bindparams(number=1)
    named = text.columns(track.c.id, track.c.title, sa.column("twice", sa.Integer))
    found = list(face.iterate(corpus.Track.objects.from_statement(named).iterator, 2))
    assert [(one.pk, one.twice) for one in found][:2] == [(11, 42), (21, 82)]
    assert face.list(corpus.Track.objects.from_statement(text)) == found
    by_name = text.columns(title=sa.String, id=sa.Integer)
    assert [one.title for one in face.list(corpus.Track.objects.from_statement(by_name))] == [
        one.title for one in found
    ]
    with assert_queries(0):
        for unknown in (text, by_name):
            with pytest.raises(TypeError, match=r"text\(...\)\.columns\(Track\.__table__\.c\.id"):
                list(face.iterate(corpus.Track.objects.from_statement(unknown).iterator))
        rows = corpus.Track.objects.from_statement(named)
        with pytest.raises(ValueError, match="strictly positive"):
            list(face.iterate(rows.iterator, 0))
        with pytest.raises(FieldDoesNotExist, match="must include the primary key"):
            list(face.iterate(corpus.Track.objects.from_statement(sa.select(track.c.title)).iterator))


def test_sets_and_writes_that_return_rows_are_statements_too(face, database, records):
    both = sa.union_all(
        sa.select(artist.c.id, artist.c.name).where(artist.c.id == 1),
        sa.select(artist.c.id, artist.c.name).where(artist.c.id == 3),
    ).order_by("id")
    found = face.list(corpus.Artist.objects.from_statement(both))
    assert [(one.pk, one.name, "born" in one.get_deferred_fields()) for one in found] == [
        (1, "Ada", True),
        (3, "Cid", True),
    ]
    assert list(face.iterate(corpus.Artist.objects.from_statement(both).iterator)) == found
    if database.vendor != "mysql":  # whose UPDATE returns nothing
        loud = (
            sa.update(artist)
            .where(artist.c.id < 3)
            .values(name=sa.func.upper(artist.c.name))
            .returning(artist)
        )
        assert sorted(one.name for one in face.list(corpus.Artist.objects.from_statement(loud))) == [
            "ADA",
            "BOB",
        ]
        assert face(corpus.Artist.objects.get, pk=2).name == "BOB"
