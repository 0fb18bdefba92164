"""Where migrations run: several databases, tenants' schemas, drivers of asyncio, deployers beside each other, and killed ones."""

from __future__ import annotations

import re
import signal
import time

import pytest
from sqlalchemy.engine import make_url

MODELS = """
class Event(models.Model):
    name = models.CharField(max_length=100)
"""
FIELD = "    name = models.CharField(max_length=100)\n"
SLOW = """
from pathlib import Path
import time

def hold():
    Path("begun").touch()
    while not Path("go").exists():
        time.sleep(0.02)

"""
TENANTS = [f"tenant_{number}" for number in range(10)]


def started(project, models=MODELS, **options):
    project.write_models(models, **options)
    project.run("init")
    project.run("makemigrations")
    return project


def columns(database, table, schema=None, using="default"):
    """Return the names of a table's columns as the database tells them."""
    if database.vendor == "sqlite":
        return [row[1] for row in database.observe(f"PRAGMA table_info({table})", using)]
    where = f"table_name = '{table}' AND table_schema = " + (
        f"'{schema}'" if schema else {"mysql": "database()"}.get(database.vendor, "'public'")
    )
    return [
        row[0]
        for row in database.observe(
            f"SELECT column_name FROM information_schema.columns WHERE {where} ORDER BY ordinal_position",
            using,
        )
    ]


def add(project, field):
    project.replace(FIELD, f"{FIELD}    {field}\n")
    return project.run("makemigrations")


def edit(script, old, new):
    text = script.read_text()
    assert old in text
    script.write_text(text.replace(old, new, 1))


# -- several databases -----------------------------------------------------------------------------------


ROUTED = (
    MODELS
    + """
class Log(models.Model):
    line = models.TextField()

class Router:
    def allow_migrate(self, db, app_label, model_name=None, **hints):
        return (db == "other") == (model_name == "log")

facade.configure(DATABASE_ROUTERS=[Router()])
"""
)


def test_each_database_has_a_history_of_its_own(project, database):
    started(project, ROUTED)
    project.run("migrate")
    assert "no section for the database 'other'" in project.run("migrate", "--database", "other", fails=True)
    assert project.run("init", "--database", "other").splitlines() == [
        "Written: alembic.ini",
        "Written: migrations/other",
    ]
    assert "+ Create table library_log" in project.run("makemigrations", "--database", "other")
    project.run("migrate", "--database", "other")
    assert (columns(database, "library_event"), columns(database, "library_log")) == (["id", "name"], [])
    assert columns(database, "library_log", using="other") == ["id", "line"]
    assert columns(database, "library_event", using="other") == []
    assert project.run("makemigrations", "--check", "--database", "other") == "No changes detected\n"
    assert project.run("showmigrations", "--database", "other").startswith("other\n [X] 0001_")
    assert "Running downgrade" in project.alembic("-n", "other", "downgrade", "base")
    assert columns(database, "library_event") == ["id", "name"]


def test_a_database_that_is_not_configured_is_named(project):
    started(project)
    project.run("init", "--database", "archive")
    error = project.run("migrate", "--database", "archive", fails=True)
    assert error.startswith(
        "There is no database 'archive' in DATABASES (default, other): name it in facade.configure("
    )


# -- drivers of asyncio ------------------------------------------------------------------------------------


DRIVERS = {"sqlite": "aiosqlite", "postgresql": "asyncpg", "mysql": "asyncmy"}
WITHOUT_SYNC_DRIVERS = """
import sys
for name in ("psycopg", "psycopg2", "pymysql", "MySQLdb"):
    sys.modules[name] = None
"""


def test_a_driver_of_asyncio_is_enough(project, database):
    driver = DRIVERS[database.vendor]
    project.urls = {
        alias: make_url(url)
        .set(drivername=f"{database.vendor}+{driver}")
        .render_as_string(hide_password=False)
        for alias, url in project.urls.items()
    }
    started(project, head=WITHOUT_SYNC_DRIVERS)
    project.run("migrate")
    add(project, "place = models.CharField(max_length=10, default='here')")
    project.run("migrate")
    assert columns(database, "library_event") == ["id", "name", "place"]
    project.replace("    place =", "    venue =")
    project.run("makemigrations", "--rename", "library_event.place=venue")
    project.run("migrate")
    assert columns(database, "library_event") == ["id", "name", "venue"]
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    assert "Running downgrade" in project.alembic("downgrade", "-1")
    project.run("migrate", "zero")
    assert columns(database, "library_event") == []


# -- tenants -------------------------------------------------------------------------------------------------


@pytest.fixture
def schemas(database):
    """Ten tenants' schemas; on MariaDB those are databases."""
    word = "DATABASE" if database.vendor == "mysql" else "SCHEMA"
    names = [
        f"{name}_{database.home.databases['default'][-6:]}" if word == "DATABASE" else name
        for name in TENANTS
    ]
    for name in names:
        database.observe(f"CREATE {word} {name}")
    yield names
    for name in names:
        database.observe(f"DROP {word} {name} {'' if word == 'DATABASE' else 'CASCADE'}")


def declare_tenants(project, schemas):
    edit(
        project.folder / "migrations" / "env.py", "environment.run()", f"environment.run(schemas={schemas!r})"
    )


@pytest.mark.vendors("postgres", "mariadb")
def test_ten_tenants_get_the_same_history(project, database, schemas):
    project.write_models(MODELS)
    project.run("init")
    declare_tenants(project, schemas)
    project.run("makemigrations")
    printed = project.run("migrate")
    assert re.findall(r"Schema (\S+)", printed) == schemas
    assert printed.count("... OK") == 10
    add(project, "place = models.CharField(max_length=10, null=True)")
    project.run("migrate", "--schema", schemas[3])
    assert [len(columns(database, "library_event", name)) for name in schemas] == [
        2,
        2,
        2,
        3,
        2,
        2,
        2,
        2,
        2,
        2,
    ]
    assert re.findall(r"\[(.)\] 0002", project.run("showmigrations")) == [*"   X      "]
    project.alembic("upgrade", "head")
    assert [columns(database, "library_event", name) for name in schemas] == [["id", "name", "place"]] * 10
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    assert columns(database, "library_event") == []


@pytest.mark.vendors("postgres", "mariadb")
def test_a_tenant_that_fails_is_named_and_the_next_run_goes_on_there(project, database, schemas):
    project.write_models(MODELS)
    project.run("init")
    declare_tenants(project, schemas)
    project.run("makemigrations")
    database.observe(f"CREATE TABLE {schemas[6]}.library_event (id INTEGER)")
    error = project.run("migrate", fails=True)
    assert f"failed in schema '{schemas[6]}'" in error
    assert "already exists" in error
    database.observe(f"DROP TABLE {schemas[6]}.library_event")
    printed = project.run("migrate")
    assert printed.count("... OK") == 4
    assert [len(columns(database, "library_event", name)) for name in schemas] == [2] * 10


@pytest.mark.vendors("postgres")
def test_a_schema_that_is_not_there_is_named(project, schemas):
    started(project)
    error = project.run("migrate", "--schema", "tenant_x", fails=True)
    assert error.startswith(
        "There is no schema 'tenant_x'. Those there are: information_schema, public, tenant_0,"
    )


@pytest.mark.vendors("sqlite")
def test_sqlite_has_a_database_for_each_tenant(project):
    started(project)
    error = project.run("migrate", "--schema", "tenant_x", fails=True)
    assert error.startswith("SQLite has no schemas for tenants: give each tenant a database in DATABASES")


# -- deployers ---------------------------------------------------------------------------------------------


def hold(project, script, *statements):
    """Let a revision do this, and stay where it is until the file `go` is there."""
    text = script.read_text()
    lines = "".join(f"    {line}\n" for line in (*statements, "hold()"))
    text = text.replace("def upgrade", f"{SLOW}\ndef upgrade").replace("    pass\n", lines, 1)
    script.write_text(text)


def wait_for(project, process, name="begun"):
    deadline = time.monotonic() + 60
    while not (project.folder / name).exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def held(project):
    """A project whose second revision makes a table, and then stays where it is."""
    started(project)
    project.run("migrate")
    project.run("makemigrations", "--empty")
    hold(project, project.revisions[-1], "op.create_table('half', sa.Column('id', sa.Integer()))")
    return project


def test_two_deployers_wait_for_each_other(held, database):
    first = held.start("migrate")
    wait_for(held, first)
    second = held.start("migrate")
    assert second.stdout.readline().startswith("Another deployer is migrating 'default'")
    (held.folder / "go").touch()
    assert second.communicate(timeout=60)[0] == "No migrations to apply.\n"
    assert re.search(r"0002_\w+_empty\.\.\. OK", first.communicate(timeout=60)[0])
    assert (first.returncode, second.returncode) == (0, 0)
    assert columns(database, "half") == ["id"]


@pytest.mark.without("mariadb", reason="its DDL cannot be rolled back")
def test_a_killed_deployer_leaves_nothing_half_done(held, database):
    process = held.start("migrate")
    wait_for(held, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    (held.folder / "go").touch()
    assert "[ ] 0002" in held.run("showmigrations")
    assert columns(database, "half") == []
    assert "_empty... OK" in held.run("migrate")
    assert columns(database, "half") == ["id"]


@pytest.mark.vendors("postgres")
def test_an_engine_that_commits_each_statement_holds_a_revision_whole(project, database):
    started(project)
    url = make_url(database.url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    engine = f"sa.create_engine({url!r}, isolation_level='AUTOCOMMIT')"
    models = project.folder / "library" / "models.py"
    edit(
        models,
        "facade.configure(",
        f"import sqlalchemy as sa\nfacade.configure(DATABASES={{'default': {engine}}})\ndict(",
    )
    project.run("migrate")
    project.run("makemigrations", "--empty")
    edit(
        project.revisions[-1],
        "    pass",
        "    op.create_table('half', sa.Column('id', sa.Integer()))\n    op.execute('nonsense')",
    )
    assert "Nothing of it was kept" in project.run("migrate", fails=True)
    assert columns(database, "half") == []


@pytest.mark.vendors("mariadb")
def test_where_ddl_commits_the_next_run_says_what_to_look_at(held, database):
    process = held.start("migrate")
    wait_for(held, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    (held.folder / "go").touch()
    for _ in range(2):
        error = held.run("migrate", fails=True)
        assert error.startswith("The last run was interrupted in the upgrade of 0002_")
        assert "at its statement 1: CREATE TABLE half" in error
        assert "--again" in error
        assert "--fake" in error
    database.observe("DROP TABLE half")
    assert "_empty... OK" in held.run("migrate", "--again")
    assert held.run("migrate") == "No migrations to apply.\n"
    assert columns(database, "half") == ["id"]


@pytest.mark.vendors("mariadb")
def test_what_was_done_by_hand_is_taken_as_done(held, database):
    process = held.start("migrate")
    wait_for(held, process)
    process.kill()
    process.communicate(timeout=60)
    assert "FAKED" in held.run("migrate", "--fake", "0002")
    assert held.run("migrate") == "No migrations to apply.\n"


@pytest.mark.vendors("postgres")
def test_an_index_is_made_concurrently_while_others_wait(project, database):
    started(project)
    project.run("migrate")
    project.run("makemigrations", "--empty")
    script = project.revisions[-1]
    hold(
        project,
        script,
        "with op.get_context().autocommit_block():",
        "    hold()",
        "    op.create_index('event_name', 'library_event', ['name'], postgresql_concurrently=True)",
    )
    first = project.start("migrate")
    wait_for(project, first)
    second = project.start("migrate")
    assert "waiting" in second.stdout.readline()
    (project.folder / "go").touch()
    assert "OK" in first.communicate(timeout=60)[0]
    assert "No migrations to apply." in second.communicate(timeout=60)[0]
    assert database.observe("SELECT indisvalid FROM pg_index WHERE indexrelid = 'event_name'::regclass") == [
        (True,)
    ]


@pytest.mark.vendors("postgres")
def test_a_revision_that_ends_its_transaction_is_not_said_to_leave_nothing(project, database):
    started(project)
    project.run("migrate")
    database.observe("INSERT INTO library_event (name) VALUES ('a'), ('a')")
    project.run("makemigrations", "--empty")
    index = (
        "op.create_index('event_name', 'library_event', ['name'], unique=True, postgresql_concurrently=True)"
    )
    edit(project.revisions[-1], "    pass", f"    with op.get_context().autocommit_block():\n        {index}")
    error = project.run("migrate", fails=True)
    assert "It ended its transaction by itself" in error
    assert "may be there, and invalid" in error
    assert database.observe("SELECT indisvalid FROM pg_index WHERE indexrelid = 'event_name'::regclass") == [
        (False,)
    ]


@pytest.mark.vendors("sqlite")
def test_sqlite_does_in_an_autocommit_block_what_no_transaction_takes(project, database):
    started(project)
    project.run("migrate")
    project.run("makemigrations", "--empty")
    edit(
        project.revisions[-1],
        "    pass",
        "    with op.get_context().autocommit_block():\n        op.execute('VACUUM')\n"
        "    op.create_table('more', sa.Column('id', sa.Integer()))",
    )
    assert "OK" in project.run("migrate")
    assert columns(database, "more") == ["id"]


@pytest.mark.vendors("sqlite")
def test_the_program_goes_on_writing_between_revisions(held, database):
    process = held.start("migrate")
    wait_for(held, process)
    (held.folder / "go").touch()
    process.communicate(timeout=60)
    database.observe("INSERT INTO library_event (name) VALUES ('a')")
    assert not list(held.folder.glob("*.migrating"))
    assert database.count("library_event") == 1


@pytest.mark.vendors("sqlite")
def test_tables_that_are_made_anew_keep_what_refers_to_them(project, database):
    started(
        project,
        MODELS + "\nclass Guest(models.Model):\n    event = models.ForeignKey(Event, models.CASCADE)\n",
    )
    project.run("migrate")
    database.observe("INSERT INTO library_event (id, name) VALUES (1, 'a')")
    database.observe("INSERT INTO library_guest (id, event_id) VALUES (1, 1)")
    project.replace("max_length=100", "max_length=200")
    project.run("makemigrations")
    project.run("migrate")
    assert database.count("library_guest") == 1
    project.run("makemigrations", "--empty")
    edit(project.revisions[-1], "    pass", "    op.execute('DELETE FROM library_event')")
    error = project.run("migrate", fails=True)
    assert "rows of 'library_guest' refer to rows of 'library_event' that are not there" in error
    assert database.count("library_event") == 1


# -- an env.py of the team's own ---------------------------------------------------------------------------


THEIRS = """
import facade, library.models
import sqlalchemy as sa
from alembic import context

engine = sa.create_engine({url!r}, poolclass=sa.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=facade.metadata())
    with context.begin_transaction():
        context.run_migrations()
"""


def test_the_commands_work_on_an_environment_of_the_teams_own(project, database):
    project.write_models(MODELS)
    project.run("init")
    driver = {"sqlite": "", "postgresql": "+psycopg", "mysql": "+pymysql"}[database.vendor]
    url = make_url(database.url).set(drivername=f"{database.vendor}{driver}")
    text = THEIRS.format(url=url.render_as_string(hide_password=False))
    (project.folder / "migrations" / "env.py").write_text(text)
    assert "+ Create table library_event" in project.run("makemigrations")
    assert "_initial... OK" in project.run("migrate")
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    project.run("makemigrations", "--empty")
    hold(project, project.revisions[-1])
    first = project.start("migrate")
    wait_for(project, first)
    second = project.start("migrate")
    assert second.stdout.readline().startswith("Another deployer is migrating 'default'")
    (project.folder / "go").touch()
    assert second.communicate(timeout=60)[0] == "No migrations to apply.\n"
    assert "_empty... OK" in first.communicate(timeout=60)[0]
    project.run("migrate", "zero")
    assert columns(database, "library_event") == []
