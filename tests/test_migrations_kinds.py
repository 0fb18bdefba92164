"""A history is of one kind of database: its revisions say which, and are refused elsewhere before anything is changed."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.fix_commands import environment, on_sqlite

SAMPLE = Path(__file__).parents[1] / "docs" / "samples" / "booking"
MODELS = """
class Crate(models.Model):
    name = models.CharField(max_length=100)
"""
FIELD = "    name = models.CharField(max_length=100)\n"
FILE = {"default": "sqlite:///default.sqlite3"}
LINE = re.compile(r"^runs_on = .*\n", re.MULTILINE)
ELSEWHERE = "runs_on = 'postgresql'\n"


def kinds(script):
    """Return the kinds of databases that a revision names."""
    return [re.findall(r"'(\w+)'", line) for line in LINE.findall(script.read_text())]


def say(script, line):
    """Let a revision say this of itself instead."""
    text, count = LINE.subn(line, script.read_text())
    assert count == 1
    script.write_text(text)


def refused(project, *arguments, number="0001"):
    """Run a command, which is refused for the kind of database, and return what it said."""
    error = project.run(*arguments, fails=True)
    assert re.match(rf"{number}_\w+( \(and \d more\))? was made on ", error), error
    assert "facade init --config FILE" in error
    assert "delete its line `runs_on = …`" in error
    return error


def tables(project):
    with closing(sqlite3.connect(project.folder / "default.sqlite3")) as connection:
        return sorted(
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        )


def at(project, urls):
    project.urls = urls
    project.write_models(MODELS)


@pytest.mark.vendors("postgres", "mariadb")
def test_a_server_and_sqlite_have_each_a_history_and_refuse_the_other(project, database):
    urls, asked, named = project.urls, *SERVERS[database.vendor]
    project.write_models(MODELS)
    project.run("init")
    project.run("makemigrations")
    assert kinds(project.revisions[0]) == [[database.vendor]]

    at(project, FILE)
    assert f"was made on {named}, and this database is SQLite" in refused(project, "migrate")
    assert tables(project) == []
    assert project.run("init", "--config", "sqlite.ini").splitlines() == [
        "Written: sqlite.ini",
        "Written: migrations/sqlite",
    ]
    project.run("makemigrations", "--config", "sqlite.ini")
    project.run("migrate", "--config", "sqlite.ini")
    assert project.run("makemigrations", "--check", "--config", "sqlite.ini") == "No changes detected\n"

    at(project, urls)
    error = refused(project, "migrate", "--config", "sqlite.ini")
    assert f"was made on SQLite, and this database is {asked}," in error
    assert database.home.is_empty("default")
    if database.vendor == "mysql":  # of which MariaDB is one
        say(project.revisions[0], "runs_on = 'mariadb'\n")
    assert "OK" in project.run("migrate")
    assert project.run("makemigrations", "--check") == "No changes detected\n"


SERVERS = {"postgresql": ("PostgreSQL", "PostgreSQL"), "mysql": ("MariaDB", "MySQL or MariaDB")}


@pytest.mark.vendors("postgres")
def test_a_revision_of_indexes_apart_says_it_too(project):
    project.write_models(MODELS)
    project.run("init")
    project.run("makemigrations")
    project.run("migrate")
    project.replace(
        "max_length=100)", "max_length=100, db_index=True)\n    weight = models.IntegerField(null=True)"
    )
    project.run("makemigrations", "--concurrently")
    assert list(map(kinds, project.revisions)) == [[["postgresql"]]] * 3


# -- one that was made elsewhere --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def begun(tmp_path_factory, commands):
    """Two revisions, of which the first is applied."""
    folder = tmp_path_factory.mktemp("begun")
    project = on_sqlite(folder, commands)
    project.write_models(MODELS)
    project.run("init")
    project.run("makemigrations")
    project.run("migrate")
    project.replace(FIELD, f"{FIELD}    weight = models.IntegerField(null=True)\n")
    project.run("makemigrations")
    return folder


@pytest.fixture
def crates(begun, tmp_path, commands):
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return on_sqlite(tmp_path, commands)


def test_every_command_that_would_run_it_refuses_it(crates):
    second = crates.revisions[1]
    say(second, ELSEWHERE)
    for command in (
        ["migrate"],
        ["migrate", "--plan"],
        ["migrate", "--from-django"],
        ["makemigrations"],
        ["makemigrations", "--check"],
        ["sqlmigrate", "0002"],
        ["lintmigrations"],
    ):
        error = refused(crates, *command, number="0002")
        assert "was made on PostgreSQL, and this database is SQLite" in error
    assert crates.run("migrate", "0001") == "No migrations to apply.\n"
    assert "CREATE TABLE library_crate" in crates.run("sqlmigrate", "0001")
    assert "[ ] 0002" in crates.run("showmigrations")
    assert "+ Add column weight" in crates.show("diff")

    say(second, "runs_on = ('postgresql', 'sqlite')\n")
    assert "OK" in crates.run("migrate")
    say(second, "")
    say(crates.revisions[0], ELSEWHERE)
    assert refused(crates, "sqlmigrate", "0002")  # SQLite runs what is before it
    assert "Unapplying 0002" in crates.run("migrate", "0001")


def test_the_way_back_is_refused_and_what_runs_nothing_is_not(crates):
    crates.run("migrate")
    for script in crates.revisions:
        say(script, ELSEWHERE)
    assert "_weight (and 1 more) was made on" in refused(crates, "migrate", "zero", number="0002")
    assert refused(crates, "sqlmigrate", "0002", "--backwards", number="0002")
    crates.run("migrate", "zero", "--fake")
    assert refused(crates, "migrate")
    assert refused(crates, "migrate", "--fake-initial")
    assert tables(crates) == ["alembic_version", "library_crate", "sqlite_sequence"]
    assert crates.run("migrate", "--fake").count("FAKED") == 2


def test_what_is_written_by_hand_is_not_marked_and_older_revisions_go_on(crates):
    for script in crates.revisions:
        say(script, "")
    crates.run("migrate")
    crates.run("makemigrations", "--empty")
    third = crates.revisions[2]
    assert kinds(third) == []
    third.write_text(
        third.read_text().replace("import sqlalchemy as sa\n", "import sqlalchemy as sa\nruns_on = 12\n")
    )
    assert "OK" in crates.run("migrate")
    crates.replace(FIELD, f"{FIELD}    height = models.IntegerField(null=True)\n")
    crates.run("makemigrations")
    assert list(map(kinds, crates.revisions)) == [[], [], [[]], [["sqlite"]]]


def test_a_squashed_revision_is_of_the_kind_of_its_parts(crates):
    crates.run("migrate")
    first, second = crates.revisions
    say(first, "runs_on = ('postgresql', 'sqlite')\n")
    say(second, ELSEWHERE)
    text = first.read_text()
    say(first, "runs_on = 'sqlite'\n")
    error = crates.run("squashmigrations", "0002", fails=True)
    assert re.search(
        r"0001_\w+ was made on SQLite, and 0002_\w+ on PostgreSQL: no database runs both\.", error
    )
    assert crates.revisions == [first, second]
    first.write_text(text)
    crates.run("squashmigrations", "0002")
    (squashed,) = crates.revisions
    assert kinds(squashed) == [["postgresql"]]
    say(squashed, "")
    assert crates.run("makemigrations", "--check") == "No changes detected\n"


def test_ends_of_different_kinds_are_not_joined(crates):
    second = crates.revisions[1]
    name = re.match(r"\d{4}_[0-9a-f]{6}", second.stem)[0]
    other = second.with_name("0002_abcdef_other.py")
    other.write_text(second.read_text().replace(f"revision: str = '{name}'", "revision: str = '0002_abcdef'"))
    say(other, ELSEWHERE)
    assert "no database runs both" in crates.run("makemigrations", "--merge", fails=True)
    say(other, "")
    crates.run("makemigrations", "--merge")
    assert len(crates.revisions) == 4


OWN = """
from alembic import context
import library.models
from facade.db.connection import connections
import facade

with connections["default"].engine.connect() as connection:
    context.configure(connection=connection, target_metadata=[facade.metadata()])
    with context.begin_transaction():
        context.run_migrations()
"""


def test_facades_commands_on_an_env_py_of_ones_own_mark_and_refuse(crates):
    (crates.folder / "migrations" / "env.py").write_text(OWN)
    assert "OK" in crates.run("migrate")
    crates.replace(FIELD, f"{FIELD}    height = models.IntegerField(null=True)\n")
    crates.run("makemigrations")
    third = crates.revisions[2]
    assert kinds(third) == [["sqlite"]]
    say(third, ELSEWHERE)
    assert refused(crates, "migrate", number="0003")
    assert refused(crates, "makemigrations", number="0003")


@pytest.mark.parametrize("begun_before", [False, True])
def test_alembics_commands_refuse_on_an_env_py_of_ones_own_that_asks(crates, begun_before):
    own = OWN.replace("    with", "    check_kind(context.get_context())\n    with", 1)
    own = own.replace(".connect()", ".begin()") if begun_before else own
    (crates.folder / "migrations" / "env.py").write_text(f"from facade.migrations import check_kind\n{own}")
    say(crates.revisions[1], ELSEWHERE)
    process = crates.start("upgrade", "head", program="alembic")
    printed, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "0002" in printed
    assert "was made on PostgreSQL, and this database is SQLite" in printed
    refused(crates, "migrate", number="0002")
    crates.alembic("stamp", "head")
    crates.alembic("stamp", "0001")
    say_nothing = crates.revisions[1].read_text().replace(ELSEWHERE, "")
    crates.revisions[1].write_text(say_nothing)
    crates.alembic("upgrade", "head")
    assert "[X] 0002" in crates.run("showmigrations")
    crates.alembic("downgrade", "0001")
    assert "[ ] 0002" in crates.run("showmigrations")


ALEMBIC = """
import re
from pathlib import Path
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

config = Config("alembic.ini")

def refused(work, *arguments, **options):
    try:
        work(config, *arguments, **options)
    except CommandError as error:
        return "was made on PostgreSQL" in str(error)

command.upgrade(config, "head")
written = Path(command.revision(config, "ages", autogenerate=True).path)
text = written.read_text()
found = re.findall(r"^runs_on = '(\\w+)'", text, re.MULTILINE)
written.write_text(text.replace("runs_on = 'sqlite'", "runs_on = 'postgresql'"))
found += [refused(command.upgrade, "head"), refused(command.upgrade, "head", sql=True)]
command.stamp(config, "head")
found += [refused(command.downgrade, "-1"), refused(command.check), refused(command.revision, "more", autogenerate=True)]
command.stamp(config, "base", purge=True)
print(*found, refused(command.upgrade, "heads"))
"""


def test_alembics_own_commands_mark_and_refuse_under_facades_environment(crates):
    crates.replace(FIELD, f"{FIELD}    height = models.IntegerField(null=True)\n")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALEMBIC],
        cwd=crates.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["sqlite True True True True True True"], done.stderr


# -- init --config ---------------------------------------------------------------------------------------


def test_the_sample_has_what_init_writes(sqlite_project):
    sqlite_project.write_models(MODELS)
    sqlite_project.run("init")
    sqlite_project.run("init", "--config", "postgresql.ini")
    for name in ("alembic.ini", "postgresql.ini", "migrations/script.py.mako"):
        assert (sqlite_project.folder / name).read_text() == (SAMPLE / name).read_text()
    for script in SAMPLE.glob("migrations/*/*.py"):
        assert kinds(script) == [["postgresql" if script.parent.name == "postgresql" else "sqlite"]]


def test_a_second_history_has_a_file_of_its_own_wherever_that_is(sqlite_project):
    sqlite_project.write_models(MODELS)
    (sqlite_project.folder / "deploy").mkdir()
    sqlite_project.run("init")
    option = ("--config", "deploy/archive.ini")
    assert "Written: migrations/archive\n" in sqlite_project.run("init", *option)
    assert "Written: migrations/archive_other\n" in sqlite_project.run("init", "--database", "other", *option)
    assert "Written: migrations/archive/0001" in sqlite_project.run("makemigrations", *option)
    assert "OK" in sqlite_project.run("migrate", *option)
    for command in ("makemigrations", "migrate"):
        assert "say `facade migrate zero --fake` with the one that it has" in sqlite_project.run(
            command, fails=True
        )
    error = sqlite_project.run("init", *option, fails=True)
    assert error.startswith(
        "deploy/archive.ini has [alembic] already: the database 'default' has its history. A second"
    )
    assert "facade init --database x --config deploy/archive.ini" in sqlite_project.run(
        "migrate", "--database", "x", *option, fails=True
    )


def files(project):
    return {
        path: path.read_text()
        for path in project.folder.rglob("[!.]*")
        if path.suffix != ".pyc" and path.is_file()
    }


@pytest.mark.parametrize(
    ("first", "second", "folder"),
    [
        (["--config", "a/shop.ini"], ["--config", "b/shop.ini"], "shop"),
        (["--database", "shop"], ["--config", "shop.ini"], "shop"),
        (["--config", "shop_logs.ini"], ["--config", "shop.ini", "--database", "logs"], "shop_logs"),
        (["--config", "shop.ini"], ["--config", "versions.ini"], "versions"),
        (["--config", "shop.ini"], ["--database", "versions"], "versions"),
    ],
)
def test_two_histories_have_no_folder_in_common(sqlite_project, first, second, folder):
    sqlite_project.write_models(MODELS)
    for name in ("a", "b"):
        (sqlite_project.folder / name).mkdir()
    sqlite_project.run("init", *first)
    before = files(sqlite_project)
    error = sqlite_project.run("init", *second, fails=True)
    assert files(sqlite_project) == before
    assert error.startswith(f"migrations/{folder} is the folder of ")
    if folder == "versions":
        assert "the first history: give" in error
    else:
        assert "another history: name another --folder" in error
        assert f"Written: other/{folder}" in sqlite_project.run("init", *second, "--folder", "other")


def test_a_configuration_that_is_not_there_is_not_another_one(sqlite_project):
    sqlite_project.write_models(MODELS)
    sqlite_project.run("init", "--pyproject")
    error = sqlite_project.run("migrate", "--config", "postgers.ini", fails=True)
    assert error.startswith(
        "There is no postgers.ini: `facade init --config postgers.ini` makes what migrations need;"
    )
    for option in (["--pyproject", "--config", "x.ini"], ["--config", "pyproject.toml"]):
        assert "say --pyproject, or name an .ini" in sqlite_project.run("init", *option, fails=True)
