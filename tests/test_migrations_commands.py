"""The commands of migrations, run as processes in projects of their own: files, history, targets, and what they print."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from tests.fix_commands import environment, on_sqlite

LIBRARY = """
class Author(models.Model):
    name = models.CharField(max_length=100)


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=200, db_index=True)
    tags = models.ManyToManyField("Tag")


class Tag(models.Model):
    word = models.SlugField(unique=True)
"""
NAME = "    name = models.CharField(max_length=100)\n"


def started(project):
    """Write and apply the first revision."""
    project.write_models(LIBRARY)
    project.run("init")
    project.run("makemigrations")
    project.run("migrate")
    return project


@pytest.fixture(scope="module")
def begun(tmp_path_factory, commands):
    """A project with one revision, which is applied; and the same with two more, which are not."""
    one, three = (tmp_path_factory.mktemp(name) / "project" for name in ("one", "three"))
    one.mkdir()
    project = started(on_sqlite(one, commands))
    shutil.copytree(one, three)
    project = on_sqlite(three, commands)
    change(project, "age = models.IntegerField(null=True)")
    project.run("migrate")
    change(project, "born = models.DateField(null=True)")
    project.run("migrate", "0001")
    return one, three


@pytest.fixture
def library(begun, tmp_path, commands):
    """A project on SQLite whose first revision is applied."""
    shutil.copytree(begun[0], tmp_path, dirs_exist_ok=True)
    return on_sqlite(tmp_path, commands)


@pytest.fixture
def three(begun, tmp_path, commands):
    """A project on SQLite with three revisions, of which the first is applied."""
    shutil.copytree(begun[1], tmp_path, dirs_exist_ok=True)
    return on_sqlite(tmp_path, commands)


def change(project, field):
    """Give authors a field, and write the revision."""
    project.replace(NAME, f"{NAME}    {field}\n")
    return project.run("makemigrations")


def shape(text):
    """Leave the random digits of ids out."""
    return re.sub(r"\b(\d{4})_[0-9a-f]{6}\b|(\d{4})_[0-9a-f]{6}_", r"\1\2_", text)


def names(project):
    return [shape(path.stem) for path in project.revisions]


def test_a_project_goes_from_nothing_to_its_tables_and_back(project, database):
    project.write_models(LIBRARY)
    assert project.run("init").splitlines() == [
        "Written: alembic.ini",
        "Written: migrations/env.py",
        "Written: migrations/script.py.mako",
        "Written: migrations/versions",
    ]
    assert "+ Create table library_author" in project.run("makemigrations")
    assert names(project) == ["0001_initial"]
    assert "Applying" in project.run("migrate")
    assert database.count("library_author") == 0
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    assert project.run("migrate") == "No migrations to apply.\n"
    assert "Unapplying" in project.run("migrate", "zero")
    with pytest.raises(Exception, match="library_author"):
        database.count("library_author")
    project.run("migrate")
    assert database.count("library_book_tags") == 0


# -- files -------------------------------------------------------------------------------------------


def test_the_environment_has_three_lines_and_serves_alembic_itself(library):
    lines = (library.folder / "migrations" / "env.py").read_text().split("\n")
    assert [line for line in lines if line] == [
        "import library.models  # noqa: F401",
        "from facade.migrations import environment",
        "environment.run()",
    ]
    assert "Running downgrade 0001" in library.alembic("downgrade", "base")
    assert "Running upgrade  -> 0001" in library.alembic("upgrade", "head")
    assert "No new upgrade operations detected" in library.alembic("check")
    assert library.run("migrate") == "No migrations to apply.\n"


def test_a_revision_of_alembics_command_is_one_of_the_history(library):
    library.replace(NAME, f"{NAME}    age = models.IntegerField(null=True)\n")
    library.alembic("revision", "--autogenerate", "-m", "ages")
    assert "_ages... OK" in library.run("migrate")
    assert library.run("makemigrations") == "No changes detected\n"


def test_scripts_import_sqlalchemy_and_alembic_alone(library):
    (script,) = library.revisions
    imports = [line for line in script.read_text().splitlines() if line.startswith(("import", "from"))]
    assert imports == [
        "from typing import Sequence, Union",
        "from alembic import op",
        "import sqlalchemy as sa",
    ]


def test_pyproject_can_hold_the_configuration(sqlite_project):
    pyproject = sqlite_project.folder / "pyproject.toml"
    pyproject.write_text('[project]\nname = "library"\n')
    sqlite_project.write_models(LIBRARY)
    sqlite_project.run("init", "--pyproject", "--folder", "history")
    assert pyproject.read_text().startswith('[project]\nname = "library"\n')
    assert "0001" in sqlite_project.run("makemigrations")
    sqlite_project.run("migrate")
    assert [path.name for path in (sqlite_project.folder / "history").glob("*")]
    assert not (sqlite_project.folder / "alembic.ini").exists()
    assert "No new upgrade operations detected" in sqlite_project.alembic("check")


def test_a_second_init_changes_nothing(library):
    before = (library.folder / "alembic.ini").read_text()
    error = library.run("init", fails=True)
    assert error == (
        "alembic.ini has [alembic] already: the database 'default' has its history. A second one, for another kind of database, has a "
        "file of its own: --config FILE.\n"
    )
    assert (library.folder / "alembic.ini").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["makemigrations"],
            "There is neither alembic.ini nor a [tool.alembic] in pyproject.toml: `facade init` makes what",
        ),
        (
            ["init", "libary.models"],
            "There is no module 'libary.models' here: name it as a program would import it.",
        ),
        (["init", "--folder", "x"], "No module here is called models: name those with your models"),
    ],
)
def test_what_is_missing_is_named(sqlite_project, arguments, error):
    printed = sqlite_project.run(*arguments, fails=True)
    assert printed.startswith(error)
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "old", "new", "error"),
    [
        (
            "migrations/env.py",
            "library.models",
            "libary.models",
            "migrations/env.py does not come through: ModuleNotFoundError: No module named 'libary'. Go where the project is, or",
        ),
        (
            "library/models.py",
            "class Author",
            "1 / 0\nclass Author",
            "migrations/env.py does not come through: ZeroDivisionError: division by zero. (/",
        ),
        (
            "library/models.py",
            "sqlite:///default.sqlite3",
            "postgresql://ada:secret@127.0.0.1:1/library",
            "The database 'default' (postgresql+psycopg://ada:***@127.0.0.1:1/library) cannot be reached: connection failed: ",
        ),
    ],
)
def test_what_does_not_come_through_is_named_in_one_line(library, file, old, new, error):
    path = library.folder / file
    path.write_text(path.read_text().replace(old, new))
    printed = library.run("migrate", fails=True)
    assert printed.startswith(error)
    assert printed.count("\n") == 1


# -- makemigrations ------------------------------------------------------------------------------------


def test_a_revision_is_called_by_what_it_changes(library):
    assert "+ Create index library_author_age" in change(
        library, "age = models.IntegerField(null=True, db_index=True)"
    )
    assert names(library) == ["0001_initial", "0002_author_age"]


def test_names_tell_of_what_is_gone_and_altered(library):
    library.replace("max_length=100", "max_length=150")
    assert "~ Alter column name of library_author: type" in library.run("makemigrations")
    library.run("migrate")
    library.replace("    title = models.CharField(max_length=200, db_index=True)\n", "")
    library.replace('    tags = models.ManyToManyField("Tag")\n', "")
    told = library.run("makemigrations", "--no-renames")
    assert "- Remove column title from library_book" in told
    assert "- Delete table library_book_tags" in told
    assert names(library) == [
        "0001_initial",
        "0002_alter_author_name",
        "0003_remove_book_title_delete_book_tags",
    ]


def test_a_name_of_ones_own(library):
    library.replace("max_length=100", "max_length=150")
    library.run("makemigrations", "--name", "longer names")
    assert names(library)[-1] == "0002_longer_names"


def test_check_fails_for_changes_and_writes_nothing(library):
    library.replace(NAME, f"{NAME}    age = models.IntegerField()\n")
    assert library.run("makemigrations", "--check", fails=True) == ""
    assert "+ Add column age to library_author" in library.show("makemigrations", "--check")
    assert names(library) == ["0001_initial"]


def test_dry_run_shows_the_code_and_writes_nothing(library):
    library.replace(NAME, f"{NAME}    age = models.IntegerField(null=True)\n")
    printed = library.run("makemigrations", "--dry-run")
    assert printed.startswith("Would be written: author_age\n")
    assert "sa.Column('age', sa.Integer(), nullable=True)" in printed
    assert names(library) == ["0001_initial"]


def test_an_empty_revision_waits_to_be_filled(library):
    library.run("makemigrations", "--empty", "--name", "fill")
    assert names(library) == ["0001_initial", "0002_fill"]
    text = library.revisions[-1].read_text()
    assert text.count("    pass") == 2
    assert "_fill... OK" in library.run("migrate")


def test_a_database_that_is_behind_is_not_compared(library):
    change(library, "age = models.IntegerField(null=True)")
    error = library.run("makemigrations", fails=True)
    assert shape(error) == (
        "The database 'default' is not at the end of its history (0002_author_age): run `facade migrate` first.\n"
    )


def test_tables_that_no_revision_made_are_left_alone(project, database):
    started(project)
    database.observe("CREATE TABLE theirs (id INTEGER)")
    printed = project.run("makemigrations", "--check")
    assert printed.splitlines() == [
        "The table theirs is in the database, and no revision made it: it is left alone.",
        "No changes detected",
    ]


def test_two_heads_are_merged(project, database):
    started(project)
    change(project, "age = models.IntegerField(null=True)")
    mine = project.revisions[-1].rename(project.folder / "mine")
    project.replace("age = models.IntegerField(null=True)", "born = models.DateField(null=True)")
    project.run("makemigrations")
    mine.rename(project.folder / "migrations" / "versions" / "0002_abcdef_author_age.py")
    (text,) = [path for path in project.revisions if path.stem.endswith("abcdef_author_age")]
    text.write_text(re.sub(r"0002_[0-9a-f]{6}", "0002_abcdef", text.read_text()))
    for command in ("migrate", "makemigrations"):
        error = project.run(command, fails=True)
        assert "has several ends" in error
        assert "facade makemigrations --merge" in error
    printed = project.run("makemigrations", "--merge")
    assert "add_column library_author, age" in printed
    assert "add_column library_author, born" in printed
    project.replace("    born", "    age = models.IntegerField(null=True)\n    born")
    assert project.run("migrate").count("... OK") == 3
    assert project.run("makemigrations") == "No changes detected\n"
    assert "There is nothing to merge" in project.run("makemigrations", "--merge", fails=True)


# -- migrate and showmigrations --------------------------------------------------------------------------


def applied(project):
    return "".join(re.findall(r"\[(.)\]", project.run("showmigrations")))


def test_a_target_is_reached_from_both_sides(three):
    for target, reached in [
        ("author_age", "XX "),
        ("0003", "XXX"),
        ("-1", "XX "),
        (three.revisions[0].stem, "X  "),
        ("+2", "XXX"),
        ("0001", "X  "),
        ("zero", "   "),
        ("head", "XXX"),
        ("base", "   "),
    ]:
        three.run("migrate", target)
        assert applied(three) == reached, target


def test_showmigrations_lists_what_is_applied(three):
    assert shape(three.run("showmigrations")) == (
        "default\n [X] 0001_initial\n [ ] 0002_author_age\n [ ] 0003_author_born\n"
    )


def test_the_plan_shows_operations_and_does_nothing(three):
    assert shape(three.run("migrate", "--plan")) == (
        "Planned operations:\n"
        "0002_author_age\n    add_column library_author, age\n"
        "0003_author_born\n    add_column library_author, born\n"
    )
    assert "0001_initial (back)\n" in shape(three.run("migrate", "zero", "--plan"))
    assert applied(three) == "X  "
    assert three.run("migrate", "--check", fails=True) == ""


def test_there_is_a_line_for_each_revision(three):
    printed = shape(three.run("migrate"))
    assert re.sub(r" \(\d+\.\d s\)", "", printed) == (
        "  Applying 0002_author_age... OK\n  Applying 0003_author_born... OK\n"
    )


def test_fake_runs_nothing(three):
    assert three.run("migrate", "0002", "--fake").count("FAKED") == 1
    assert applied(three) == "XX "
    assert shape(three.run("migrate", "zero", fails=True)).startswith(
        '0002_author_age failed: no such column: "age". Nothing'
    )


def test_fake_initial_takes_tables_that_are_there(project, database):
    started(project)
    change(project, "age = models.IntegerField(null=True)")
    database.observe("DROP TABLE alembic_version")
    assert re.findall("FAKED|OK", project.run("migrate", "--fake-initial")) == ["FAKED", "OK"]
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    project.run("migrate", "zero")
    assert re.findall("FAKED|OK", project.run("migrate", "--fake-initial")) == ["OK", "OK"]


def test_an_unknown_revision_is_answered_with_those_there_are(three):
    assert shape(three.run("migrate", "0009", fails=True)) == (
        "There is no revision '0009'. Those there are: 0001_initial, 0002_author_age, 0003_author_born.\n"
    )
    assert "Several revisions are called '00'" in three.run("migrate", "00", fails=True)


def test_a_revision_that_fails_is_named_and_leaves_nothing(three):
    script = three.revisions[-1]
    script.write_text(
        script.read_text().replace(
            "def downgrade", "    op.execute('SELECT missing FROM library_author')\n\n\ndef downgrade"
        )
    )
    error = shape(three.run("migrate", fails=True))
    assert error == (
        "0003_author_born failed: no such column: missing. Nothing of it was kept; those before it are applied.\n"
    )
    assert applied(three) == "XX "
    script.write_text(
        script.read_text().replace("    op.execute('SELECT missing FROM library_author')\n", "")
    )
    three.run("migrate")
    assert applied(three) == "XXX"


def test_a_mistake_in_a_revision_shows_its_traceback_when_asked(three):
    script = three.revisions[-1]
    script.write_text(script.read_text().replace("def downgrade", "    nothing\n\n\ndef downgrade"))
    assert "NameError: name 'nothing' is not defined" in three.run("migrate", fails=True)
    assert f'{script.name}", line' in three.show("migrate", "--traceback")


# -- sqlmigrate and squashmigrations ----------------------------------------------------------------------


def test_sqlmigrate_prints_what_would_be_sent(project, database):
    started(project)
    change(project, "age = models.IntegerField(null=True)")
    printed = project.run("sqlmigrate", "0002")
    assert re.search(r"ALTER TABLE library_author ADD COLUMN age INTEGER", printed)
    assert "UPDATE alembic_version" in printed
    assert (
        "DROP COLUMN age" in project.run("sqlmigrate", "0002", "--backwards") or database.vendor == "sqlite"
    )
    assert re.search("CREATE TABLE library_book", project.run("sqlmigrate", "0001"))
    assert "[ ] 0002" in project.run("showmigrations")


def test_squashed_revisions_are_one_for_databases_that_have_them(project, database):
    started(project)
    change(project, "age = models.IntegerField(null=True)")
    project.run("migrate")
    change(project, "born = models.DateField(null=True)")
    first = project.revisions[0].stem.rpartition("_")[0]
    assert shape(project.run("squashmigrations", "0002")).startswith(
        "Will squash:\n - 0001_initial\n - 0002_author_age\nWritten: migrations/versions/0002_squashed_0001_"
    )
    assert len(project.revisions) == 2
    assert f"replaces = ('{first}',)" in project.revisions[0].read_text()
    assert project.run("migrate").count("... OK") == 1
    project.run("migrate", "zero")
    assert project.run("migrate").count("... OK") == 2
    assert project.run("makemigrations") == "No changes detected\n"
    database.observe(f"UPDATE alembic_version SET version_num = '{first}'")
    assert "which 0002" in project.run("migrate", fails=True)


def test_a_database_inside_of_what_is_squashed_is_migrated_first(three):
    error = three.run("squashmigrations", "0001", "0003", fails=True)
    assert shape(error) == "The database 'default' stands at 0001_initial: run `facade migrate` first.\n"
    assert len(three.revisions) == 3


def test_without_alembic_the_commands_say_how_to_get_it(sqlite_project):
    program = "import sys; sys.modules['alembic'] = None; from facade.cli import main; main()"
    sqlite_project.write_models(LIBRARY)
    done = subprocess.run(
        [sys.executable, "-c", program, "migrate"],
        cwd=sqlite_project.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "Migrations need Alembic: pip install 'sqlalchemy-facade[migrations]'\n"
    assert done.returncode == 1


IN_PYTHON = """
import asyncio
import facade
from facade.migrations.commands import applying, histories, making

history = histories.find()
print(making.make(history).name, applying.migrate(history))

from library.models import Author

async def main():
    print(await facade.run(applying.migrate, history, "zero"))
    print(await facade.run(applying.migrate, history), await Author.objects.acount())
    await facade.close_all_async()

asyncio.run(main())
print(Author.objects.count())
try:
    applying.migrate(history, "0009")
except Exception as error:
    print(type(error).__name__)
"""


def test_the_functions_behind_the_commands_are_for_programs_on_both_faces(sqlite_project):
    sqlite_project.write_models(LIBRARY)
    sqlite_project.run("init")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IN_PYTHON],
        cwd=sqlite_project.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["initial", "1", "1", "1", "0", "0", "CommandError"], "")
