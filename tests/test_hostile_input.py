"""Numbers, dates, keys and names from outside are judged by size and range before anything computes with them."""

from __future__ import annotations

import datetime as dt
import logging
import os
import pickle
import stat
import time
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

import facade
from facade import connections, models
from facade.configuration import override
from facade.db.settings.config import read
from facade.exceptions import (
    DatabaseError,
    DataError,
    FieldError,
    NumericValueOutOfRange,
    ProgrammingError,
    ValidationError,
)
from facade.expressions.lookups.json_parts import KeyTransform
from facade.files import ContentFile, FileSystemStorage
from facade.models import F, Q, Value
from facade.models.expressions import RawSQL
from facade.models.functions import Concat, JSONObject
from facade.security import allowed
from facade.testing import isolate_apps
from tests.models import Author, Book, Everything, Publisher

ALL, BOOKS = Everything.objects, Book.objects
PATTERNS = ["icontains", "iexact", "startswith", "iendswith", "regex", "iregex"]
HUGE = [Decimal("1e600000"), Decimal("-1e600000"), Decimal("1e999999999"), Decimal("1e-999999999")]


@pytest.fixture
def tables(database):
    database.create(Publisher, Author, Book, Everything)
    return database


@contextmanager
def soon(seconds=1):
    """The block takes no longer than that, whatever it is given."""
    begin = time.perf_counter()
    yield
    assert time.perf_counter() - begin < seconds


# -- numbers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", HUGE, ids=str)
def test_comparisons_with_numbers_of_any_size_are_answered_at_once(number, face, tables):
    face(ALL.create, decimal=Decimal(5), integer=5)
    above = number > 5
    with soon(3):
        assert face(ALL.filter(decimal__lt=number).count) == above
        assert face(ALL.filter(decimal__gte=str(number)).count) == (not above)
        assert face(ALL.filter(decimal=number).count) == 0
        assert face(ALL.filter(decimal__in=[number, Decimal(5)]).count) == 1
        assert face(ALL.filter(decimal__lt=Value(number)).count) == above
        if number.adjusted() > 0:
            assert face(ALL.filter(integer__lt=number).count) == above


@pytest.mark.parametrize("digits", [309, 500, 5000])
def test_integers_of_any_size_are_compared_and_refused_in_words(digits, face, tables):
    number = 10**digits
    face(ALL.create, decimal=Decimal(5), integer=5, float=5)
    for name in ("decimal", "integer"):
        assert face(ALL.filter(**{f"{name}__lt": number}).count) == 1
        assert face(ALL.filter(**{f"{name}__lt": Value(number)}).count) == 1
        assert face(ALL.filter(**{f"{name}__gt": Value(-number)}).count) == 1
        assert face(ALL.exclude(**{f"{name}__lte": number}).count) == 0
        with pytest.raises(NumericValueOutOfRange, match=f"'{name}' cannot hold"):
            face(ALL.create, **{name: number})
    with pytest.raises(ValueError, match="'float' expected a number"):
        face(ALL.filter(float__lt=number).count)
    if tables.vendor == "sqlite":
        with pytest.raises(NumericValueOutOfRange, match="computed inf"):
            face.list(ALL.annotate(x=F("integer") + number).values_list("x"))
    with pytest.raises(ValidationError) as caught:
        Everything(integer=number, float=number, decimal=number).clean_fields()
    assert caught.value.message_dict.keys() >= {"integer", "float", "decimal"}
    assert "value must be a float" in str(caught.value)


@pytest.mark.parametrize("number", HUGE[:3], ids=str)
def test_numbers_of_any_size_are_refused_at_once_beside_sql_by_hand(number, face, tables, assert_queries):
    cursor = connections["default"].cursor()
    for use in (
        lambda: face(cursor.execute, "SELECT * FROM tests_everything WHERE integer < %s", [number]),
        lambda: face(cursor.executemany, "UPDATE tests_everything SET integer = %s", [[number]]),
        lambda: face.list(ALL.raw("SELECT * FROM tests_everything WHERE integer < %(n)s", {"n": number})),
        lambda: face.list(ALL.annotate(x=RawSQL("integer + %s", [number]))),
        lambda: face.list(ALL.extra(where=["integer < %s"], params=[number])),
        lambda: face.list(ALL.extra(select={"x": "integer + %s"}, select_params=[number])),
    ):
        with soon(), assert_queries(0), pytest.raises(NumericValueOutOfRange, match="as large as"):
            use()


@pytest.mark.parametrize("number", HUGE[:3], ids=str)
@pytest.mark.parametrize("name", ["decimal", "integer"])
def test_numbers_of_any_size_are_refused_at_once_where_they_would_be_stored(name, number, face, tables):
    given = number if name == "integer" else str(number)
    with soon():
        for write in (
            lambda: face(ALL.create, **{name: given}),
            lambda: face(ALL.update, **{name: given}),
            lambda: face(ALL.bulk_create, [Everything(**{name: number})]),
        ):
            with pytest.raises((DataError, OverflowError, ValidationError)):
                write()


LONGEST, SHORTEST = dt.timedelta.max, dt.timedelta.min


@pytest.mark.parametrize("name", ["duration", "twice"])
def test_lengths_beyond_the_column_compare(name, face, tables):
    face(ALL.bulk_create, [Everything(duration=dt.timedelta(1)), Everything()])
    rows = ALL.annotate(twice=F("duration") + F("duration"))
    for lookup, value, expected in (
        ("exact", LONGEST, 0),
        ("gt", LONGEST, 0),
        ("lt", LONGEST, 1),
        ("lte", LONGEST, 1),
        ("gte", SHORTEST, 1),
        ("lt", SHORTEST, 0),
        ("in", [LONGEST, SHORTEST, dt.timedelta(1), dt.timedelta(2)], 1),
        ("in", [LONGEST], 0),
        ("range", (SHORTEST, LONGEST), 1),
        ("range", (dt.timedelta(0), LONGEST), 1),
        ("range", (LONGEST, LONGEST), 0),
        ("range", (SHORTEST, SHORTEST), 0),
    ):
        condition = Q(**{f"{name}__{lookup}": value})
        assert face(rows.filter(condition).count) == expected, (lookup, value)
        assert face(rows.exclude(condition).exclude(duration=None).count) == 1 - expected, (lookup, value)
    with pytest.raises(ValidationError):
        face(ALL.filter(duration="9999999999999 00:00:00").count)


@pytest.mark.parametrize("length", [LONGEST, SHORTEST, dt.timedelta(days=106751992)], ids=str)
def test_lengths_beyond_the_column_are_stored_and_counted_with_or_refused(
    length, face, tables, assert_queries
):
    row = face(ALL.create, duration=dt.timedelta(0))
    uses = [
        lambda: face(ALL.create, duration=length),
        lambda: face(ALL.bulk_create, [Everything(duration=length)]),
        lambda: face(ALL.update, duration=length),
        lambda: face(ALL.update, duration=F("duration") + length),
        lambda: face.list(ALL.annotate(x=Value(length)).values_list("x", flat=True)),
        lambda: face.list(ALL.annotate(x=F("duration") + length).values_list("x", flat=True)),
    ]
    if tables.vendor == "postgresql":
        assert uses.pop()() == uses.pop()() == [length]
        for use in reversed(uses):
            use()
        assert [row.duration for row in face.list(ALL.all())] == [length] * 3
        return
    for use in uses:
        with assert_queries(0), pytest.raises(NumericValueOutOfRange, match="64 bits of microseconds"):
            use()
    face(row.refresh_from_db)
    assert row.duration == dt.timedelta(0)


def test_lengths_that_are_computed_are_read(face, tables):
    face(ALL.bulk_create, [Everything(duration=dt.timedelta(days=99_999_999)) for _ in range(2)])
    sums = {"sum": models.Sum("duration"), "mean": models.Avg("duration")}
    if tables.vendor == "sqlite":  # it counts with integers of 64 bits only
        with pytest.raises(DatabaseError, match="overflow"):
            face(ALL.aggregate, **sums)
    else:
        days = [dt.timedelta(days=199_999_998), dt.timedelta(days=99_999_999)]
        assert face(ALL.aggregate, **sums) == dict(zip(sums, days, strict=True))
    with pytest.raises(DataError):  # not even Python can
        face.list(ALL.annotate(x=F("duration") * 10**15).values_list("x", flat=True))


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_moments_that_utc_has_not_are_not_stored(text, face, tables):
    for write in (
        lambda: face(ALL.create, datetime=text),
        lambda: face(ALL.create, datetime=dt.datetime.fromisoformat(text)),
        lambda: face(ALL.update, datetime=text),
        lambda: face(ALL.filter(datetime=text).count),
        lambda: face(ALL.bulk_create, [Everything(datetime=dt.datetime.fromisoformat(text))]),
    ):
        with pytest.raises(NumericValueOutOfRange):
            write()
    assert face.list(ALL.all()) == []


def test_in_takes_numbers_that_are_none(face, tables):
    face(ALL.create, float=1.5)
    assert face(ALL.filter(float__in=[float("inf"), 1.5]).count) == 1


# -- texts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\ud800", "a\0b", "\udfff"], ids=ascii)
def test_what_no_database_can_hold_is_refused_in_values_names_and_keys(text, face, tables, assert_queries):
    found = [f"{name}__{lookup}" for name in ("text", "json__a", "email") for lookup in PATTERNS]
    with assert_queries(0):
        for name in (*found, "text", "text__gt", "json__a", "json"):
            with pytest.raises(ValueError):
                face(ALL.filter(**{name: text}).count)
        for use in (
            lambda: face(ALL.filter(text__in=["x", text]).count),
            lambda: face(ALL.filter(text__range=("a", text)).count),
            lambda: face(ALL.filter(json={text: 1}).count),
            lambda: face(ALL.create, json=[{text: 1}]),
            lambda: face(ALL.create, text=text),
            lambda: face(ALL.update, char=text),
            lambda: face(ALL.update, text=Concat("text", Value(text))),
            lambda: face.list(ALL.annotate(x=JSONObject(**{text: "text"}))),
            lambda: face.list(ALL.annotate(x=KeyTransform(text, "json"))),
            lambda: face.list(ALL.annotate(x=KeyTransform("b", KeyTransform(text, "json")))),
            lambda: face.list(ALL.order_by(f"json__{text}")),
            lambda: BOOKS.annotate(**{text: F("title")}),
            lambda: BOOKS.aggregate(**{text: models.Count("pk")}),
            lambda: list(ALL.filter(**{f"json__{text}": 1})),
            lambda: list(ALL.filter(json__has_key=text)),
            lambda: list(ALL.filter(json__has_keys=["a", text])),
            lambda: list(ALL.filter(json__has_any_keys=[text])),
            lambda: list(ALL.values(f"json__{text}")),
        ):
            with pytest.raises(ValueError):
                use()


# -- errors and secrets -----------------------------------------------------------------------------------------


def test_errors_do_not_show_parameters(face, tables):
    with pytest.raises((ProgrammingError, facade.exceptions.OperationalError)) as caught:
        face(connections["default"].cursor().execute, "SELECT nothing FROM nowhere WHERE a = %s", ["secret"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [{"secret"}, {"secret": 1}, "secret\ud800"], ids=ascii)
def test_parameters_that_cannot_be_sent_are_shown_nowhere(value, face, tables):
    with pytest.raises((DatabaseError, TypeError)) as caught:
        face(connections["default"].cursor().execute, "SELECT 1 WHERE 1 = %s", [value])
    assert "secret" not in "".join(map(str, chain_of(caught.value)))
    with pytest.raises((DatabaseError, TypeError)) as caught:
        face(connections["default"].cursor().executemany, "UPDATE tests_book SET pages = %s", [[value]])
    assert "secret" not in "".join(map(str, chain_of(caught.value)))


def chain_of(error):
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize(("hidden", "shown"), [(True, False), (False, True)])
def test_parameters_are_shown_where_one_asks(hidden, shown, tmp_path, caplog):
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    with override(DATABASES={"default": {"URL": url, "HIDE_PARAMETERS": hidden, "ECHO": True}}):
        with caplog.at_level(logging.INFO), pytest.raises(facade.exceptions.OperationalError) as caught:
            connections["default"].cursor().execute("SELECT nothing FROM nowhere WHERE a = %s", ["secret"])
        facade.close_all()
    assert ("secret" in str(caught.value)) == shown
    assert ("secret" in caplog.text) == shown


@pytest.mark.parametrize("given", [
    {"ENGINE": "postgresql", "NAME": "x", "USER": "u", "PASSWORD": "hunter2", "OPTIONS": {"sslpassword": "hunter2"}},
    "postgresql://u:hunter2@h/x?sslpassword=hunter2",
    "postgresql://u@h/x?password=hunter2",
])  # fmt: skip
def test_settings_do_not_show_passwords_nor_take_them_along(given):
    found = read("default", given)
    assert "hunter2" not in repr(found)
    with pytest.raises(TypeError, match="hold passwords"):
        pickle.dumps(found)


# -- parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.vendors("mariadb")
@pytest.mark.parametrize("value", [{"a": "b"}, ["a"], ("a",), {"a"}], ids=str)
def test_what_a_driver_would_splice_is_refused(value, face, tables):
    cursor = connections["default"].cursor()
    for use in (
        lambda: face(cursor.execute, "SELECT %s", [value]),
        lambda: face(cursor.execute, "SELECT %(x)s", {"x": value}),
        lambda: face(cursor.executemany, "UPDATE tests_book SET title = %s", [[value]]),
        lambda: face.list(BOOKS.raw("SELECT * FROM tests_book WHERE title = %s", [value])),
        lambda: face.list(BOOKS.annotate(x=Value(value))),
    ):
        with pytest.raises(TypeError):
            use()


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("numbers", [[1, 2], []], ids=str)
def test_a_list_is_an_array_to_postgresql(numbers, face, tables):
    face(ALL.bulk_create, [Everything(integer=number) for number in (1, 2, 3)])
    cursor = connections["default"].cursor()
    face(cursor.execute, "SELECT integer FROM tests_everything WHERE integer = ANY(%s) ORDER BY 1", [numbers])
    assert [row[0] for row in cursor.fetchall()] == numbers
    found = face.list(
        ALL.raw("SELECT * FROM tests_everything WHERE integer = ANY(%s) ORDER BY id", [numbers])
    )
    assert [row.integer for row in found] == numbers


@pytest.mark.parametrize("value", [{"text = text OR 1": 1}, {"x"}, frozenset({"x"})], ids=str)
def test_no_driver_writes_a_collection_into_the_statement(value, face, tables):
    face(ALL.create, text="x")
    cursor = connections["default"].cursor()
    for use in (
        lambda: face(cursor.execute, "SELECT * FROM tests_everything WHERE text = %s", [value]),
        lambda: face.list(ALL.raw("SELECT * FROM tests_everything WHERE text = %s", [value])),
        lambda: face.list(ALL.annotate(x=RawSQL("%s", [value]))),
        lambda: face.list(ALL.annotate(x=Value(value))),
        lambda: face.list(ALL.extra(where=["text = %s"], params=[value])),
        lambda: face(ALL.update, text=Concat("text", Value(value))),
    ):
        with pytest.raises((DatabaseError, TypeError)):
            use()
    assert face(ALL.filter(text="x").count) == 1


# -- names ----------------------------------------------------------------------------------------------------------


def read_somewhere(text):
    return text.encode().decode()


@pytest.mark.parametrize("body", [{"_negated": True}, {"_connector": read_somewhere("OR")}], ids=str)
def test_a_body_cannot_turn_a_q_round(body):
    with pytest.raises(TypeError):
        Q(**{"title": "x", **body})


def test_a_program_says_how_lookups_are_joined():
    assert Q(title="x", pages=1, _connector=Q.OR).connector == "OR"
    assert pickle.loads(pickle.dumps(~Q(title="x", _connector=Q.OR))).negated


def test_names_of_users_are_taken_from_a_list():
    names = ["title", "title__icontains"]
    assert allowed({"title__icontains": "x"}, names) == {"title__icontains": "x"}
    assert allowed(["-title", "title"], names) == ["-title", "title"]
    for wrong in (
        {"author__password__startswith": "a"},
        {"_negated": True},
        "--title",
        "?",
        ["pages"],
        [1],
        "-",
    ):
        with pytest.raises(FieldError, match="Allowed: title, title__icontains"):
            allowed(wrong, names)
    with pytest.raises(TypeError):
        allowed("title", "title")


@isolate_apps("tests")
def test_a_field_name_that_python_reads_otherwise_is_found_by_checks():
    namespace = {"__module__": "tests.models", "ﬁeld": models.IntegerField()}
    Odd = type("Odd", (models.Model,), namespace)
    assert [message.id for message in Odd.check()] == ["fields.E904"]


# -- files ------------------------------------------------------------------------------------------------------------


class Uploaded(ContentFile):
    def __init__(self, path):
        super().__init__(b"", path.name)
        self._path = path

    def temporary_file_path(self):
        return str(self._path)


def test_files_are_readable_and_not_writable_for_others_whatever_the_umask(tmp_path):
    storage = FileSystemStorage(tmp_path / "media")
    temporary = tmp_path / "upload"
    temporary.write_bytes(b"moved")
    temporary.chmod(0o600)
    before = os.umask(0)
    try:
        names = [storage.save("a.txt", ContentFile(b"x")), storage.save("b.txt", Uploaded(temporary))]
    finally:
        os.umask(before)
    assert [stat.S_IMODE(Path(storage.path(name)).stat().st_mode) for name in names] == [0o644, 0o644]
    assert Path(storage.path("b.txt")).read_bytes() == b"moved"


def test_a_file_that_somebody_makes_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    storage = FileSystemStorage(tmp_path)
    temporary = tmp_path / "upload"
    temporary.write_bytes(b"mine")
    first = iter([True])
    free = storage.get_available_name

    def overtaken(name, max_length=None):
        found = free(name, max_length)
        if next(first, False):
            Path(storage.path(found)).write_bytes(b"theirs")
        return found

    monkeypatch.setattr(storage, "get_available_name", overtaken)
    name = storage.save("a.txt", Uploaded(temporary))
    assert name != "a.txt"
    assert (tmp_path / "a.txt").read_bytes() == b"theirs"
    assert Path(storage.path(name)).read_bytes() == b"mine"
