"""Plans belong to no database: those that facade reaches alike share them, and each is told itself as it runs."""

import gc
import weakref

import pytest
import sqlalchemy as sa

from facade import configuration, models
from facade.db import plan_keys
from facade.db.connection import connections
from facade.sql.plan import shape
from facade.sql.writes import table_writer


class Noted(models.CharField):
    """Tells of each value which database it was stored in and read from."""

    def from_db_value(self, value, expression, connection):
        return f"{value}<{connection.alias}"

    def get_db_prep_save(self, value, connection):
        return f"{value.partition('>')[0]}>{connection.alias}"


class Copyist(models.Model):
    name = models.CharField(max_length=100)


class Letter(models.Model):
    text = Noted(max_length=100)
    reply = Noted(max_length=100, db_default=models.Value("none"))
    place = models.CharField(max_length=20, default="here")


@pytest.fixture
def letters(database):
    for alias in ("default", "other"):
        database.create(Letter, using=alias)
    return Letter.objects


def compiled(monkeypatch):
    """Return the list that whatever is compiled from now on is added to."""
    found = []
    compile_ = sa.sql.ClauseElement.compile

    def noting(statement, *args, **kwargs):
        found.append(statement)
        return compile_(statement, *args, **kwargs)

    monkeypatch.setattr(sa.sql.ClauseElement, "compile", noting)
    return found


def everything(face, alias):
    """Write and read copyists in many ways; return what was read."""
    objects = Copyist.objects.using(alias)
    ada = face(objects.create, name="Ada")
    face(objects.bulk_create, [Copyist(name="Bob"), Copyist(name="Cy")])
    ada.name = "Ada L."
    face(ada.save, using=alias)
    face(objects.filter(name="Bob").update, name="Bo")
    face(face.list(objects.filter(name="Cy"))[0].delete)
    return (
        face(objects.get, name="Ada L.").name,
        sorted(face.list(objects.values_list("name", flat=True))),
        face(objects.count),
        face(objects.filter(name__in=["Bo", "Cy"]).exists),
        len(face.list(objects.order_by("name")[:1])),
    )


def test_a_second_database_compiles_nothing(face, database, monkeypatch):
    for alias in ("default", "other"):
        database.create(Copyist, using=alias)
    expected = everything(face, "default")
    found = compiled(monkeypatch)
    assert everything(face, "other") == expected == ("Ada L.", ["Ada L.", "Bo"], 2, True, 1)
    assert found == []


def test_databases_that_are_configured_anew_compile_nothing(face, database, monkeypatch):
    database.create(Copyist)
    expected = everything(face, "default")
    face(Copyist.objects.all().delete)
    before = connections["default"]
    configuration.configure(DATABASES=database.urls)
    assert connections["default"] is not before
    found = compiled(monkeypatch)
    assert everything(face, "default") == expected
    face(Copyist.objects.all().delete)
    assert found == []


def test_a_setting_that_plans_depend_on_forgets_them(face, database):
    database.create(Copyist)
    everything(face, "default")
    assert shape.root(Copyist).children
    with configuration.override(USE_TZ=not configuration.settings.USE_TZ):
        assert not shape.root(Copyist).children


def test_a_field_of_ones_own_is_told_the_database_that_is_meant(face, letters):
    for alias, other in (("default", "other"), ("other", "default"), ("default", "other")):
        there = letters.using(alias)
        made = face(there.create, text="a")
        kept = f"a>{alias}<{alias}"
        if connections[alias].can_return_rows_from_insert:
            assert made.__dict__["reply"] == f"none<{alias}"
        face(there.bulk_create, [Letter(text="a"), Letter(text="a")])
        assert {letter.text for letter in face.list(there.all())} == {kept}
        assert set(face.list(there.values_list("text", flat=True))) == {kept}
        assert set(face.list(there.values_list("text", "place"))) == {(kept, "here")}
        assert {row.text for row in face.list(there.values_list("text", named=True))} == {kept}
        assert {row["text"] for row in face.list(there.values("text"))} == {kept}
        assert face(there.get, pk=made.pk).text == kept
        assert face(there.aggregate, least=models.Min("text")) == {"least": kept}
        raw = Letter.objects.raw("SELECT id, text FROM tests_letter", using=alias)
        assert {letter.text for letter in face.list(raw)} == {kept}
        found = face.list(there.from_statement(sa.select(Letter.__table__)))
        assert {letter.text for letter in found} == {kept}
        made.text = "b"
        face(made.save, using=alias)
        assert face(there.get, pk=made.pk).text == f"b>{alias}<{alias}"
        face(there.all().delete)
        assert face(letters.using(other).count) == 0


def test_what_belonged_to_one_database_goes_with_it(database):
    database.create(Copyist)
    engine = sa.create_engine(connections["default"].engine.url)
    configuration.configure(DATABASES={"default": engine})
    assert Copyist.objects.count() == 0
    dialect = weakref.ref(engine.dialect)
    engine.dispose()
    del engine
    configuration.configure(DATABASES={})
    gc.collect()
    assert dialect() is None


@pytest.mark.vendors("mariadb")
def test_servers_that_speak_differently_share_nothing(face, database):
    database.create(Copyist)
    configuration.configure(
        DATABASES={
            "default": database.url,
            "other": {"URL": database.url, "OPTIONS": {"init_command": "SET sql_mode = 'ANSI_QUOTES'"}},
        }
    )
    for alias in ("default", "other"):
        face(Copyist.objects.using(alias).create, name=alias)
        assert face(Copyist.objects.using(alias).filter(name=alias).exists)
    assert connections["default"].plan_key is not connections["other"].plan_key
    assert isinstance(connections["default"].plan_key, plan_keys.PlanKey)


def test_writers_forget_with_shapes(database):
    database.create(Copyist)
    writer, before = table_writer.table_writer(Copyist), table_writer.Generation.number
    Copyist.objects.create(name="Ada")
    assert writer.plans
    with configuration.override(USE_TZ=not configuration.settings.USE_TZ):
        assert table_writer.Generation.number > before
