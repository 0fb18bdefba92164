"""Alembic's autogenerate on models: what a script makes is what the models say, from nothing and from what was before."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

import facade
import facade.migrations
from facade import models
from facade import types as facade_types
from facade.apps import isolate_apps
from facade.meta import registry
from facade.models import F, Q
from facade.models.functions import Lower, Upper
from tests import migrated
from tests.migrated import body, project, tables


@pytest.fixture
def alembic(database, tmp_path):
    with project(tmp_path / "alembic", database.url) as made:
        yield made


@pytest.fixture(params=migrated.STATES, ids=lambda state: state.__name__)
def state(request):
    return request.param


def left_over(alembic):
    """Return the tables and types that a database has, without Alembic's own."""
    inspector = sa.inspect(alembic.engine)
    types = inspector.get_enums() if alembic.engine.dialect.name == "postgresql" else ()
    return {*inspector.get_table_names(), *(one["name"] for one in types)} - {"alembic_version"}


def test_a_script_makes_all_that_models_have_and_takes_it_back(alembic, state, database):
    metadata = tables(state(database.vendor))
    alembic.write(metadata)
    alembic.upgrade()
    assert alembic.differences(metadata) == []
    alembic.downgrade()
    assert left_over(alembic) == set()
    alembic.upgrade()
    assert alembic.differences(metadata) == []


def test_a_script_leads_from_what_was_before_and_back(alembic, state, database):
    before, after = (tables(made(database.vendor)) for made in (migrated.EARLIER[state], state))
    alembic.write(before)
    alembic.upgrade()
    rows = ROWS[state](before)
    with alembic.engine.begin() as connection:
        for table, values in rows:
            connection.execute(table.insert(), values)
    alembic.write(after)
    alembic.upgrade()
    assert alembic.differences(after) == []
    assert alembic.rows(KEPT[state][0]) == KEPT[state][1]
    alembic.downgrade()
    assert alembic.differences(before) == []
    alembic.upgrade()
    assert alembic.differences(after) == []
    assert alembic.rows(KEPT[state][0]) == KEPT[state][1]


NOON = dt.datetime(2020, 2, 29, 12, tzinfo=dt.UTC)


def rows_of_fields(metadata):
    kind = {
        "big": 2**30,
        "binary": b"\0",
        "path": "/tmp/a",
        "flag": 1,
        "char": "a",
        "listed": "1,2",
        "day": NOON,
        "moment": NOON.date(),
        "decimal": 7,
        "email": "a@example.org",
        "file": "f",
        "real": decimal.Decimal("1.50"),
        "integer": "12",
        "document": '{"a": 1}',
        "slug": "s",
        "a small One": 3,
        "text": "it's",
        "time": "12:30:00",
        "uuid": "12345678123456781234567812345678",
        "url": "u",
        "enumerated": "red",
    }
    yield metadata.tables["press_kinds"], kind


def rows_of_defaults(metadata):
    day = {
        "off": True,
        "moment": NOON,
        "document": {},
        "binary": b"\0",
        "collated": "A",
        "empty": "e",
        "negative": 3,
    }
    yield metadata.tables["press_defaults"], day
    yield metadata.tables["press_generated"], {"width": 3, "height": 4, "name": "Ada"}


def rows_of_constraints(metadata):
    yield metadata.tables["press_constrained"], {"name": "A_1", "kind": "a", "price": 5, "flag": True}


def rows_of_relations(metadata):
    yield metadata.tables["press_place"], {"name": "here"}
    yield metadata.tables["press_guest"], {"home_id": 1}


ROWS = {
    migrated.every_field: rows_of_fields,
    migrated.every_default: rows_of_defaults,
    migrated.every_constraint: rows_of_constraints,
    migrated.every_relation: rows_of_relations,
}
KEPT = {
    migrated.every_field: (
        "SELECT big, email, enumerated FROM press_kinds",
        [(2**30, "a@example.org", "red")],
    ),
    migrated.every_default: ("SELECT width, height, area, upper FROM press_generated", [(3, 4, 12, "ADA")]),
    migrated.every_constraint: ("SELECT name, kind FROM press_constrained", [("A_1", "a")]),
    migrated.every_relation: (
        "SELECT p.name FROM press_place p JOIN press_guest g ON g.home_id = p.id",
        [("here",)],
    ),
}


# -- tables of others ----------------------------------------------------------------------------------


@pytest.fixture
def among_others():
    """A registry of one model of its own, among models on tables that it does not own."""
    legacy = sa.Table("legacy", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    with isolate_apps("press") as apps:

        class Legacy(models.Model):
            class Meta:
                app_label = "press"
                table = legacy

        class Unmanaged(models.Model):
            class Meta:
                app_label = "press"
                managed = False
                db_table = "unmanaged"

        class Own(models.Model):
            legacy = models.ForeignKey(Legacy, models.CASCADE)

            class Meta:
                app_label = "press"

    return apps


def make_those_of_others(alembic):
    for name in ("legacy", "unmanaged", "press_former", "payroll"):
        alembic.run(f"CREATE TABLE {name} (id INTEGER NOT NULL PRIMARY KEY)")


def of_tables(differences):
    return sorted((what, item.name) for what, item, *_ in differences if isinstance(item, sa.Table))


def test_tables_that_a_model_uses_and_does_not_own_are_left_alone(alembic, among_others):
    make_those_of_others(alembic)
    assert of_tables(alembic.differences(tables(among_others))) == [
        ("add_table", "press_own"),
        ("remove_table", "payroll"),
        ("remove_table", "press_former"),
    ]


def test_include_object_drops_no_table_but_those_of_models(alembic, among_others):
    make_those_of_others(alembic)
    with isolate_labels("press"):
        differences = alembic.differences(
            tables(among_others), include_object=facade.migrations.include_object
        )
    assert of_tables(differences) == [("add_table", "press_own"), ("remove_table", "press_former")]


@contextmanager
def isolate_labels(*labels):
    """Let the program's registry know these applications, as its models would."""
    known = set(registry.apps.all_models)
    for label in labels:
        registry.apps.all_models[label]
    yield
    for label in set(registry.apps.all_models) - known:
        del registry.apps.all_models[label]


def test_tables_of_others_are_compared_as_alembic_does(alembic, among_others):
    """Theirs come with the models' own into one script, whichever refers to which."""
    base = sa.MetaData(naming_convention={"fk": "fk_%(table_name)s_%(column_0_name)s"})
    own = tables(among_others).tables["press_own"]
    sa.Table(
        "mapped",
        base,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("own_id", sa.ForeignKey(own.c.id)),
        sa.Column("text", sa.String(10), server_default="a"),
    )
    alembic.run("CREATE TABLE legacy (id INTEGER NOT NULL PRIMARY KEY)")
    target = [base, tables(among_others)]
    source = alembic.write(*target)
    assert source.index("create_table('press_own'") < source.index("create_table('mapped'")
    alembic.upgrade()
    assert alembic.differences(*target) == []
    alembic.downgrade()
    assert left_over(alembic) == {"legacy"}


def test_a_model_in_the_metadata_of_others_needs_no_names(alembic):
    """Their MetaData may have no naming convention: what has no name is found by its columns."""
    base = sa.MetaData()
    with isolate_apps("press") as apps:

        class Named(models.Model):
            name = models.CharField(max_length=20, unique=True)
            kind = models.CharField(max_length=20, db_index=True)
            parent = models.ForeignKey("self", models.CASCADE, null=True)
            size = models.PositiveIntegerField()

            class Meta:
                app_label = "press"
                metadata = base
                unique_together = [("kind", "size")]

    facade.metadata(apps)
    alembic.write(base)
    alembic.upgrade()
    assert alembic.differences(base) == []


@pytest.mark.vendors("postgres")
def test_tables_in_other_schemas_are_compared_and_those_of_others_there_are_left_alone(alembic):
    with isolate_apps("press") as apps:

        class Stored(models.Model):
            name = models.CharField(max_length=20, db_default="a")

            class Meta:
                app_label = "press"
                db_table = '"warehouse"."stored"'
                constraints = [models.CheckConstraint(condition=~Q(name=""), name="named")]

        class Shelf(models.Model):
            stored = models.ForeignKey(Stored, models.CASCADE)

            class Meta:
                app_label = "press"
                db_table = "shelf"
                indexes = [models.Index(F("id") + 1, name="odd")]

    metadata = tables(apps)
    alembic.run(
        "CREATE SCHEMA warehouse", "CREATE TABLE warehouse.others (id INTEGER)", "CREATE SCHEMA elsewhere"
    )
    alembic.write(metadata)
    alembic.upgrade()
    assert alembic.differences(metadata) == []
    alembic.run(
        "ALTER TABLE warehouse.stored ALTER COLUMN name DROP DEFAULT",
        "ALTER TABLE shelf ALTER id TYPE integer",
    )
    alembic.write(metadata)
    alembic.upgrade()
    assert alembic.differences(metadata) == []
    alembic.downgrade("base")
    assert left_over(alembic) == set()


# -- what an environment says itself -------------------------------------------------------------------


def test_a_function_that_compares_types_is_asked_first(alembic):
    apps = migrated.earlier_fields(alembic.engine.dialect.name)
    alembic.write(tables(apps))
    alembic.upgrade()
    asked = []

    def compare_type(context, inspected, column, inspected_type, column_type):
        asked.append(column.name)
        return column.name == "email"

    differences = alembic.differences(tables(apps), compare_type=compare_type)
    assert [one[0][:4] for one in differences] == [("modify_type", None, "press_kinds", "email")]
    assert "key" in asked
    assert alembic.differences(tables(apps), compare_type=lambda *_: None) == []


def test_a_type_of_another_library_comes_with_its_import(alembic):
    with isolate_apps("press") as apps:

        class Located(models.Model):
            point = models.TypedField(migrated.Point(), null=True)

            class Meta:
                app_label = "press"

    source = alembic.write(tables(apps), allowed={"tests.migrated"})
    assert "import tests.migrated\n" in source
    alembic.upgrade()
    assert alembic.differences(tables(apps)) == []


def test_types_of_facade_in_tables_of_others_are_written_as_sqlalchemys(alembic):
    base = sa.MetaData()
    sa.Table("keyed", base, sa.Column("id", facade_types.UUID(), primary_key=True))
    alembic.write(base, tables(registry.Apps()))
    alembic.upgrade()
    assert left_over(alembic) == {"keyed"}


def test_an_own_render_item_goes_first(database, tmp_path):
    environment = migrated.ENVIRONMENT.replace(
        "target_metadata=target_metadata",
        "target_metadata=target_metadata, render_item=lambda kind, item, context: "
        "kind == 'type' and str(item) == 'SMALLINT' and 'sa.SMALLINT()'",
    )
    with project(tmp_path / "alembic", database.url, environment=environment) as alembic:
        source = alembic.write(tables(migrated.every_field(database.vendor)))
    assert "sa.Column('a small One', sa.SMALLINT(), nullable=False)" in source


def test_no_script_is_written_where_nothing_has_changed(database, tmp_path):
    environment = "import facade.migrations\n" + migrated.ENVIRONMENT.replace(
        "target_metadata=target_metadata",
        "target_metadata=target_metadata, "
        "process_revision_directives=facade.migrations.process_revision_directives",
    )
    with project(tmp_path / "alembic", database.url, environment=environment) as alembic:
        metadata = tables(migrated.every_relation(database.vendor))
        alembic.write(metadata)
        alembic.upgrade()
        assert alembic.write(metadata) is None


# -- what changes bring along --------------------------------------------------------------------------


@pytest.mark.vendors("postgres")
def test_new_labels_are_added_to_an_enumeration(alembic):
    def metadata(*labels):
        with isolate_apps("press") as apps:

            class Painted(models.Model):
                colour = models.TypedField(sa.Enum(*labels, name="shade"), null=True)

                class Meta:
                    app_label = "press"

        return tables(apps)

    few, many = metadata("red", "it's"), metadata(":blue", "red", "50%", "it's")
    alembic.write(few)
    alembic.upgrade()
    source = alembic.write(many)
    assert body(source).splitlines() == [
        "op.execute(\"ALTER TYPE shade ADD VALUE '\\\\:blue' BEFORE 'red'\")",
        "op.execute(\"ALTER TYPE shade ADD VALUE '50%' AFTER 'red'\")",
    ]
    alembic.upgrade()
    assert alembic.differences(many) == []
    alembic.downgrade()
    assert alembic.differences(few) == []


def test_keys_that_begin_to_be_counted_go_on_from_the_last_one(alembic, database):
    before, after = (
        tables(made(database.vendor)) for made in (migrated.earlier_fields, migrated.every_field)
    )
    alembic.write(before)
    alembic.upgrade()
    alembic.run("INSERT INTO press_smallkey (id) VALUES (5)")
    alembic.write(after)
    alembic.upgrade()
    with alembic.engine.begin() as connection:
        connection.execute(after.tables["press_smallkey"].insert())
    assert alembic.rows("SELECT id FROM press_smallkey ORDER BY id") == [(5,), (6,)]


@pytest.mark.vendors("sqlite")
def test_a_table_that_is_made_anew_keeps_what_alembic_does_not_read(alembic):
    """On SQLite it reads no index on expressions, no order of one, no collation, no AUTOINCREMENT, and some texts wrongly."""

    def metadata(extra):
        with isolate_apps("press") as apps:

            class Kept(models.Model):
                name = models.CharField(max_length=20, db_collation="nocase", db_default="it's :x")
                upper = models.GeneratedField(
                    expression=Upper("name"), output_field=models.CharField(max_length=20), db_persist=True
                )
                number = models.IntegerField(null=extra)

                class Meta:
                    app_label = "press"
                    constraints = [
                        models.CheckConstraint(condition=~Q(name=":y"), name="not_y"),
                        models.UniqueConstraint(Lower("name"), name="once"),
                    ]
                    indexes = [
                        models.Index(fields=["-number"], name="down"),
                        models.Index(fields=["number"], condition=~Q(name=":z"), name="not_z"),
                    ]

        return tables(apps)

    before, after = metadata(True), metadata(False)
    alembic.write(before)
    alembic.upgrade()
    made = texts_of(alembic)
    alembic.run(
        "INSERT INTO press_kept (name, number) VALUES ('Ada', 1), ('Bob', 2)",
        "DELETE FROM press_kept WHERE number = 2",
    )
    alembic.write(after)
    alembic.upgrade()
    changed = texts_of(alembic)
    assert {name for name in made if made[name] != changed[name]} == {"press_kept"}
    assert alembic.rows("SELECT name, upper, number FROM press_kept WHERE name = 'ADA'") == [
        ("Ada", "ADA", 1)
    ]
    alembic.downgrade()
    assert texts_of(alembic) == made


def texts_of(alembic):
    rows = alembic.rows(
        "SELECT name, sql FROM sqlite_master WHERE name LIKE 'press%' OR tbl_name = 'press_kept'"
    )
    return {name: sorted(re.findall(r'[^\s,"()]+', sql or "")) for name, sql in rows}


def test_a_project_without_models_is_left_to_alembic(alembic):
    base = sa.MetaData()
    sa.Table("plain", base, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String(10)))
    alembic.write(base)
    alembic.upgrade()
    sa.Table("plain", base, sa.Column("more", sa.String(20)), extend_existing=True)
    source = alembic.write(base)
    assert body(source) == "op.add_column('plain', sa.Column('more', sa.String(length=20), nullable=True))"


# -- how the database is asked -------------------------------------------------------------------------


@pytest.mark.parametrize("autocommit", [False, True], ids=["transaction", "autocommit"])
def test_a_comparison_leaves_nothing_behind(alembic, database, autocommit):
    metadata = tables(migrated.every_constraint(database.vendor))
    alembic.write(metadata)
    alembic.upgrade()
    level = {"isolation_level": "AUTOCOMMIT"} if autocommit else {}
    with alembic.engine.connect().execution_options(**level) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        for name in ("facade_wanted", "facade_wanted_again"):
            with pytest.raises(sa.exc.DBAPIError):
                connection.execute(sa.text(f"SELECT * FROM {name}"))
            connection.rollback()
    assert left_over(alembic) == {"press_constrained"}


@pytest.mark.vendors("postgres")
def test_who_may_only_read_compares_by_names(alembic, caplog):
    metadata = tables(migrated.every_constraint("postgresql"))
    alembic.write(metadata)
    alembic.upgrade()
    alembic.run(
        "DROP INDEX on_upper", "CREATE INDEX on_upper ON press_constrained (kind)", "DROP INDEX mixed"
    )
    with alembic.engine.connect() as connection:
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [(what, index.name) for what, index in differences] == [("add_index", "mixed")]
    assert "press_constrained are not compared, but for their names" in caplog.text


ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy"}


async def test_drivers_of_asyncio_tell_the_same(alembic, database, state):
    metadata = tables(state(database.vendor))
    alembic.write(metadata)
    alembic.upgrade()
    _, _, rest = database.url.partition(":")
    engine = create_async_engine(f"{ASYNC_DRIVERS[database.vendor]}:{rest}")
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    await engine.dispose()
    assert differences == []


def test_alembic_finds_the_plugin_by_itself(tmp_path):
    program = (
        "from alembic.runtime.plugins import _all_plugins\n"
        "from facade.migrations.plugin import NAME, install\n"
        "assert NAME in _all_plugins; install(); print('found')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*migrated.installed(tmp_path), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "found\n", done.stderr
