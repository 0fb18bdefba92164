"""Generated functions have names and lines that tracebacks show."""

from __future__ import annotations

import gc
import linecache
import re
import traceback

import pytest

from facade import models
from facade.foundation import generated
from facade.meta.registry import isolate_apps
from tests.models import Author


class Oops(Exception):
    pass


class Touchy(models.TextField):
    def from_db_value(self, value, expression, connection):
        raise Oops(value)

    def get_prep_value(self, value):
        if value == "unfit":
            raise Oops(value)
        return super().get_prep_value(value)


@pytest.fixture
def note(database):
    with isolate_apps("tests"):

        class Note(models.Model):
            text = Touchy()

            class Meta:
                app_label = "tests"

        database.create(Note)
        yield Note


def generated_lines(error):
    """The lines of generated functions in a traceback, by the names of their files."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        re.sub(r"\d+", "N", frame.filename): frame.line for frame in frames if "<facade " in frame.filename
    }


@pytest.mark.parametrize(
    ("ask", "file", "line"),
    [
        (lambda notes: notes.all(), "<facade loader of Note #N>", "o.text = "),
        (lambda notes: notes.values("text"), "<facade loader of rows of text #N>", "'text': "),
        (lambda notes: notes.values_list("text", "id"), "<facade loader of rows of text, id #N>", "for ("),
        (lambda notes: notes.values_list("text", flat=True), "<facade loader of rows of text #N>", "for (c0"),
    ],
    ids=["objects", "values", "values_list", "flat"],
)
def test_an_error_in_a_field_shows_the_line_of_the_loader(face, note, ask, file, line):
    face(note.objects.create, text="x")
    with pytest.raises(Oops) as caught:
        face.list(ask(note.objects))
    lines = generated_lines(caught.value)
    assert list(lines) == [file]
    assert line in lines[file]


def test_an_error_in_a_field_shows_the_line_of_the_binder(face, note):
    with pytest.raises(Oops) as caught:
        face(note.objects.create, text="unfit")
    (binding,) = generated_lines(caught.value).items()
    assert binding[0] == "<facade row binder of Note #N>"
    assert "obj.text" in binding[1]


def test_an_unknown_argument_shows_the_line_of_the_initialiser():
    with pytest.raises(TypeError) as caught:
        Author(nmae="Ada")
    assert generated_lines(caught.value) == {
        "<facade initialiser of Author #N>": "return by_name(instance, **given)",
        "<facade initialiser of Author by names #N>": "__leftovers__(__self__, __rest__)",
    }


def made(value, text="one"):
    source = generated.FunctionText(one=value)
    source.lines = ["def f():", f"    return {text}"]
    return source.build("f of test")


def test_names_are_unique_and_lines_go_with_their_function():
    first, second = made(1), made(1, "one + 1")
    files = [function.__code__.co_filename for function in (first, second)]
    assert files[0] != files[1]
    assert (first(), linecache.getline(files[0], 2)) == (1, "    return one\n")
    linecache.checkcache()
    assert linecache.getline(files[0], 2)
    generated._compiled.cache_clear()
    del first
    gc.collect()
    assert [file in linecache.cache for file in files] == [False, True]


def test_a_text_is_compiled_once():
    first, second = made(1), made(2)
    assert (first(), second()) == (1, 2)
    assert first.__code__ is second.__code__
