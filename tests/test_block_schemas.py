"""Objects that were loaded or stored in a block with a schema_translate_map stay with its schemas (S88, S114)."""

from __future__ import annotations

import copy
import pickle
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from facade import atomic, configure, connections, create_all, drop_all, models, using_connection
from facade.db.connection import close_all
from facade.exceptions import TransactionManagementError, ValidationError
from facade.models import prefetch_related_objects
from tests.test_sqlalchemy import url_for

pytestmark = pytest.mark.vendors("sqlite", "postgres", "mariadb")
in_schemas = pytest.mark.vendors("postgres")


class Poet(models.Model):
    name = models.CharField(max_length=100)
    age = models.IntegerField(default=0)

    class Meta:
        app_label = "tests_places"


class Laureate(Poet):
    year = models.IntegerField(default=0)

    class Meta:
        app_label = "tests_places"


class Poem(models.Model):
    title = models.CharField(max_length=100)
    poet = models.ForeignKey(Poet, models.CASCADE, related_name="poems")
    readers = models.ManyToManyField(Poet, related_name="read")

    class Meta:
        app_label = "tests_places"


class Prize(models.Model):
    """Has a reference of one to one."""

    poet = models.OneToOneField(Poet, models.SET_NULL, null=True, related_name="prize")

    class Meta:
        app_label = "tests_places"


class School(models.Model):
    name = models.CharField(max_length=100, unique=True)

    class Meta:
        app_label = "tests_places"


MODELS = [School, Poet, Laureate, Poem, Poem.readers.through, Prize]


class Places:
    """The same tables in the default schema and in two others, whatever schemas are here."""

    def __init__(self, database):
        self.database = database
        self.vendor = database.vendor
        self.north, self.south = "north", "south"
        if self.vendor == "mysql":
            name = database.home.databases["default"]
            self.north, self.south = f"{name}_north", f"{name}_south"

    def __enter__(self):
        if self.vendor == "sqlite":
            attach = "; ".join(f"ATTACH DATABASE '{self.file(name)}' AS {name}" for name in self.names)
            options = {"init_command": attach}
            configure(DATABASES={"default": {"URL": self.database.url, "OPTIONS": options}})
        for name in self.names if self.vendor != "sqlite" else ():
            self.database.observe(f"CREATE SCHEMA {name}")
        create_all(models=MODELS)
        for name in self.names:
            with self.block(name):
                create_all(models=MODELS)
        return self

    def __exit__(self, *error):
        close_all()
        for name in self.names if self.vendor == "mysql" else ():
            self.database.observe(f"DROP SCHEMA {name}")

    @property
    def names(self):
        return self.north, self.south

    def file(self, name):
        return Path(make_url(self.database.url).database).with_name(f"{name}.sqlite3")

    def attach(self, connection, record=None):
        """Give a connection of SQLite's its other databases."""
        for name in self.names:
            connection.execute(f"ATTACH DATABASE '{self.file(name)}' AS {name}")

    def at(self, name):
        return {"schema_translate_map": {None: name}}

    def block(self, name, **options):
        return atomic(execution_options=self.at(name), **options)

    def fill(self):
        """Have one poet, with one poem, of the same keys everywhere."""
        for place in (None, *self.names):
            name = place or "Ada"
            for table in ("prize", "poem_readers", "poem", "laureate", "poet", "school"):
                self.run(place, f"DELETE FROM {{}}tests_places_{table}")
            self.run(place, f"INSERT INTO {{}}tests_places_poet (id, name, age) VALUES (1, '{name}', 1)")
            self.run(
                place, f"INSERT INTO {{}}tests_places_poem (id, title, poet_id) VALUES (1, '{name} poem', 1)"
            )

            for table in ("poet", "poem") if self.vendor == "postgresql" else ():
                self.run(place, f"SELECT setval(pg_get_serial_sequence('{{}}tests_places_{table}', 'id'), 1)")

    def run(self, place, sql):
        """Run SQL with the prefix of a place, on a connection of the bare driver."""
        if self.vendor != "sqlite":
            return self.database.observe(sql.format(f"{place}." if place else ""))
        file = make_url(self.database.url).database if place is None else self.file(place)
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute(sql.format("")).fetchall()
            connection.commit()
            return rows

    def ages(self, place):
        """Return the ages of a place's poets."""
        return [age for (age,) in self.run(place, "SELECT age FROM {}tests_places_poet ORDER BY id")]

    def titles(self, place):
        return [title for (title,) in self.run(place, "SELECT title FROM {}tests_places_poem ORDER BY id")]


@pytest.fixture
def places(database):
    with Places(database) as places:
        places.fill()
        yield places


def stay(places, face, objects):
    """Change objects from the north outside of every block, and see that nothing is changed anywhere else."""
    for number, poet in enumerate(objects, 50):
        poet.age = number
        face(poet.save)
        assert number in places.ages(places.north), poet
        assert (places.ages(None), places.ages(places.south)) == ([1], [1])
        poet.age = 0
        face(poet.refresh_from_db)
        assert poet.age == number


def loaded(face, places):
    """Load the poet in every way there is."""
    poets = Poet.objects.order_by("pk")
    table = sa.select(Poet.__table__)
    (book,) = face.list(Poem.objects.all())
    yield face(poets.get)
    yield face(poets.first)
    yield face(poets.latest, "pk")
    yield from face.list(poets)
    yield from face.iterate(poets.iterator, 1)
    yield face(poets.in_bulk)[1]
    yield from face.list(Poet.objects.raw(f"SELECT * FROM {places.north}.tests_places_poet"))
    yield from face.list(Poet.objects.from_statement(table))
    yield from face.iterate(Poet.objects.from_statement(table).iterator, 1)
    yield face(poets.get_or_create, pk=1)[0]
    yield face(poets.update_or_create, pk=1, defaults={"age": 2})[0]
    yield face(poets.only("age").get)
    yield face(Poem.objects.select_related("poet").get).poet
    yield face(Poem.objects.prefetch_related("poet").get).poet
    yield face(poets.select_for_update().get)
    yield copy.copy(face(poets.get))
    yield pickle.loads(pickle.dumps(face(poets.get)))
    if not face.is_async:
        yield book.poet


def test_what_is_loaded_in_a_block_stays_with_its_schema(face, places):
    with face.block(places.block(places.north)):
        found = list(loaded(face, places))
    stay(places, face, found)
    assert len({poet._state.db for poet in found}) == 1
    assert connections["default"].schema_maps == 0
    assert face(Poet.objects.get).name == "Ada"
    assert face(Poet.objects.get)._state.db == "default"


def stored(face):
    """Store a poet in every way there is."""
    yield face(Poet.objects.create, name="created")
    saved = Poet(name="saved")
    face(saved.save)
    yield saved
    yield face(Poet.objects.get_or_create, name="made")[0]
    yield face(Poet.objects.update_or_create, name="also made")[0]
    many = [Poet(pk=100, name="one"), Poet(pk=101, name="two")]
    face(Poet.objects.bulk_create, many)
    yield from many
    yield face(Laureate.objects.create, name="of two tables")
    yield face(face(Poem.objects.get).readers.create, name="reader")


def test_what_is_stored_in_a_block_stays_with_its_schema(face, places):
    with face.block(places.block(places.north)):
        made = list(stored(face))
        found = face(Poet.objects.get, pk=1)
        poems = [face(found.poems.create, title="of a manager"), Poem(title="set", poet=found)]
    stay(places, face, made)
    for poem in poems:
        poem.title += "!"
        face(poem.save)
    assert set(places.titles(places.north)) == {f"{places.north} poem", "of a manager!", "set!"}
    assert (places.titles(None), places.titles(places.south)) == (["Ada poem"], [f"{places.south} poem"])


def test_relations_are_followed_where_the_object_is_from(face, places):
    with face.block(places.block(places.north)):
        poet, poem = face(Poet.objects.get), face(Poem.objects.get)
        (prefetched,) = face.list(Poet.objects.prefetch_related("poems__poet"))
    assert [one.title for one in face.list(poet.poems.all())] == [f"{places.north} poem"]
    if not face.is_async:
        assert poem.poet.name == places.north
    for one in prefetched.poems.all():
        one.title = "prefetched"
        face(one.save)
    face(prefetch_related_objects, [poet], "poems")
    assert [one.title for one in poet.poems.all()] == ["prefetched"]
    face(poem.readers.add, poet)
    assert [
        places.run(place, "SELECT count(*) FROM {}tests_places_poem_readers")
        for place in (None, places.north)
    ] == [[(0,)], [(1,)]]
    face(poet.poems.update, title="updated")
    face(poet.poems.create, title="another")
    assert places.titles(places.north) == ["updated", "another"]
    assert (places.titles(None), places.titles(places.south)) == (["Ada poem"], [f"{places.south} poem"])
    face(poet.delete)
    assert [places.ages(place) for place in (None, *places.names)] == [[1], [], [1]]
    assert [len(places.titles(place)) for place in (None, *places.names)] == [1, 0, 1]


def test_an_object_stays_with_its_schema_in_blocks_of_others(face, places):
    with face.block(places.block(places.north)):
        north = face(Poet.objects.get)
        with face.block(places.block(places.south)):
            south = face(Poet.objects.get)
            north.age = 10
            face(north.save)
            assert [poem.title for poem in face.list(north.poems.all())] == [f"{places.north} poem"]
        with face.block(atomic()):
            again = face(Poet.objects.get)
        south.age = 20
        face(south.save)
    assert [places.ages(place) for place in (None, *places.names)] == [[1], [10], [20]]
    assert (again, again._state.db) == (north, north._state.db)
    assert south._state.db != north._state.db
    with face.block(places.block(places.south)):
        again.age = 11
        face(again.save)
        face(again.refresh_from_db)
        face(face(Poet.objects.execution_options(**places.at(places.north)).get).delete)
    assert [places.ages(place) for place in (None, *places.names)] == [[1], [], [20]]


def test_a_stream_is_from_where_it_was_opened(face, places):
    places.run(places.north, "INSERT INTO {}tests_places_poet (id, name, age) VALUES (2, 'second', 1)")
    found = []
    with face.block(places.block(places.north)):
        for poet in face.iterate(Poet.objects.order_by("pk").iterator, 1):
            found.append(poet)
            with face.block(places.block(places.south)):
                assert face(Poet.objects.get).name == places.south
    stay(places, face, found)


def test_a_query_in_a_block_may_have_other_options(face, places):
    with face.block(places.block(places.north)):
        tagged = face(Poet.objects.execution_options(tag="x").get)
        south = face(Poet.objects.execution_options(**places.at(places.south)).get)
        inner = Poet.objects.filter(pk__in=Poet.objects.using(tagged._state.db).filter(name=places.north))
        assert face(inner.count) == 1
    stay(places, face, [tagged])
    south.age = 7
    face(south.save)
    assert (places.ages(None), places.ages(places.south)) == ([1], [7])


@pytest.fixture
def engine_of_north(face, places):
    """An engine whose tables are in the north, given as "default"."""
    engine = (create_async_engine if face.is_async else sa.create_engine)(url_for(places.database, face))
    if places.vendor == "sqlite":
        sa.event.listen(getattr(engine, "sync_engine", engine), "connect", places.attach)
    configure(DATABASES={"default": engine.execution_options(**places.at(places.north))})
    yield engine
    close_all()
    if not face.is_async:
        engine.dispose()


def test_the_map_of_an_engine_needs_no_remembering(face, places, engine_of_north):
    poet = face(Poet.objects.get)
    assert (poet.name, poet._state.db) == (places.north, "default")
    with face.block(atomic()):
        assert face(Poet.objects.get)._state.db == "default"
    with face.block(places.block(places.south)):
        south = face(Poet.objects.get)
    assert (south.name, face(Poet.objects.get).name) == (places.south, places.north)
    south.age = 3
    face(south.save)
    with face.block(places.block(None)):
        nowhere = face(Poet.objects.get)
    nowhere.age = 4
    face(nowhere.save)
    poet.age = 5
    face(poet.save)
    assert [places.ages(place) for place in (None, *places.names)] == [[4], [5], [3]]


def test_the_map_of_a_joined_connection_is_remembered(face, places, engine_of_north):
    plain = engine_of_north.execution_options(**places.at(places.south))
    configure(DATABASES={"default": engine_of_north})
    with face.block(plain.connect()) as connection:
        with face.block(using_connection(connection)):
            south = face(Poet.objects.get)
            made = face(Poet.objects.create, name="made")
            with face.block(atomic()):
                assert face(Poet.objects.get, pk=1)._state.db == south._state.db
        face.wait(connection.commit()) if face.is_async else connection.commit()
    for number, poet in enumerate((south, made), 20):
        poet.age = number
        face(poet.save)
    assert [places.ages(place) for place in (None, *places.names)] == [[1], [1], [20, 21]]


class ToDefault:
    def db_for_read(self, model, **hints):
        return "default"

    def db_for_write(self, model, instance=None, **hints):
        return instance._state.db if instance is not None else "default"


def test_a_router_that_names_the_database_does_not_take_objects_from_their_schema(face, places):
    configure(DATABASE_ROUTERS=[ToDefault()])
    try:
        with face.block(places.block(places.north)):
            poet = face(Poet.objects.get)
        stay(places, face, [poet])
        assert [poem.title for poem in face.list(poet.poems.all())] == [f"{places.north} poem"]
    finally:
        configure(DATABASE_ROUTERS=[])


def test_an_object_from_outside_is_not_mixed_up_with_a_row_of_the_blocks_schema(face, places, assert_queries):
    poet, poem = face(Poet.objects.get), face(Poem.objects.get)
    partly = face(Poet.objects.only("name").get)
    with face.block(places.block(places.north)):
        for work in (poet.save, poet.refresh_from_db, poet.delete, poem.save, partly.refresh_from_db):
            with assert_queries(0), pytest.raises(TransactionManagementError, match="was not loaded in"):
                face(work)
        if not face.is_async:
            for read in (lambda: poem.poet, lambda: partly.age):
                with assert_queries(0), pytest.raises(TransactionManagementError, match="was not loaded in"):
                    read()
        for related in (poet.poems.all(), poem.readers.all()):
            with assert_queries(0), pytest.raises(TransactionManagementError, match="was not loaded in"):
                face.list(related)
        poet._state.adding, poet.pk, poet.age = True, 9, 9
        face(poet.save)
    stay(places, face, [poet])
    with face.block(atomic(execution_options={"schema_translate_map": {"elsewhere": places.north}})):
        face(poem.save)  # its table is where it was
    assert len(places.ages(places.north)) == 2


def test_objects_of_several_schemas_are_not_prefetched_together(face, places, assert_queries):
    found = [face(Poet.objects.get)]
    for name in places.names:
        with face.block(places.block(name)):
            found.append(face(Poet.objects.get))
    for some in (found, found[1:], iter(found)):
        with assert_queries(0), pytest.raises(ValueError, match="several schemas"):
            face(prefetch_related_objects, some, "poems")
    face(prefetch_related_objects, iter(found[1:2]), "poems")
    assert [poem.title for poem in found[1].poems.all()] == [f"{places.north} poem"]


REFUSED = (ValueError, TransactionManagementError)


def of_both(face, places):
    """Return the poets and the poems of the north and the south."""
    found = []
    for name in places.names:
        with face.block(places.block(name)):
            found.append((face(Poet.objects.get), face(Poem.objects.get)))
    return found


def test_objects_of_two_schemas_cannot_be_related(face, places, assert_queries):
    (poet, poem), (other, others_poem) = of_both(face, places)
    outside = face(Poet.objects.get)
    attempts = [
        lambda: setattr(poem, "poet", other),
        lambda: setattr(poem, "poet", outside),
        lambda: setattr(poet, "prize", Prize(poet=other)),
        lambda: setattr(Prize(poet=poet), "poet", other),
        lambda: face(poet.poems.add, others_poem),
        lambda: face(poet.poems.add, others_poem, bulk=False),
        lambda: face(poem.readers.add, other),
        lambda: face(poem.readers.set, [other]),
        lambda: face(poem.readers.remove, other),
        lambda: face(other.read.add, poem),
        lambda: face(poet.poems.set, [others_poem]),
    ]
    for place in (None, *places.names):
        for attempt in attempts:
            with face.block(places.block(place) if place else atomic()), pytest.raises(REFUSED) as caught:
                attempt()
            assert re.search("Objects of several schemas cannot|not loaded in the schemas", str(caught.value))
    assert (poem.poet_id, face(poem.readers.count)) == (1, 0)


def test_no_row_refers_to_an_object_of_another_schema(face, places):
    (poet, _), (other, _) = of_both(face, places)
    outside = face(Poet.objects.get)
    for stranger in (other, outside):
        with face.block(places.block(places.north)):
            for store in (
                lambda one: face(Poem.objects.create, poet=one),
                lambda one: face(Poem.objects.bulk_create, [Poem(poet=one)]),
                lambda one: face(Poem.objects.get_or_create, poet=one),
                lambda one: face(Poem.objects.update, poet=one),
                lambda one: face(Poem(poet=one).save, using="default"),
            ):
                with pytest.raises(REFUSED, match="may be another row's|not loaded in the schemas"):
                    store(stranger)
            face(Poem.objects.create, title="right", poet=poet)
    assert places.titles(places.north) == [f"{places.north} poem", "right", "right"]


def test_rows_of_another_schema_are_not_updated_in_bulk(face, places, assert_queries):
    (poet, _), (other, _) = of_both(face, places)
    for place in (None, *places.names):
        mixed = [one for one in (poet, other) if one._state.db != place]
        with face.block(places.block(place) if place else atomic()):
            for objects in (mixed, [other, poet]):
                for stored in objects:
                    stored.age = 99
                with assert_queries(0), pytest.raises(ValueError, match='Cannot update "<Poet: Poet'):
                    face(Poet.objects.bulk_update, objects, ["age"])
    for one, name in ((poet, places.north), (other, places.south)):
        with face.block(places.block(name)):
            assert face(Poet.objects.get).age != 99
            assert face(Poet.objects.bulk_update, [one], ["age"]) == 1
        at_home = Poet.objects.using(one._state.db)
        one.age = 98
        assert face(at_home.bulk_update, [one], ["age"]) == 1
        assert face(at_home.get).age == 98
    assert face(Poet.objects.get).age not in (98, 99)


def test_a_query_in_a_block_is_not_asked_about_objects_of_other_schemas(face, places, assert_queries):
    (poet, poem), (other, _) = of_both(face, places)
    outside = face(Poet.objects.get)
    with face.block(places.block(places.north)):
        for stranger in (other, outside):
            for build in (
                lambda one: Poem.objects.filter(poet=one),
                lambda one: Poem.objects.filter(poet__in=[poet, one]),
                lambda one: Poem.objects.exclude(models.Q(readers=one) | models.Q(title="x")),
            ):
                with assert_queries(0), pytest.raises(ValueError, match='Cannot compare with "<Poet: Poet'):
                    build(stranger)
        assert face(Poem.objects.filter(poet=poet).get) == poem
        there = Poem.objects.using(other._state.db).filter(poet=other)
        assert face(there.get).title == f"{places.south} poem"
        there = Poem.objects.execution_options(**places.at(places.south)).filter(poet=other)
        assert face(there.get).title == f"{places.south} poem"
        assert [one.title for one in face.list(other.poems.filter(poet=other))] == [f"{places.south} poem"]
    later = Poem.objects.filter(poet=poet)  # where it will run, nobody knows yet
    with face.block(places.block(places.north)):
        assert face(later.get) == poem


def test_tables_that_schemas_share_are_related_to(face, places):
    """A map that leaves a table where it is says nothing about its rows."""
    outside, poem = face(Poet.objects.get), face(Poem.objects.get)
    elsewhere = {"schema_translate_map": {"elsewhere": places.north}}
    with face.block(atomic(execution_options=elsewhere)):
        inside = face(Poet.objects.get)
        face(poem.readers.add, inside)
        face(Poem.objects.create, title="of all", poet=outside)
        assert face(Poem.objects.filter(poet=outside).count) == 2
    poem.poet = inside
    face(poem.save)
    assert places.titles(None) == ["Ada poem", "of all"]


@in_schemas
def test_an_object_is_validated_among_the_rows_of_its_schema(face, places):
    for number, name in enumerate((None, *places.names), 1):
        places.run(name, f"INSERT INTO {{}}tests_places_school (id, name) VALUES ({number}, '{name}')")
    with face.block(places.block(places.north)):
        school = face(School.objects.get)
    school.name = "None"
    face(school.full_clean)
    places.run(places.north, "INSERT INTO {}tests_places_school (id, name) VALUES (9, 'None')")
    with pytest.raises(ValidationError, match="already exists"):
        face(school.full_clean)


def test_tables_are_made_and_dropped_in_the_schema_of_a_block(face, places):
    with face.block(places.block(places.north)):
        face(create_all, models=MODELS)  # they are there
        face(drop_all, models=MODELS)
        face(drop_all, models=MODELS)
    assert places.ages(None) == places.ages(places.south) == [1]
    with face.block(places.block(places.north)):
        face(create_all, models=MODELS)
    assert places.ages(places.north) == []
