"""Columns of types that only one database has, or that SQLAlchemy's ORM gives a meaning: on models of existing tables."""

from __future__ import annotations

import enum
import ipaddress

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql

import facade
from facade import models
from facade.exceptions import IntegrityError
from facade.meta.registry import isolate_apps
from facade.models import F
from tests.test_existing_tables import made, small, standing


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


@pytest.fixture
def diary(database):
    metadata = sa.MetaData()
    table = sa.Table(
        "diary",
        metadata,
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("mood", postgresql.ENUM(Mood, name="mood")),
        sa.Column("word", postgresql.CITEXT(), unique=True),
        sa.Column("raw", postgresql.JSON()),
        sa.Column("doc", postgresql.JSONB()),
        sa.Column("tags", postgresql.ARRAY(sa.Text)),
        sa.Column("address", postgresql.INET()),
        sa.Column("small", sa.REAL),
        sa.Column("number", sa.Integer, sa.Sequence("diary_number", start=7, metadata=metadata)),
        sa.Column("other", sa.Integer, sa.Identity(start=30)),
        sa.Column("filled", sa.Text, server_default=sa.FetchedValue(), server_onupdate=sa.FetchedValue()),
    )
    engine = sa.create_engine(
        sa.make_url(database.url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP EXTENSION IF EXISTS citext CASCADE")
        connection.exec_driver_sql("DROP TYPE IF EXISTS mood CASCADE")
        connection.exec_driver_sql("DROP SEQUENCE IF EXISTS diary_number CASCADE")
        connection.exec_driver_sql("CREATE EXTENSION citext")
        metadata.create_all(connection)
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION diary_fill() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN NEW.filled := TG_OP; RETURN NEW; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON diary FOR EACH ROW EXECUTE FUNCTION diary_fill()"
        )
    with isolate_apps():
        yield standing(table)
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP EXTENSION citext CASCADE")
    engine.dispose()


@pytest.mark.vendors("postgres")
def test_types_of_postgresql(face, diary):
    day = {
        "mood": Mood.GOOD,
        "word": "Ada",
        "raw": {"a": [1]},
        "doc": {"b": None},
        "tags": ["x", "y"],
        "address": ipaddress.ip_address("10.0.0.1"),
        "small": 0.1,
    }
    first = face(diary.objects.create, **day)
    assert (first.number, first.other, first.filled) == (7, 30, "INSERT")
    face(diary.objects.bulk_create, [diary(word="eve", mood=Mood.BAD), diary(word="Bob")])
    found = face(diary.objects.get, pk=first.pk)
    assert {name: getattr(found, name) for name in day} == {**day, "small": pytest.approx(0.1)}
    for condition, count in (
        ({"mood": Mood.GOOD}, 1),
        ({"mood__in": [Mood.GOOD, Mood.BAD]}, 2),
        ({"word": "ADA"}, 1),
        ({"word__in": ["ADA", "EVE"]}, 2),
        ({"raw": {"a": [1]}}, 1),
        ({"raw__a__0": 1}, 1),
        ({"raw__has_key": "a"}, 1),
        ({"raw__contains": {"a": [1]}}, 1),
        ({"raw__in": [{"a": [1]}]}, 1),
        ({"doc__b": None}, 1),
        ({"tags": ["x", "y"]}, 1),
        ({"tags__in": [["x", "y"], ["z"]]}, 1),
        ({"address": ipaddress.ip_address("10.0.0.1")}, 1),
        ({"small__in": [0.1]}, 1),
    ):
        assert face(diary.objects.filter(**condition).count) == count, condition
    assert face(diary.objects.exclude(word__in=["ADA"]).count) == 2
    assert face.list(diary.objects.order_by("word").values_list("word", "mood")) == [
        ("Ada", Mood.GOOD),
        ("Bob", None),
        ("eve", Mood.BAD),
    ]
    found.mood, found.raw = Mood.BAD, ["new"]
    face(found.save)
    assert (found.filled, found.number) == ("UPDATE", 7)
    assert face(diary.objects.filter(word="BOB").update, mood=Mood.GOOD, tags=["z"], raw={"k": 1}) == 1
    rows = face.list(diary.objects.order_by("number"))
    assert [(row.mood, row.raw, row.tags) for row in rows] == [
        (Mood.BAD, ["new"], ["x", "y"]),
        (Mood.BAD, None, None),
        (Mood.GOOD, {"k": 1}, ["z"]),
    ]
    for row in rows:
        row.mood, row.word = Mood.GOOD, row.word.upper()
    face(diary.objects.bulk_update, rows, ["mood", "word", "raw", "tags"])
    assert face(diary.objects.filter(mood=Mood.GOOD, word__in=["ada", "eve", "bob"]).count) == 3
    face(
        diary.objects.bulk_create,
        [diary(word="ADA", mood=Mood.BAD)],
        update_conflicts=True,
        unique_fields=["word"],
        update_fields=["mood"],
    )
    assert face(diary.objects.get, word="ada").mood == Mood.BAD
    face(diary.objects.filter(word="eve").delete)
    assert face(diary.objects.count) == 2


@pytest.mark.vendors("postgres")
def test_types_of_postgresql_as_the_database_describes_them(face, diary):
    face(diary.objects.create, mood=Mood.GOOD, word="Ada", raw={"a": 1}, tags=["x"])
    with isolate_apps():
        again = standing("diary")
        found = face(again.objects.get, word="ADA")
        assert (found.mood, found.raw, found.tags, found.number, found.other) == (
            "GOOD",
            {"a": 1},
            ["x"],
            7,
            30,
        )
        made = face(again.objects.create, mood="BAD")
        assert (made.number, made.other, made.filled) == (None, 31, None)


# -- what SQLAlchemy's ORM says of classes -----------------------------------------------------------


def test_defaults_of_dataclasses(face, database):
    class Registry(orm.MappedAsDataclass, orm.DeclarativeBase):
        pass

    class Card(Registry):
        __tablename__ = "cards"
        id: orm.Mapped[int] = orm.mapped_column(init=False, primary_key=True)
        front: orm.Mapped[str] = orm.mapped_column(sa.String(10), default="front")
        back: orm.Mapped[str] = orm.mapped_column(sa.String(10), default_factory=lambda: "back")
        note: orm.Mapped[str | None] = orm.mapped_column(sa.String(10), default=None)

    made(database, Card.__table__).dispose()
    with isolate_apps():
        card = standing(Card)
        assert (card().front, card().back, card().note) == ("front", "back", None)
        face(card.objects.create)
        assert face(card.objects.values_list("front", "back", "note").get) == ("front", "back", None)


def test_defaults_that_look_at_the_row(face, database, assert_queries):
    def slug(context):
        return context.get_current_parameters()["title"].lower()

    def code(context):
        return f"{context.get_current_parameters()['slug key']}-{context.dialect.name}"

    table = sa.Table(
        "posts",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.String(10), nullable=False, unique=True),
        sa.Column("slug", sa.String(10), key="slug key", nullable=False, default=slug),
        sa.Column("code", sa.String(30), default=code),
    )
    engine = made(database, table)
    with engine.begin() as connection:
        connection.execute(table.insert().values(title="CORE"))
    with isolate_apps():
        post = standing(table)
        assert post().slug_key is None
        with assert_queries(1):
            one = face(post.objects.create, title="ONE")
        name = engine.dialect.name
        assert (one.slug_key, one.code) == ("one", f"one-{name}")
        own = face(post.objects.create, title="OWN", slug_key="mine", code="own")
        with assert_queries(1):
            face(post.objects.bulk_create, [post(title="TWO"), post(title="THREE", code="3")])
        found = face.list(post.objects.order_by("pk").values_list("slug_key", "code"))
        assert found == [
            ("core", f"core-{name}"),
            ("one", f"one-{name}"),
            ("mine", "own"),
            ("two", f"two-{name}"),
            ("three", "3"),
        ]
        again = post(title="ONE")
        with pytest.raises(IntegrityError):
            face(again.save)
        assert (again.slug_key, again.code) == (None, None)
        again.title = "FOUR"
        face(again.full_clean)
        face(again.save)
        assert face(post.objects.get, pk=again.pk).slug_key == "four"
        own.code = None
        face(own.save)  # an UPDATE stores what the object has
        assert face(post.objects.get, pk=own.pk).code is None
    engine.dispose()


def test_a_key_that_looks_at_the_row(face, database):
    table = sa.Table(
        "keyed",
        sa.MetaData(),
        sa.Column(
            "code", sa.String(10), primary_key=True, default=lambda row: row.current_parameters["name"][:2]
        ),
        sa.Column("name", sa.String(10)),
    )
    made(database, table).dispose()
    with isolate_apps():
        keyed = standing(table)
        assert face(keyed.objects.create, name="Ada").pk == "Ad"
        face(keyed.objects.bulk_create, [keyed(name="Eve"), keyed(pk="own", name="Bob")])
        assert sorted(face.list(keyed.objects.values_list("pk", flat=True))) == ["Ad", "Ev", "own"]


def test_a_key_with_a_default_of_its_own(face, database):
    table = sa.Table(
        "tokens",
        sa.MetaData(),
        sa.Column("code", sa.String(10), primary_key=True, default=iter("abc").__next__),
    )
    made(database, table).dispose()
    with isolate_apps():
        token = standing(table)
        assert face(token.objects.create).pk == "a"
        face(token.objects.bulk_create, [token(), token()])
        assert sorted(face.list(token.objects.values_list("pk", flat=True))) == ["a", "b", "c"]


def test_facade_and_the_orm_share_a_transaction(database):
    table = small(sa.Column("n", sa.Integer, nullable=False))

    class Registry(orm.DeclarativeBase):
        pass

    class Row(Registry):
        __table__ = table.to_metadata(Registry.metadata)

    engine = made(database, Row.__table__)
    with isolate_apps():
        model = standing(Row)
        with orm.Session(engine) as session, facade.using_connection(session):
            session.add(Row(n=1))
            session.flush()
            one = model.objects.get()
            model.objects.update(n=F("n") + 1)
            session.expire_all()
            assert session.get(Row, one.pk).n == 2
            session.rollback()
        assert model.objects.count() == 0
    engine.dispose()


def test_three_hundred_models_are_made_and_used():
    metadata = sa.MetaData()
    tables = [
        sa.Table(
            f"t{n}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(20)),
            sa.Column("before_id", sa.ForeignKey(f"t{n - 1}.id") if n else sa.Integer),
        )
        for n in range(300)
    ]
    with isolate_apps():
        found = [
            type(
                f"M{n}",
                (models.Model,),
                {"__module__": __name__, "Meta": type("Meta", (), {"table": table, "app_label": "many"})},
            )
            for n, table in enumerate(tables)
        ]
        assert [model._meta.get_field("before").related_model for model in found[1:]] == found[:-1]
