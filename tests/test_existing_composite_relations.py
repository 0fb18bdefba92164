"""Foreign keys of several columns in existing tables: relations that a mapped class's `relationship()` names."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from facade import models
from facade.models import DB_CASCADE, Count
from tests.test_existing_tables import made


class Base(orm.DeclarativeBase):
    pass


class EditionORM(Base):
    __tablename__ = "composite_editions"
    book: orm.Mapped[str] = orm.mapped_column(sa.String(20), primary_key=True)
    number: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    year: orm.Mapped[int | None]
    orders: orm.Mapped[list[OrderORM]] = orm.relationship(
        back_populates="edition", foreign_keys="[OrderORM.book, OrderORM.edition_number]"
    )


class OrderORM(Base):
    __tablename__ = "composite_orders"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    book: orm.Mapped[str] = orm.mapped_column(sa.String(20))
    edition_number: orm.Mapped[int] = orm.mapped_column()
    gift: orm.Mapped[int | None] = orm.mapped_column()
    edition: orm.Mapped[EditionORM] = orm.relationship(
        back_populates="orders", foreign_keys=[book, edition_number]
    )
    present: orm.Mapped[EditionORM | None] = orm.relationship(
        foreign_keys=[book, gift], overlaps="edition,orders,recent"
    )
    recent: orm.Mapped[EditionORM | None] = orm.relationship(
        primaryjoin=sa.and_(
            book == EditionORM.book, edition_number == EditionORM.number, EditionORM.year > 2000
        ),
        foreign_keys=[book, edition_number],
        overlaps="edition,orders,present",
    )
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["book", "edition_number"],
            ["composite_editions.book", "composite_editions.number"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["book", "gift"], ["composite_editions.book", "composite_editions.number"]),
    )


class Order(models.Model):  # before the model that it refers to
    class Meta:
        app_label = "composite"
        table = OrderORM


class Edition(models.Model):
    class Meta:
        app_label = "composite"
        table = EditionORM


@pytest.fixture
def engine(database):
    engine = made(database, *Base.metadata.sorted_tables)
    yield engine
    engine.dispose()


def test_the_relations_are_those_of_the_mapped_class():
    found = {field.name: field for field in Order._meta.get_fields()}
    assert list(found) == ["id", "book", "edition_number", "gift", "edition", "present"]
    edition, present = found["edition"], found["present"]
    assert (edition.from_fields, edition.to_fields) == (["book", "edition_number"], ["book", "number"])
    assert (edition.null, present.null, edition.remote_field.on_delete) == (False, True, DB_CASCADE)
    assert (edition.remote_field.related_name, present.remote_field.related_name) == ("orders", "+")


def test_reading(face, engine, assert_queries):
    first = face(Edition.objects.create, book="Notes", number=1, year=1843)
    face(Edition.objects.create, book="Notes", number=2)
    order = face(Order.objects.create, edition=first)
    assert (order.book, order.edition_number) == ("Notes", 1)
    other = face(Order.objects.create, book="Notes", edition_number=2, gift=1)
    with assert_queries(1):
        loaded = face(Order.objects.select_related("edition", "present").get, pk=order.pk)
        assert (loaded.edition.year, loaded.present) == (1843, None)
    assert face(Order.objects.filter(edition__year=1843).get) == order
    assert face(Order.objects.filter(edition=first).get) == order
    assert face(Order.objects.filter(present=first).get) == other
    assert face(Order.objects.filter(present=None).get) == order
    assert face.list(first.orders.all()) == [order]
    assert face(Edition.objects.filter(orders=other).get).number == 2
    counts = Edition.objects.annotate(n=Count("orders")).order_by("number").values_list("number", "n")
    assert face.list(counts) == [(1, 1), (2, 1)]
    with orm.Session(engine) as session:
        assert session.get(OrderORM, other.pk).edition.number == 2


def test_prefetching(face, engine, assert_queries):
    first = face(Edition.objects.create, book="Notes", number=1)
    orders = [face(Order.objects.create, edition=first) for _ in range(2)]
    with assert_queries(2):
        found = face.list(Order.objects.prefetch_related("edition"))
        assert [order.edition for order in found] == [first, first]
    with assert_queries(2):
        (edition,) = face.list(Edition.objects.prefetch_related("orders"))
        assert sorted(order.pk for order in edition.orders.all()) == [order.pk for order in orders]


def test_the_database_deletes_what_the_constraint_says(face, engine):
    first = face(Edition.objects.create, book="Notes", number=1)
    face(Order.objects.create, edition=first)
    face(first.delete)
    assert face(Order.objects.count) == 0


def test_cleaning_reads_nothing(face, engine, assert_queries):
    face(Edition.objects.create, book="Notes", number=1)
    face(Order.objects.create, book="Notes", edition_number=1)
    order = face(Order.objects.get)
    with assert_queries(0):
        face(order.full_clean)
