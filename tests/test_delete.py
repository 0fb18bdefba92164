"""What a deletion takes with it, refuses or changes."""

from __future__ import annotations

import pytest

from facade import models
from facade.exceptions import IntegrityError, ProtectedError, RestrictedError
from facade.signals import post_delete, pre_delete
from tests.models import Author, Book, Category, Place, Profile, Publisher, Restaurant, Review

returning_databases = pytest.mark.without(
    "mariadb",
    reason="no UPDATE … RETURNING, no conflict targets; its BEGIN and COMMIT are no statements that are counted",
)


def fallback():
    return Owner.objects.get_or_create(name="fallback")[0]


class Owner(models.Model):
    name = models.CharField(max_length=20)


class Thing(models.Model):
    """A row for each choice of `on_delete`."""

    cascade = models.ForeignKey(Owner, models.CASCADE, null=True, related_name="cascades")
    protect = models.ForeignKey(Owner, models.PROTECT, null=True, related_name="protects")
    restrict = models.ForeignKey(Owner, models.RESTRICT, null=True, related_name="restricts")
    set_null = models.ForeignKey(Owner, models.SET_NULL, null=True, related_name="set_nulls")
    set_default = models.ForeignKey(
        Owner, models.SET_DEFAULT, null=True, default=1, related_name="set_defaults"
    )
    set_value = models.ForeignKey(Owner, models.SET(1), null=True, related_name="set_values")
    set_called = models.ForeignKey(Owner, models.SET(fallback), null=True, related_name="set_calleds")
    nothing = models.ForeignKey(Owner, models.DO_NOTHING, null=True, related_name="nothings")
    by_database = models.ForeignKey(Owner, models.DB_CASCADE, null=True, related_name="by_databases")
    nulled_by_database = models.ForeignKey(
        Owner, models.DB_SET_NULL, null=True, related_name="nulled_by_databases"
    )


class Part(models.Model):
    """Restricted by a thing, and deleted with its owner."""

    thing = models.ForeignKey(Thing, models.RESTRICT)
    owner = models.ForeignKey(Owner, models.CASCADE)


class Hidden(models.Manager):
    def get_queryset(self):
        return super().get_queryset().filter(hidden=False)


class Secret(models.Model):
    """A model whose manager for relations leaves rows out."""

    owner = models.ForeignKey(Owner, models.CASCADE)
    hidden = models.BooleanField(default=False)
    objects = models.Manager()
    shown = Hidden()

    class Meta:
        base_manager_name = "shown"


@pytest.fixture
def library(database):
    database.create(Author, Publisher, Book, Review, Profile, Place, Restaurant)
    return database


@pytest.fixture
def things(database):
    database.create(Owner, Thing, Part, Secret)
    Owner.objects.bulk_create([Owner(name="first"), Owner(name="second")])
    return database


def thing(**keys):
    """Make a thing that refers to the second owner."""
    fields = dict.fromkeys(field.name for field in Thing._meta.fields if field.is_relation)
    return Thing.objects.create(**{**fields, **{name: Owner(pk=2) for name in keys}})


@pytest.fixture
def second(things):
    return Owner(pk=2, name="second")


# -- one row -----------------------------------------------------------------------------------------


def test_delete_tells_what_was_deleted(face, database, assert_queries):
    database.create(Category)
    one = face(Category.objects.create, name="one")
    assert face(one.delete) == (1, {"tests.Category": 1})
    assert one.pk is None
    assert database.count("tests_category") == 0


def test_row_that_nobody_refers_to_is_one_statement(face, library, assert_queries):
    publisher = face(Publisher.objects.create, name="P")
    author = face(Author.objects.create, name="A")
    book = face(Book.objects.create, title="B", author=author)
    review = face(Review.objects.create, book=book, reviewer=author)
    with assert_queries(1):
        assert face(review.delete) == (1, {"tests.Review": 1})
    assert publisher.pk


def test_row_that_is_gone_counts_none(face, library):
    author = face(Author.objects.create, name="A")
    book = face(Book.objects.create, title="B", author=author)
    review = face(Review.objects.create, book=book, reviewer=author)
    library.observe("DELETE FROM tests_review")
    assert face(review.delete) == (0, {"tests.Review": 0})


def test_unsaved_instance_cannot_be_deleted(face, library):
    with pytest.raises(
        ValueError, match=r"Author object can't be deleted because its id attribute is set to None."
    ):
        face(Author(name="A").delete)


# -- the choices -------------------------------------------------------------------------------------


def test_cascade_goes_all_the_way(face, library):
    author, reader = face(Author.objects.create, name="A"), face(Author.objects.create, name="R")
    for title in "xyz":
        book = face(Book.objects.create, title=title, author=author)
        face(Review.objects.create, book=book, reviewer=reader)
    assert face(author.delete) == (7, {"tests.Review": 3, "tests.Book": 3, "tests.Author": 1})
    assert library.observe("SELECT name FROM tests_author") == [("R",)]


@returning_databases
def test_cascade_reads_only_what_others_refer_to(face, library, assert_queries):
    author = face(Author.objects.create, name="A")
    for title in "xyz":
        face(Book.objects.create, title=title, author=author)
    with assert_queries(10) as captured:
        face(author.delete)
    statements = [query["sql"] for query in captured.captured_queries]
    assert not any("title" in sql for sql in statements)
    # Books are read, nothing else of it: reviews and profiles are deleted, or changed, unread.
    assert [sql.split()[0] for sql in statements].count("DELETE") >= 3


def test_protect_refuses(face, library, assert_queries):
    author, reader = face(Author.objects.create, name="A"), face(Author.objects.create, name="R")
    review = face(
        Review.objects.create, book=face(Book.objects.create, title="B", author=author), reviewer=reader
    )
    message = (
        "Cannot delete some instances of model 'Author' because they are referenced through protected foreign keys: "
        "'Review.reviewer'."
    )
    with pytest.raises(ProtectedError) as caught:
        face(reader.delete)
    assert caught.value.args[0] == message
    assert caught.value.protected_objects == {review}
    assert isinstance(caught.value, IntegrityError)
    assert library.count("tests_author") == 2


def test_restrict_refuses(face, second):
    row = thing(restrict=2)
    with pytest.raises(RestrictedError) as caught:
        face(second.delete)
    assert caught.value.args[0] == (
        "Cannot delete some instances of model 'Owner' because they are referenced through restricted foreign keys: "
        "'Thing.restrict'."
    )
    assert caught.value.restricted_objects == {row}


def test_restrict_gives_way_to_a_cascade(face, things, second):
    row = thing(cascade=2)
    face(Part.objects.create, thing=row, owner=second)
    total, deleted = face(second.delete)
    assert (total, deleted) == (3, {"tests.Part": 1, "tests.Thing": 1, "tests.Owner": 1})


@pytest.mark.parametrize(
    ("name", "expected"),
    [("set_null", None), ("set_default", 1), ("set_value", 1), ("nulled_by_database", None)],
)
def test_rows_that_get_another_value(face, things, second, name, expected):
    row = thing(**{name: 2})
    assert face(second.delete) == (1, {"tests.Owner": 1})
    assert things.observe(f"SELECT {name}_id FROM tests_thing WHERE id = {row.pk}") == [(expected,)]


def test_callable_makes_the_value(face, things, second):
    thing(set_called=2)
    face(second.delete)
    assert things.observe("SELECT name FROM tests_owner o JOIN tests_thing t ON t.set_called_id = o.id") == [
        ("fallback",)
    ]


def test_database_cascades_by_itself(face, things, second, assert_queries):
    thing(by_database=2)
    assert face(second.delete) == (1, {"tests.Owner": 1})
    assert things.count("tests_thing") == 0


def test_do_nothing_leaves_it_to_the_database(face, things, second):
    thing(nothing=2)
    with pytest.raises(IntegrityError):
        face(second.delete)
    assert things.count("tests_owner") == 2


@returning_databases
def test_set_null_does_not_read_the_rows(face, library, assert_queries):
    publisher = face(Publisher.objects.create, name="P")
    author = face(Author.objects.create, name="A")
    for title in "xy":
        face(Book.objects.create, title=title, author=author, publisher=publisher)
    with assert_queries(4) as captured:  # BEGIN and COMMIT are statements, too
        face(publisher.delete)
    assert not any(query["sql"].startswith("SELECT") for query in captured.captured_queries)
    assert library.observe("SELECT DISTINCT publisher_id FROM tests_book") == [(None,)]


def test_rows_that_refer_to_each_other(face, database):
    database.create(Category)
    root = face(Category.objects.create, name="root")
    child = face(Category.objects.create, name="child", parent=root)
    face(Category.objects.create, name="grandchild", parent=child)
    root.parent = child
    face(root.save)
    assert face(child.delete) == (3, {"tests.Category": 3})


def test_base_manager_decides_what_is_seen(face, database):
    database.create(Owner, Thing, Part, Secret)
    owner = face(Owner.objects.create, name="o")
    face(Secret.objects.create, owner=owner)
    assert face(owner.delete) == (2, {"tests.Secret": 1, "tests.Owner": 1})


# -- many rows ---------------------------------------------------------------------------------------


def test_queryset_delete_counts_by_model(face, library):
    for name in "ab":
        author = face(Author.objects.create, name=name)
        face(Book.objects.create, title=name, author=author)
    assert face(Author.objects.filter(name="a").delete) == (2, {"tests.Book": 1, "tests.Author": 1})
    assert face(Author.objects.all().delete) == (2, {"tests.Book": 1, "tests.Author": 1})
    assert face(Author.objects.all().delete) == (0, {})


def test_rows_that_nobody_refers_to_are_deleted_unread(face, library, assert_queries):
    author = face(Author.objects.create, name="A")
    book = face(Book.objects.create, title="B", author=author)
    face(Review.objects.create, book=book, reviewer=author)
    with assert_queries(1):
        assert face(Review.objects.filter(verdict=Review.Verdict.GOOD).delete) == (1, {"tests.Review": 1})


def test_more_rows_than_one_statement_names(face, library):
    authors = face(Author.objects.bulk_create, [Author(name=str(i)) for i in range(5000)])
    face(Book.objects.bulk_create, [Book(title="t", author=author) for author in authors])
    assert face(Author.objects.all().delete) == (10000, {"tests.Book": 5000, "tests.Author": 5000})


def test_failure_keeps_everything(face, things, second):
    thing(cascade=2)
    thing(nothing=2)
    with pytest.raises(IntegrityError):
        face(Owner.objects.all().delete)
    assert (things.count("tests_owner"), things.count("tests_thing")) == (2, 2)


# -- inheritance -------------------------------------------------------------------------------------


def test_child_takes_its_parent_row(face, database):
    database.create(Author, Place, Restaurant)
    place = face(Restaurant.objects.create, name="Ace")
    assert face(place.delete) == (2, {"tests.Restaurant": 1, "tests.Place": 1})
    assert database.count("tests_place") == 0


def test_parent_row_can_be_kept(face, database):
    database.create(Author, Place, Restaurant)
    place = face(Restaurant.objects.create, name="Ace")
    assert face(place.delete, keep_parents=True) == (1, {"tests.Restaurant": 1})
    assert database.count("tests_place") == 1


def test_parent_takes_its_child_row(face, database):
    database.create(Author, Place, Restaurant)
    face(Restaurant.objects.create, name="Ace")
    assert face(Place.objects.all().delete) == (2, {"tests.Restaurant": 1, "tests.Place": 1})


# -- signals -----------------------------------------------------------------------------------------


def test_signals_tell_what_is_deleted(face, library):
    calls = []

    def note(signal, sender, instance, using, origin, **_):
        calls.append(
            ("pre" if signal is pre_delete else "post", sender.__name__, str(instance), using, origin)
        )

    for signal in (pre_delete, post_delete):
        signal.connect(note)
    try:
        author = face(Author.objects.create, name="A")
        face(Book.objects.create, title="B", author=author)
        face(author.delete)
    finally:
        for signal in (pre_delete, post_delete):
            signal.disconnect(note)
    names = [(when, sender, name) for when, sender, name, _, _ in calls]
    assert names == [
        ("pre", "Book", "B"),
        ("pre", "Author", "A"),
        ("post", "Book", "B"),
        ("post", "Author", "A"),
    ]
    assert all(using == "default" and origin is author for *_, using, origin in calls)
