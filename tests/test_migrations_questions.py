"""Renames, and values for rows that are there: asked in a terminal, said by options elsewhere; the rows survive."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shutil

import pytest

from tests.fix_commands import on_sqlite

MODELS = """
class Author(models.Model):
    name = models.CharField(max_length=100, db_index=True)
    motto = models.TextField(null=True)


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    tags = models.ManyToManyField("Tag")


class Tag(models.Model):
    word = models.SlugField(unique=True)
"""
NAME = "    name = models.CharField(max_length=100, db_index=True)\n"
AUTHOR = "INSERT INTO library_author (id, name, motto) VALUES (1, 'Ada', NULL)"


def started(project):
    project.write_models(MODELS)
    project.run("init")
    project.run("makemigrations")
    project.run("migrate")


@pytest.fixture
def library(project, database):
    """A project with an author in it."""
    started(project)
    database.observe(AUTHOR)
    return project


@pytest.fixture(scope="module")
def begun(tmp_path_factory, commands):
    folder = tmp_path_factory.mktemp("questions") / "project"
    folder.mkdir()
    started(on_sqlite(folder, commands))
    return folder


@pytest.fixture
def shelf(begun, tmp_path, commands):
    """The same on SQLite, without rows."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    return on_sqlite(tmp_path, commands)


def answer(project, *arguments, answers):
    """Run a command in a terminal, and type these when it asks; returns what it printed, and its exit code."""
    terminal, theirs = pty.openpty()
    done = project.begin_in(os.ttyname(theirs), *arguments)
    printed, waiting = "", list(answers)
    while terminal in (ready := select.select([terminal, done], [], [], 60)[0]):
        printed += os.read(terminal, 65536).decode()
        if waiting and printed.endswith(("[y/N] ", "Choose: ", "Value: ")):
            os.write(terminal, f"{waiting.pop(0)}\n".encode())
            printed += "\n"
    assert done in ready, f"{arguments}: it waits after {printed}"
    os.close(theirs)
    with contextlib.suppress(OSError):  # the other end is closed, and all is read
        while True:
            printed += os.read(terminal, 65536).decode()
    os.close(terminal)
    assert waiting == []
    return printed.replace("\r\n", "\n"), int(done.readline())


def applied(project):
    project.run("migrate")
    assert project.run("makemigrations", "--check") == "No changes detected\n"


def there_and_back(project):
    """Apply, find no difference, undo, and apply again."""
    applied(project)
    project.run("migrate", "-1")
    applied(project)


def called(project):
    return re.sub(r"^\d+_[0-9a-f]{6}_", "", project.revisions[-1].stem)


# -- renames -----------------------------------------------------------------------------------------------


def test_a_column_that_is_renamed_keeps_its_values(library, database):
    library.replace("    name =", "    full_name =")
    printed = library.run("makemigrations", "--rename", "library_author.name=full_name")
    assert "~ Rename column name of library_author to full_name" in printed
    assert called(library) == "rename_name_author_full_name"
    there_and_back(library)
    assert database.observe("SELECT id, full_name FROM library_author") == [(1, "Ada")]


def test_a_table_that_is_renamed_keeps_its_rows_and_what_refers_to_it(library, database):
    database.observe("INSERT INTO library_book (id, author_id) VALUES (1, 1)")
    library.replace("class Author(", "class Writer(")
    library.replace("ForeignKey(Author", "ForeignKey(Writer")
    printed = library.run("makemigrations", "--rename", "library_author=library_writer")
    assert "~ Rename table library_author to library_writer" in printed
    there_and_back(library)
    assert database.observe("SELECT name FROM library_writer") == [("Ada",)]
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        database.observe("PRAGMA foreign_keys = ON" if database.vendor == "sqlite" else "SELECT 1")
        if database.vendor == "sqlite":
            raise LookupError(
                "FOREIGN KEY: " + str(database.observe("PRAGMA foreign_key_list(library_book)"))
            )
        database.observe("INSERT INTO library_book (id, author_id) VALUES (2, 99)")


def test_a_reference_that_is_renamed_stays_one(library, database):
    database.observe("INSERT INTO library_book (id, author_id) VALUES (1, 1)")
    library.replace("    author = models.ForeignKey", "    writer = models.ForeignKey")
    library.run("makemigrations", "--rename", "library_book.author_id=writer_id")
    there_and_back(library)
    assert database.observe("SELECT writer_id FROM library_book") == [(1,)]


def test_a_rename_and_another_change_go_together(library, database):
    library.replace(
        "    motto = models.TextField(null=True)", "    saying = models.TextField(default='none')"
    )
    library.run("makemigrations", "--rename", "library_author.motto=saying")
    there_and_back(library)
    assert database.observe("SELECT saying FROM library_author") == [("none",)]


EVERYTHING = """
class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    data = models.JSONField(default=dict)
    place = models.PositiveIntegerField(default=1)
    slug = models.SlugField()
    email = models.CharField(max_length=30)
    friends = models.ManyToManyField("self")

    class Meta:
        unique_together = [("slug", "email")]
        indexes = [
            models.Index(fields=["place", "-name"], name="by_place"),
            models.Index(models.F("email").desc(), name="by_mail"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(place__lt=100), name="place_small"),
            models.UniqueConstraint(fields=["place", "slug"], name="one_place"),
        ]


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    editor = models.OneToOneField(Author, on_delete=models.SET_NULL, null=True, related_name="edited")
"""


def test_what_stands_on_a_renamed_column_or_table_is_renamed_with_it(project, database):
    project.write_models(EVERYTHING)
    project.run("init")
    project.run("makemigrations")
    project.run("migrate")
    columns = "id, name, data, place, slug, email"
    database.observe(f"INSERT INTO library_author ({columns}) VALUES (1, 'Ada', '{{}}', 3, 'ada', 'a@b')")
    database.observe("INSERT INTO library_book (id, author_id, editor_id) VALUES (1, 1, 1)")
    for old, new in [
        ("    slug =", "    nick ="),
        ('("slug", "email")', '("nick", "email")'),
        ('"place", "slug"', '"place", "nick"'),
        ("    name =", "    title ="),
        ('"-name"', '"-title"'),
        ("    data =", "    info ="),
    ]:
        project.replace(old, new)
    renames = ["library_author.slug=nick", "library_author.name=title", "library_author.data=info"]
    project.run("makemigrations", *(part for one in renames for part in ("--rename", one)))
    there_and_back(project)
    for old in ("class Author(", "ForeignKey(Author", "OneToOneField(Author"):
        project.replace(old, old.replace("Author", "Writer"))
    renames = [
        "library_author=library_writer",
        "library_author_friends=library_writer_friends",
        "library_writer_friends.from_author_id=from_writer_id",
        "library_writer_friends.to_author_id=to_writer_id",
    ]
    project.run("makemigrations", *(part for one in renames for part in ("--rename", one)))
    there_and_back(project)
    assert database.observe("SELECT id, title, nick FROM library_writer") == [(1, "Ada", "ada")]
    assert database.observe("SELECT author_id, editor_id FROM library_book") == [(1, 1)]


def test_a_terminal_is_asked_whether_a_column_was_renamed(shelf):
    shelf.replace("    name =", "    full_name =")
    printed, code = answer(shelf, "makemigrations", answers=["maybe", "y"])
    assert code == 0
    assert printed.count("Was library_author.name renamed to full_name (VARCHAR(100))? [y/N]") == 2
    assert called(shelf) == "rename_name_author_full_name"


def test_what_was_not_renamed_goes(shelf):
    shelf.replace("    motto = models.TextField(null=True)", "    saying = models.TextField(null=True)")
    printed, code = answer(shelf, "makemigrations", answers=[""])
    assert code == 0
    assert "- Remove column motto from library_author" in printed
    assert "+ Add column saying to library_author" in printed
    applied(shelf)


def test_a_table_and_its_columns_are_asked_for_one_after_the_other(shelf):
    shelf.replace("class Tag(", "class Word(")
    shelf.replace('"Tag"', '"Word"')
    printed, code = answer(shelf, "makemigrations", answers=["y", "y"])
    assert code == 0
    assert re.findall(r"Was (\S+) renamed to (\S+)", printed) == [
        ("library_tag", "library_word?"),
        ("library_book_tags.tag_id", "word_id"),
    ]
    there_and_back(shelf)


def test_without_a_terminal_the_option_is_named_and_nothing_is_written(shelf):
    shelf.replace("    name =", "    full_name =")
    error = shelf.run("makemigrations", fails=True)
    assert error == (
        "The column library_author.name is gone and full_name is new, and they are alike: say --rename "
        "library_author.name=full_name if its rows' values stay, or --no-renames if they go.\n"
    )
    assert len(shelf.revisions) == 1
    printed, code = answer(shelf, "makemigrations", "--no-input", answers=[])
    assert code == 1
    assert "--no-renames" in printed


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--rename", "library_author.name", "--rename 'library_author.name': it takes a name, = and a value"),
        (
            "--rename",
            "library_author.nmae=full_name",
            "--rename library_author.nmae=full_name: there is no such change.",
        ),
        (
            "--rename",
            "library_author.name=fullname",
            "--rename library_author.name=fullname: 'fullname' is not new",
        ),
        ("--default", "library_author.age=1", "--default library_author.age=1: there is no such change."),
    ],
)
def test_an_option_that_fits_nothing_is_refused(shelf, option, value, error):
    shelf.replace("    name =", "    full_name =")
    more = (
        []
        if value.startswith("library_author.name")
        else ["--no-renames", "--default", "library_author.full_name=x"]
    )
    assert shelf.run("makemigrations", *more, option, value, fails=True).startswith(error)


# -- values for rows that are there ----------------------------------------------------------------------------


FIELDS = {
    "age = models.IntegerField()": ("7", 7),
    "word = models.CharField(max_length=30)": ("it's 10:30, \\ o'clock", "it's 10:30, \\ o'clock"),
    "price = models.DecimalField(max_digits=5, decimal_places=2)": ("1.50", 1.5),
}


def test_a_new_column_gets_the_value_that_an_option_says(library, database):
    fields = "".join(f"    {field}\n" for field in FIELDS)
    library.replace(NAME, NAME + fields)
    options = [
        part
        for field, (value, _) in FIELDS.items()
        for part in ("--default", f"library_author.{field.split()[0]}={value}")
    ]
    library.run("makemigrations", *options)
    there_and_back(library)
    ((age, word, price),) = database.observe("SELECT age, word, price FROM library_author")
    assert [age, word, float(price)] == [value for _, value in FIELDS.values()]
    with pytest.raises(Exception, match=r"(?i)null|default"):
        database.observe("INSERT INTO library_author (id, name) VALUES (2, 'Eve')")


def test_a_new_column_gets_the_default_of_its_field(library, database):
    library.replace(
        NAME,
        NAME
        + "    rank = models.IntegerField(default=lambda: 3)\n"
        + "    note = models.TextField(blank=True)\n"
        + "    data = models.JSONField(default=dict)\n"
        + "    made = models.DateTimeField(auto_now_add=True)\n",
    )
    library.run("makemigrations")
    there_and_back(library)
    ((rank, note, data, made),) = database.observe(
        "SELECT rank, note, data, made FROM library_author".replace(
            "rank", {"mysql": "`rank`"}.get(database.vendor, "rank")
        )
    )
    assert (rank, note, str(data), str(made)[:2]) == (3, "", "{}", "20")


def test_rows_with_null_get_a_value_when_a_column_becomes_not_null(library, database):
    library.replace("motto = models.TextField(null=True)", "motto = models.TextField()")
    assert "UPDATE" in library.run("makemigrations", "--default", "library_author.motto=none: yet")
    there_and_back(library)
    assert database.observe("SELECT motto FROM library_author") == [("none: yet",)]


def test_without_a_value_the_rows_are_left_to_the_revision(library):
    library.replace("motto = models.TextField(null=True)", "motto = models.TextField()")
    assert library.run("makemigrations").count("\n") == 2
    assert "failed" in library.run("migrate", fails=True)


def test_a_terminal_is_asked_for_the_value_of_a_new_column(shelf):
    shelf.replace(NAME, f"{NAME}    age = models.IntegerField()\n")
    printed, code = answer(shelf, "makemigrations", answers=["x", "1", "42"])
    assert code == 0
    assert printed.count("library_author.age is new and NOT NULL") == 2
    assert "42" in shelf.revisions[-1].read_text()
    applied(shelf)


def test_a_terminal_may_be_quit(shelf):
    shelf.replace(NAME, f"{NAME}    age = models.IntegerField()\n")
    printed, code = answer(shelf, "makemigrations", answers=["2"])
    assert code == 1
    assert "Nothing was written: give library_author.age a default, or null=True." in printed
    assert len(shelf.revisions) == 1


def test_a_terminal_is_asked_about_rows_with_null(shelf):
    shelf.replace("motto = models.TextField(null=True)", "motto = models.TextField()")
    printed, code = answer(shelf, "makemigrations", answers=["2"])
    assert code == 0
    assert "rows may hold NULL in it" in printed
    applied(shelf)


def test_without_a_terminal_a_new_column_needs_the_option(shelf):
    shelf.replace(NAME, f"{NAME}    age = models.IntegerField()\n")
    assert shelf.run("makemigrations", fails=True) == (
        "library_author.age is new and NOT NULL, and has no default for the rows that are there: say --default "
        "library_author.age=VALUE, or give the field a default, or null=True.\n"
    )
    error = shelf.run("makemigrations", "--default", "library_author.age=old", fails=True)
    assert error == "'old' is no value for a column of Integer().\n"


# -- migrate in a terminal -------------------------------------------------------------------------------------


def test_a_terminal_shows_each_revision_when_it_is_done(shelf):
    shelf.run("migrate", "zero")
    printed, code = answer(shelf, "migrate", answers=[])
    assert code == 0
    assert re.search(
        r"Applying 0001_\w+_initial\.\.\. OK \(\d+\.\d s\)", re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", printed)
    )
