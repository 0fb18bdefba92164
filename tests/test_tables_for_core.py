"""The tables of models in the hands of SQLAlchemy: Core's INSERTs and UPDATEs, and classes that its ORM maps on them."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Session, registry, relationship
from sqlalchemy.schema import CreateTable

from facade import models
from facade.apps import isolate_apps
from facade.expressions.calls import DatabaseDefault
from facade.fields.base import Field
from facade.models import F, Value
from facade.models.functions import Upper
from tests.models import Author, Book, Publisher
from tests.test_sqlalchemy import url_for

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


class Coordinate(Field):
    """A field that says itself how its values are stored."""

    def get_internal_type(self):
        return "TextField"

    def get_db_prep_value(self, value, connection, prepared=False):
        return value if isinstance(value, str) else ";".join(map(str, value))

    def from_db_value(self, value, expression, connection):
        return tuple(map(int, value.split(";")))


@pytest.fixture
def parcel():
    """A model whose fields have defaults of all kinds; `parcel.calls` counts those of one that is called."""
    calls = []

    def weigh():
        calls.append(1)
        return len(calls)

    with isolate_apps("tests"):

        class Parcel(models.Model):
            name = models.CharField(max_length=20)
            size = models.IntegerField(default=18)
            price = models.DecimalField(default="1.50", max_digits=5, decimal_places=2)
            key = models.UUIDField(default=uuid.uuid4)
            tags = models.JSONField(default=dict)
            weight = models.IntegerField(default=weigh)
            place = Coordinate(default=(1, 2))
            note = models.CharField(max_length=20, null=True)
            shout = models.CharField(max_length=20, default=Upper(Value("hey")))
            both = models.CharField(max_length=20, default="python", db_default="database")
            made = models.DateTimeField(auto_now_add=True)
            changed = models.DateTimeField(auto_now=True)

        Parcel.calls = calls
        yield Parcel


@pytest.fixture
def in_session(face, database):
    """A function that runs `work(session)` in a Session or AsyncSession of an engine of SQLAlchemy's, and commits."""

    def sync(work):
        engine = sa.create_engine(url_for(database, face))
        try:
            with Session(engine) as session, session.begin():
                return work(session)
        finally:
            engine.dispose()

    async def other(work):
        engine = create_async_engine(url_for(database, face))
        try:
            async with AsyncSession(engine) as session, session.begin():
                return await session.run_sync(work)
        finally:
            await engine.dispose()

    return (lambda work: face.wait(other(work))) if face.is_async else sync


def now():
    return dt.datetime.now(dt.UTC)


# -- Core ------------------------------------------------------------------------------------------------------------


def test_an_insert_of_cores_has_the_defaults_of_the_fields(face, database, in_session, parcel):
    database.create(parcel)
    begun, table = now(), parcel.__table__
    in_session(lambda session: session.execute(table.insert().values(name="one")))
    (one,) = face.list(parcel.objects.all())
    assert (one.size, one.price, one.tags, one.weight) == (18, decimal.Decimal("1.50"), {}, 1)
    assert (one.place, one.note, one.shout, one.both) == ((1, 2), None, "HEY", "python")
    assert one.key.version == 4
    margin = dt.timedelta(milliseconds=1)  # MariaDB's clock may be read with fewer digits
    assert begun - margin <= one.made <= one.changed <= now()


def test_each_row_has_its_own(face, database, in_session, parcel):
    database.create(parcel)
    table = parcel.__table__

    def work(session):
        session.execute(table.insert(), [{"name": "a"}, {"name": "b"}])
        session.execute(table.insert().values([{"name": "c"}, {"name": "d"}]))

    in_session(work)
    rows = face.list(parcel.objects.order_by("name"))
    assert [row.weight for row in rows] == [1, 2, 3, 4]
    assert len({row.key for row in rows}) == 4


def test_what_is_given_is_taken(face, database, in_session, parcel):
    database.create(parcel)
    insert = parcel.__table__.insert().values(name="a", size=7, weight=None, tags=[1], made=LONG_AGO)
    with pytest.raises(sa.exc.IntegrityError):
        in_session(lambda session: session.execute(insert))
    in_session(lambda session: session.execute(insert.values(weight=3)))
    row = face(parcel.objects.get)
    assert (row.size, row.weight, row.tags, row.made) == (7, 3, [1], LONG_AGO)
    assert not parcel.calls


def test_an_update_of_cores_sets_what_is_set_at_every_change(face, database, in_session, parcel):
    database.create(parcel)
    face(parcel.objects.create, name="a")
    face(parcel.objects.update, changed=LONG_AGO, made=LONG_AGO)
    in_session(lambda session: session.execute(parcel.__table__.update().values(name="b")))
    row = face(parcel.objects.get)
    assert (row.name, row.made) == ("b", LONG_AGO)
    assert row.changed > LONG_AGO


@pytest.mark.without("mariadb", reason="SQLAlchemy writes RETURNING for URLs that say mariadb only")
def test_a_statement_that_facade_runs_for_the_user_has_them_too(face, database, parcel):
    database.create(parcel)
    insert = parcel.__table__.insert().values([{"name": "a"}, {"name": "b"}]).returning(parcel.__table__)
    rows = face.list(parcel.objects.from_statement(insert))
    assert [(row.name, row.size, row.weight, row.tags, row.place) for row in rows] == [
        ("a", 18, 1, {}, (1, 2)),
        ("b", 18, 2, {}, (1, 2)),
    ]
    face(parcel.objects.update, changed=LONG_AGO)
    update = parcel.__table__.update().values(name="c").where(sa.text("name = 'a'"))
    (changed,) = face.list(parcel.objects.from_statement(update.returning(parcel.__table__)))
    assert changed.changed > LONG_AGO


# -- facade's own statements are what they were --------------------------------------------------------------------------


def test_facade_asks_a_default_once(face, database, assert_queries, parcel):
    database.create(parcel)
    with assert_queries(1):
        face(parcel.objects.create, name="a")
    assert len(parcel.calls) == 1
    face(parcel.objects.bulk_create, [parcel(name="b"), parcel(name="c")])
    assert len(parcel.calls) == 3


def test_facade_updates_what_it_is_told_to(face, database, assert_queries, parcel):
    database.create(parcel)
    row = face(parcel.objects.create, name="a")
    face(parcel.objects.update, changed=LONG_AGO)
    with assert_queries(4) as captured:
        face(parcel.objects.update, name="b")
        face(parcel.objects.update, size=F("weight"), name=Upper("name"))
        face(row.save, update_fields=["name"])
        row.name = Upper(Value("c"))
        face(row.save, update_fields=["name"])
    assert not [query for query in captured.captured_queries if "changed" in query["sql"]]
    row.name = "d"
    face(parcel.objects.bulk_update, [row], ["name"])
    stored = face(parcel.objects.get)
    assert (stored.name, stored.changed) == ("d", LONG_AGO)


def test_facade_leaves_to_the_database_what_it_is_told_to(face, database, parcel):
    database.create(parcel)
    left = DatabaseDefault(Value("database"))
    face(parcel(name="a", both=left).save)
    face(parcel.objects.bulk_create, [parcel(name="b", both=left), parcel(name="c")])
    stored = face.list(parcel.objects.order_by("name").values_list("both", flat=True))
    assert stored == ["database", "database", "python"]


# -- definitions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", [sqlite, postgresql, mysql])
def test_no_default_reaches_the_definition(parcel, dialect):
    text = str(CreateTable(parcel.__table__).compile(dialect=dialect.dialect()))
    assert text.count("DEFAULT") - text.count("BY DEFAULT") == 1, "that of db_default"


def test_a_column_names_its_field_and_so_its_model():
    column = Book.__table__.c.author_id
    assert column.info["facade.field"] is Book._meta.get_field("author")
    assert column.info["facade.field"].model is Book
    assert not Book.__table__.info, "Alembic would write it into migrations"


def test_scalars_are_there_to_be_read(parcel):
    assert parcel.__table__.c.size.default.arg == 18
    assert parcel.__table__.c.both.default.arg == "python"
    assert repr(parcel.__table__.c.key.default.arg.__wrapped__) == "<get_default of tests.Parcel.key>"
    assert parcel.__table__.c.note.default is None
    assert parcel.__table__.c.name.default is None, "an empty text is nobody's default"


def test_copies_of_a_table_keep_the_defaults(parcel):
    copy = parcel.__table__.to_metadata(sa.MetaData())
    assert copy.c.size.default.arg == 18
    assert copy.c.changed.onupdate is not None


# -- classes of SQLAlchemy's on the tables ---------------------------------------------------------------------------------


class Plain:
    """A class that knows nothing of tables."""

    def __init__(self, **values):
        for name, value in values.items():
            setattr(self, name, value)


@pytest.fixture
def imperative():
    """Classes that are mapped on the tables of Author and Book."""
    mapped = registry()
    writer, volume = type("WriterORM", (Plain,), {}), type("VolumeORM", (Plain,), {})
    mapped.map_imperatively(
        writer,
        Author.__table__,
        properties={
            "volumes": relationship(volume, back_populates="writer", order_by=Book.__table__.c.title)
        },
    )
    mapped.map_imperatively(
        volume, Book.__table__, properties={"writer": relationship(writer, back_populates="volumes")}
    )
    yield writer, volume
    mapped.dispose()


@pytest.fixture
def declarative():
    """Declarative classes whose `__table__` are those of Author and Book."""

    class Base(DeclarativeBase):
        pass

    class WriterORM(Base):
        __table__ = Author.__table__
        volumes = relationship("VolumeORM", back_populates="writer", order_by=Book.__table__.c.title)

    class VolumeORM(Base):
        __table__ = Book.__table__
        writer = relationship(WriterORM, back_populates="volumes")

    yield WriterORM, VolumeORM
    Base.registry.dispose()


@pytest.fixture(params=["imperative", "declarative"])
def mapped(request):
    return request.getfixturevalue(request.param)


def test_mapped_classes_share_the_rows(face, database, in_session, mapped):
    writer, volume = mapped
    database.create(Publisher, Author, Book)
    ada = face(Author.objects.create, name="Ada")
    face(Book.objects.create, title="Engines", author=ada)

    def work(session):
        known = session.scalars(sa.select(writer)).one()
        titles = [one.title for one in known.volumes]
        known.volumes.append(volume(title="Notes"))
        known.age = 36
        session.add(writer(name="Bob", email="", volumes=[volume(title="Other")]))
        return titles

    assert in_session(work) == ["Engines"]
    found = face.list(
        Book.objects.order_by("title").values_list("title", "author__name", "author__age", "pages")
    )
    assert found == [("Engines", "Ada", 36, 0), ("Notes", "Ada", 36, 0), ("Other", "Bob", None, 0)]


def test_new_objects_of_the_orm_have_the_defaults(face, database, in_session, parcel):
    database.create(parcel)
    mapped, plain = registry(), type("ParcelORM", (Plain,), {})
    mapped.map_imperatively(plain, parcel.__table__)

    def work(session):
        new = plain(name="a")
        session.add(new)
        session.flush()
        found = (new.size, new.price, new.tags, new.weight, new.both)
        before = new.changed
        new.name = "b"
        session.flush()
        return new.id, new.key, new.made, found, before, new.changed

    number, key, made, found, before, changed = in_session(work)
    mapped.dispose()
    assert found == (18, decimal.Decimal("1.50"), {}, 1, "python")
    assert before < changed
    row = face(parcel.objects.get, pk=number)
    assert (row.name, row.key, row.weight, row.made, row.changed) == ("b", key, 1, made, changed)


def test_a_model_may_stand_on_the_table_of_another_registry(face, database, parcel):
    with isolate_apps("tests") as other:

        class Seen(models.Model):
            place = Coordinate(default=(3, 4))

            class Meta:
                table = parcel.__table__

    database.create(parcel)
    seen = face(Seen.objects.create, name="a", shout="ho", weight=1)
    face(Seen.objects.update, name="b")
    row = face(parcel.objects.get)
    assert (row.size, row.key, row.place, row.tags, row.shout) == (18, seen.key, (3, 4), {}, "ho")
    assert row.changed > row.made
    assert not other.metadata.tables


def test_mapped_classes_and_foreign_keys_outlive_a_field_that_is_added(face, database, in_session):
    with isolate_apps("tests"):

        class Shelf(models.Model):
            name = models.CharField(max_length=9)

        mapped, plain = registry(), type("ShelfORM", (Plain,), {})
        mapped.map_imperatively(plain, Shelf.__table__)
        pointer = sa.ForeignKey(Shelf.__table__.c.id)
        models.IntegerField(default=3).contribute_to_class(Shelf, "boards")
        database.create(Shelf)
        in_session(lambda session: session.add(plain(name="a")))
        assert pointer.column.table is Shelf.__table__
        assert face(Shelf.objects.get).boards == 3
        mapped.dispose()
