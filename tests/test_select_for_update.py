"""select_for_update(): rows are locked to the end of the block, and only inside one."""

from __future__ import annotations

import pytest

from facade import atomic
from facade.configuration import override
from facade.exceptions import FieldError, OperationalError, TransactionManagementError
from tests.models import Author, Book, Publisher

LOCKING = pytest.mark.vendors("postgres", "mariadb")


@pytest.fixture
def ada(database):
    database.create(Publisher, Author, Book)
    ada = Author.objects.create(name="Ada")
    Author.objects.create(name="Bob")
    Book.objects.create(title="One", author=ada)
    return ada


FREE = "SELECT name FROM tests_author ORDER BY id FOR {strength} SKIP LOCKED"


def free(database, strength="UPDATE"):
    """Return the names of the rows that another client could lock now."""
    return [name for (name,) in database.observe(FREE.format(strength=strength))]


@LOCKING
def test_rows_are_locked_until_the_block_ends(face, database, ada, assert_queries):
    with face.block(atomic()):
        with assert_queries(1) as captured:
            assert face(Author.objects.select_for_update().get, pk=ada.pk) == ada
        assert captured[0]["statement"].endswith("FOR UPDATE")
        assert free(database) == ["Bob"]
    assert free(database) == ["Ada", "Bob"]


@LOCKING
def test_a_block_that_fails_frees_its_locks(face, database, ada):
    with pytest.raises(LookupError), face.block(atomic()):
        face.list(Author.objects.select_for_update())
        assert free(database) == []
        raise LookupError
    assert free(database) == ["Ada", "Bob"]


def held(database, ada):
    """Lock Ada's row from outside; the caller closes the connection."""
    connection = database.home.connect("default")
    cursor = connection.cursor()
    cursor.execute("BEGIN")
    cursor.execute("SELECT 1 FROM tests_author WHERE id = %s FOR UPDATE", [ada.pk])
    return connection


@LOCKING
def test_nowait_fails_where_a_row_is_locked(face, database, ada):
    other = held(database, ada)
    try:
        with (
            pytest.raises(OperationalError, match="could not obtain lock|Lock wait timeout"),
            face.block(atomic()),
        ):
            face.list(Author.objects.select_for_update(nowait=True))
    finally:
        other.close()


@LOCKING
def test_skip_locked_leaves_locked_rows_out(face, database, ada):
    other = held(database, ada)
    try:
        with face.block(atomic()):
            found = face.list(Author.objects.select_for_update(skip_locked=True))
        assert [author.name for author in found] == ["Bob"]
    finally:
        other.close()


@pytest.mark.vendors("postgres")  # MariaDB has no OF
def test_of_locks_the_named_tables_only(face, database, ada):
    books = Book.objects.select_related("author")
    with face.block(atomic()):
        face.list(books.select_for_update(of=("self",)))
        assert free(database) == ["Ada", "Bob"]
    with face.block(atomic()):
        face.list(books.select_for_update(of=("author",)))
        assert free(database) == ["Bob"]


@pytest.mark.vendors("postgres")  # MariaDB has no weaker locks
def test_no_key_leaves_room_for_references(face, database, ada):
    with face.block(atomic()):
        face.list(Author.objects.select_for_update(no_key=True))
        assert free(database) == []
        assert free(database, "KEY SHARE") == ["Ada", "Bob"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"nowait": True},
        {"skip_locked": True},
        pytest.param({"no_key": True}, marks=pytest.mark.without("mariadb", reason="no weaker locks")),
    ],
)
@pytest.mark.parametrize("how", ["list", "get", "first", "iterator"])
@LOCKING
def test_outside_of_a_block_it_is_refused_before_any_sql(how, options, face, database, ada, assert_queries):
    rows = Author.objects.select_for_update(**options)
    refused = pytest.raises(
        TransactionManagementError, match="select_for_update cannot be used outside of a transaction"
    )
    with assert_queries(0), refused:
        if how == "list":
            face.list(rows)
        elif how == "iterator":
            list(face.iterate(rows.iterator, 2))
        else:
            face(getattr(rows, how))


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize("options", [{}, {"nowait": True}, {"skip_locked": True}, {"no_key": True}])
def test_on_sqlite_it_changes_nothing(options, face, ada, assert_queries):
    with assert_queries(1) as captured:
        assert len(face.list(Author.objects.select_for_update(**options))) == 2
    assert "UPDATE" not in captured[0]["statement"]
    with face.block(atomic()):
        assert len(face.list(Author.objects.select_for_update(**options))) == 2


def test_options_that_contradict_each_other_are_refused(database, assert_queries):
    with assert_queries(0), pytest.raises(ValueError, match="nowait option cannot be used with skip_locked"):
        Author.objects.select_for_update(nowait=True, skip_locked=True)


@pytest.mark.vendors("postgres")
def test_of_takes_relations_that_are_followed(face, ada):
    for wrong in ("author", "title", "nonsense"):
        with pytest.raises(FieldError, match="Invalid field name"), face.block(atomic()):
            face.list(Book.objects.select_for_update(of=(wrong,)))


@LOCKING
def test_counting_takes_no_lock(face, database, ada):
    with face.block(atomic()):
        assert face(Author.objects.select_for_update().count) == 2
        assert face(Author.objects.select_for_update().exists)
        assert free(database) == ["Ada", "Bob"]


def test_locks_that_are_asked_for_alike_share_a_shape(database, ada):
    with override(FACADE_SHAPE_CACHE=True):
        first, second = (Author.objects.select_for_update(of=("self",)) for _ in range(2))
        assert first._shape is second._shape
        assert first._shape is not Author.objects.select_for_update(no_key=True)._shape
