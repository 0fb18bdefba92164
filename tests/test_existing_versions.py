"""Versions of rows (`version_id_col`): facade and SQLAlchemy's ORM keep each other from overwriting what they have not seen."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from facade import models
from facade.db.connection import connections
from facade.exceptions import DatabaseError, FieldError, UnsupportedFeature
from facade.meta.registry import isolate_apps
from facade.models import F
from facade.signals import post_delete
from tests.test_existing_tables import made, standing


class Base(orm.DeclarativeBase):
    pass


class ShelfORM(Base):
    __tablename__ = "version_shelves"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)


class PageORM(Base):
    __tablename__ = "version_pages"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(50))
    words: orm.Mapped[int | None]
    shelf_id: orm.Mapped[int | None] = orm.mapped_column(sa.ForeignKey("version_shelves.id"))
    version: orm.Mapped[int] = orm.mapped_column()
    __mapper_args__ = {"version_id_col": version}


class StampedORM(Base):
    """Versions that are no numbers, and may be missing."""

    __tablename__ = "version_stamped"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    title: orm.Mapped[str] = orm.mapped_column(sa.String(50))
    stamp: orm.Mapped[str | None] = orm.mapped_column(sa.String(10))
    __mapper_args__ = {
        "version_id_col": stamp,
        "version_id_generator": lambda seen: f"{seen}+" if seen else "first",
    }


class Shelf(models.Model):
    class Meta:
        app_label = "versions"
        table = ShelfORM


class Page(models.Model):
    shelf = models.ForeignKey(Shelf, models.SET_NULL, db_column="shelf_id", related_name="pages")

    class Meta:
        app_label = "versions"
        table = PageORM


class Stamped(models.Model):
    class Meta:
        app_label = "versions"
        table = StampedORM


@pytest.fixture
def engine(database):
    engine = made(database, *Base.metadata.sorted_tables)
    yield engine
    engine.dispose()


def stored(face, page):
    return face(type(page).objects.values_list("title", "version").get, pk=page.pk)


def test_each_write_counts(face, engine, assert_queries):
    with assert_queries(1):
        page = face(Page.objects.create, title="one")
    assert (page.version, stored(face, page)) == (1, ("one", 1))
    page.title = "two"
    with assert_queries(1):
        face(page.save)
    assert (page.version, stored(face, page)) == (2, ("two", 2))
    page.title = "three"
    with assert_queries(1):
        face(page.save, update_fields=["title"])
    assert (page.version, stored(face, page)) == (3, ("three", 3))
    page.words = F("version") + 10
    face(page.save)
    face(page.refresh_from_db)
    assert (page.version, page.words) == (4, 13)


def test_a_stale_save_is_refused(face, engine, assert_queries):
    page = face(Page.objects.create, title="one")
    other = face(Page.objects.get)
    page.title = "two"
    face(page.save)
    other.title = "lost"
    for options in ({}, {"force_update": True}, {"update_fields": ["title"]}):
        with (
            assert_queries(1),
            pytest.raises(
                Page.NotUpdated, match=r"versions.Page with the primary key .* version 1"
            ) as raised,
        ):
            face(other.save, **options)
        assert isinstance(raised.value, DatabaseError)
        assert other.version == 1
    assert stored(face, page) == ("two", 2)
    other.words = F("version") + 1
    with pytest.raises(Page.NotUpdated):
        face(other.save)
    face(other.refresh_from_db)
    other.title = "three"
    face(other.save)
    assert stored(face, page) == ("three", 3)


def test_a_row_that_is_gone_is_not_made_again(face, engine):
    page = face(Page.objects.create, title="one")
    face(Page.objects.all().delete)
    with pytest.raises(Page.NotUpdated):
        face(page.save)
    assert face(Page.objects.count) == 0
    face(page.save, force_insert=True)
    assert stored(face, page) == ("one", 1)


def test_new_objects_with_a_key(face, engine):
    page = Page(pk=7, title="one")
    face(page.save)
    assert stored(face, page) == ("one", 1)
    with pytest.raises(Page.NotUpdated):
        face(Page(pk=7, title="again").save)
    face(Page(pk=7, title="two", version=1).save)  # as from a form that has kept the version
    assert stored(face, page) == ("two", 2)
    with pytest.raises(Page.NotUpdated):
        face(Page(pk=7, title="three", version=1).save)


def test_deleting(face, engine):
    page = face(Page.objects.create, title="one")
    other = face(Page.objects.get)
    face(page.save)
    with pytest.raises(Page.NotUpdated, match="to delete it"):
        face(other.delete)
    assert other.pk == page.pk
    assert face(page.delete) == (1, {"versions.Page": 1})
    with pytest.raises(Page.NotUpdated):
        face(other.delete)


def test_deleting_with_signals(face, engine):
    page = face(Page.objects.create, title="one")
    other = face(Page.objects.get)
    face(page.save)
    seen = []

    def note(instance, **facts):
        seen.append(instance)

    post_delete.connect(note, sender=Page)
    try:
        with pytest.raises(Page.NotUpdated):
            face(other.delete)
        assert face(page.delete) == (1, {"versions.Page": 1})
    finally:
        post_delete.disconnect(note, sender=Page)
    assert seen == [page]


def test_deleting_what_others_refer_to(face, engine):
    shelf = face(Shelf.objects.create)
    page = face(Page.objects.create, title="one", shelf=shelf)
    face(shelf.delete)
    face(page.refresh_from_db)
    assert (page.shelf_id, page.version) == (None, 2)


def test_update_counts(face, engine, assert_queries):
    pages = face(Page.objects.bulk_create, [Page(title="one"), Page(title="two")])
    assert [page.version for page in pages] == [1, 1]
    with assert_queries(1):
        assert face(Page.objects.update, words=3) == 2
    assert face.list(Page.objects.values_list("version", "words")) == [(2, 3), (2, 3)]
    face(Page.objects.update, version=9)
    assert face.list(Page.objects.values_list("version", flat=True)) == [9, 9]
    with pytest.raises(Page.NotUpdated):
        face(pages[0].save)


def test_bulk_update(face, engine, assert_queries):
    pages = face(Page.objects.bulk_create, [Page(title=f"{n}") for n in range(3)])
    for page in pages:
        page.title += "!"
    assert face(Page.objects.bulk_update, pages, ["title"]) == 3
    assert [page.version for page in pages] == [2, 2, 2]
    assert face.list(Page.objects.order_by("pk").values_list("title", "version")) == [
        ("0!", 2),
        ("1!", 2),
        ("2!", 2),
    ]
    face(face(Page.objects.get, pk=pages[1].pk).save)
    for page in pages:
        page.title = "lost"
    with pytest.raises(Page.NotUpdated, match="Of 3 objects of versions.Page, 1"):
        face(Page.objects.bulk_update, pages, ["title"])
    assert [page.version for page in pages] == [2, 2, 2]
    assert face(Page.objects.filter(title="lost").count) == 0
    pages[0].words = F("version")
    for queryset in (Page.objects.all(), Page.objects.filter(words=None)):
        with pytest.raises(UnsupportedFeature, match="names the version"):
            face(queryset.bulk_update, pages[:1], ["words"])


def test_bulk_create_beside_rows_that_are_there(face, engine):
    page = face(Page.objects.create, title="one")
    again = [Page(pk=page.pk, title="again")]
    with pytest.raises(UnsupportedFeature, match="versions"):
        face(
            Page.objects.bulk_create,
            again,
            update_conflicts=True,
            update_fields=["title"],
            unique_fields=["pk"],
        )
    face(Page.objects.bulk_create, again, ignore_conflicts=True)
    with pytest.raises(FieldError, match="not loaded"):  # nobody knows whose row it is
        face(again[0].save)
    assert stored(face, page) == ("one", 1)


def test_the_version_is_always_loaded(face, engine):
    face(Page.objects.create, title="one")
    for queryset in (Page.objects.only("title"), Page.objects.defer("version", "words")):
        page = face(queryset.get)
        page.title += "!"
        face(page.save)
    assert stored(face, page) == ("one!!", 3)


def test_loading_a_part_keeps_the_version_of_the_rest(face, engine):
    face(Page.objects.create, title="one", words=1)
    page = face(Page.objects.only("title").get)
    other = face(Page.objects.get)
    other.title, other.words = "two", 2
    face(other.save)
    if face.is_async:
        face(page.refresh_from_db, fields=["words"])
    assert (page.title, page.words, page.version) == ("one", 2, 1)
    with pytest.raises(Page.NotUpdated):
        face(page.save)
    face(page.refresh_from_db, fields=["title", "version"])
    face(page.save)
    assert stored(face, page) == ("two", 3)


def test_an_expression_is_no_version_that_was_seen(face, engine):
    page = face(Page.objects.create, title="one")
    page.version = F("version")
    with pytest.raises(Page.NotUpdated):
        face(page.save)
    assert stored(face, page) == ("one", 1)


def test_update_or_create(face, engine):
    face(Page.objects.update_or_create, title="one", defaults={"words": 1})
    page, created = face(Page.objects.update_or_create, title="one", defaults={"words": 2})
    assert (created, page.version, stored(face, page)) == (False, 2, ("one", 2))


def test_failed_inserts_leave_the_object_as_it_was(face, engine):
    page = face(Page.objects.create, title="one")
    again = Page(pk=page.pk, title="two")
    with pytest.raises(DatabaseError):
        face(again.save, force_insert=True)
    assert again.version is None


def test_beside_the_orm(face, engine):
    page = face(Page.objects.create, title="one")
    with orm.Session(engine) as session:
        row = session.get(PageORM, page.pk)
        assert row.version == 1
        session.rollback()
        row = session.get(PageORM, page.pk)
        row.title  # noqa: B018 - is loaded
        session.expunge(row)
        session.rollback()
        page.title = "two"
        face(page.save)
        session.add(row)
        row.title = "lost"
        with pytest.raises(orm.exc.StaleDataError):
            session.commit()
        session.rollback()
        row = session.get(PageORM, page.pk)
        row.title = "three"
        session.commit()
    with pytest.raises(Page.NotUpdated):
        face(page.save)
    assert stored(face, page) == ("three", 3)


def test_a_generator_of_ones_own(face, engine):
    row = face(Stamped.objects.create, title="one")
    assert row.stamp == "first"
    other = face(Stamped.objects.get)
    face(row.save)
    assert row.stamp == "first+"
    with pytest.raises(Stamped.NotUpdated):
        face(other.save)
    with pytest.raises(UnsupportedFeature, match=r"version_id_generator.*update\(stamp="):
        face(Stamped.objects.update, title="two")
    face(Stamped.objects.update, title="two", stamp="mine")
    face(other.refresh_from_db)
    face(Stamped.objects.bulk_update, [other], ["title"])
    assert face(Stamped.objects.get).stamp == "mine+"


def test_rows_without_a_version_get_one(face, engine):
    with engine.begin() as connection:
        connection.execute(sa.insert(StampedORM).values(id=1, title="old", stamp=None))
    row, other = face(Stamped.objects.get), face(Stamped.objects.get)
    face(row.save)
    assert row.stamp == "first"
    with pytest.raises(Stamped.NotUpdated):
        face(other.save)


def test_saving_in_another_state(face, engine):
    """`select_on_save` asks for the row, whose version may be another one by then."""
    page = face(Page.objects.create, title="one")
    face(face(Page.objects.get).save)
    Page._meta.select_on_save = True
    try:
        with pytest.raises(Page.NotUpdated):
            face(page.save)
    finally:
        Page._meta.select_on_save = False


TRIGGERS = {
    "postgresql": (
        """CREATE OR REPLACE FUNCTION next_version() RETURNS trigger AS
        'BEGIN NEW.number := OLD.number + 10; RETURN NEW; END' LANGUAGE plpgsql""",
        "CREATE TRIGGER counts BEFORE UPDATE ON version_rows FOR EACH ROW EXECUTE FUNCTION next_version()",
    ),
    "mysql": (
        "CREATE TRIGGER counts BEFORE UPDATE ON version_rows FOR EACH ROW SET NEW.number = OLD.number + 10",
    ),
}


@pytest.mark.vendors("postgres", "mariadb")
def test_versions_that_the_database_makes(face, database):
    class Registry(orm.DeclarativeBase):
        pass

    class Row(Registry):
        __tablename__ = "version_rows"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        title: orm.Mapped[str] = orm.mapped_column(sa.String(10))
        number: orm.Mapped[int] = orm.mapped_column(
            server_default=sa.text("1"), server_onupdate=sa.FetchedValue()
        )
        __mapper_args__ = {"version_id_col": number, "version_id_generator": False}

    with made(database, Row.__table__).begin() as connection:
        for statement in TRIGGERS[database.vendor]:
            connection.exec_driver_sql(statement)
    with isolate_apps():
        model = standing(Row)
        row = face(model.objects.create, title="one")
        assert row.number == 1
        other = face(model.objects.get)
        with pytest.raises(model.NotUpdated):
            face(model(pk=row.pk, title="unseen").save)
        face(row.save)
        if not connections["default"].can_return_rows_from_update:
            with pytest.raises(FieldError, match="not loaded"):
                face(row.save)
            face(row.refresh_from_db)
        assert row.number == 11
        for write in (other.save, other.delete):
            with pytest.raises(model.NotUpdated):
                face(write)
        with pytest.raises(model.NotUpdated):
            face(model.objects.bulk_update, [other], ["title"])
        assert other.number == 1
        assert face(model.objects.bulk_update, [row], ["title"]) == 1
        face(model.objects.update, title="two")
        face(row.refresh_from_db)
        assert (row.number, row.title) == (31, "two")


def test_versions_that_only_the_program_makes_are_read_only(face, database):
    class Registry(orm.DeclarativeBase):
        pass

    class Row(Registry):
        __tablename__ = "version_rows"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        number: orm.Mapped[int] = orm.mapped_column()
        __mapper_args__ = {"version_id_col": number, "version_id_generator": False}

    made(database, Row.__table__).dispose()
    with isolate_apps():
        with pytest.raises(UnsupportedFeature, match="leaves the versions of its rows to the program"):
            face(standing(Row).objects.create, number=1)
