"""Models on tables whose primary key has several columns."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from facade import models
from facade.meta.registry import isolate_apps
from facade.models import F
from tests.test_existing_tables import Reversed, made


class Base(orm.DeclarativeBase):
    pass


class HallORM(Base):
    __tablename__ = "halls"

    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(20))


class SeatORM(Base):
    __tablename__ = "seats"

    hall_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey(HallORM.id), primary_key=True)
    label: orm.Mapped[str] = orm.mapped_column("code", Reversed, primary_key=True)
    price: orm.Mapped[int] = orm.mapped_column(default=5)
    hall: orm.Mapped[HallORM] = orm.relationship()


class Hall(models.Model):
    class Meta:
        app_label = "existing_keys"
        table = HallORM


class Seat(models.Model):
    class Meta:
        app_label = "existing_keys"
        table = SeatORM


@pytest.fixture
def engine(database):
    engine = made(database, *Base.metadata.sorted_tables)
    with orm.Session(engine) as session:
        session.add_all([HallORM(id=1, name="old"), HallORM(id=2, name="new")])
        session.flush()
        session.add_all(
            [
                SeatORM(hall_id=1, label="ab"),
                SeatORM(hall_id=1, label="cd", price=7),
                SeatORM(hall_id=2, label="ab"),
            ]
        )
        session.commit()
    yield engine
    engine.dispose()


def rows(engine):
    with orm.Session(engine) as session:
        return {
            (seat.hall_id, seat.label): seat.price
            for seat in session.scalars(sa.select(SeatORM).order_by(SeatORM.hall_id))
        }


def test_the_key_is_that_of_the_table():
    assert [field.attname for field in Seat._meta.pk_fields] == ["hall_id", "label"]
    assert Seat._meta.pk.name == "pk"
    assert Seat.__table__ is SeatORM.__table__


def test_rows_are_found_by_their_key(face, engine, assert_queries):
    with assert_queries(1):
        seat = face(Seat.objects.select_related("hall").get, pk=(1, "cd"))
    assert (seat.pk, seat.price, seat.hall.name) == ((1, "cd"), 7, "old")
    found = Seat.objects.filter(pk__in=[(1, "ab"), (2, "ab"), (2, "cd")]).order_by("pk")
    assert face.list(found.values_list("pk", flat=True)) == [(1, "ab"), (2, "ab")]
    assert face(Seat.objects.in_bulk, [(2, "ab")]) == {(2, "ab"): Seat(hall_id=2, label="ab")}
    assert face(Seat.objects.filter(hall__name="new").exists)


def test_rows_are_stored_by_their_key(face, engine, assert_queries):
    seat = face(Seat.objects.create, hall_id=2, label="xy")
    assert (seat.pk, seat.price) == ((2, "xy"), 5)
    seat.price = 9
    with assert_queries(1):
        face(seat.save)
    face(Seat.objects.filter(pk=(1, "ab")).update, price=F("price") * 2)
    assert rows(engine) == {(1, "ab"): 10, (1, "cd"): 7, (2, "ab"): 5, (2, "xy"): 9}
    seat.price = 1
    face(seat.refresh_from_db)
    assert seat.price == 9
    face(seat.delete)
    face(Seat.objects.filter(pk__gt=(1, "zz")).delete)
    assert rows(engine) == {(1, "ab"): 10, (1, "cd"): 7}


def test_many_rows_are_stored_by_their_keys(face, engine):
    face(
        Seat.objects.bulk_create,
        [Seat(hall_id=2, label=label, price=price) for label, price in (("x", 1), ("y", 2))],
    )
    some = face.list(Seat.objects.filter(hall_id=2))
    for seat in some:
        seat.price += 100
    face(Seat.objects.bulk_update, some, ["price"])
    assert rows(engine) == {(1, "ab"): 5, (1, "cd"): 7, (2, "ab"): 105, (2, "x"): 101, (2, "y"): 102}


def test_a_declared_key_is_kept():
    benches = sa.Table(
        "benches",
        sa.MetaData(),
        sa.Column("row", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    )
    with isolate_apps():

        class Bench(models.Model):
            pk = models.CompositePrimaryKey("number", "row")

            class Meta:
                app_label = "existing_keys"
                table = benches

        assert Bench(row=1, number=2).pk == (2, 1)
