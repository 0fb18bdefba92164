"""What `save()` writes, and when it inserts or updates."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from facade import models, transaction
from facade.exceptions import DatabaseError, IntegrityError, ObjectNotUpdated
from facade.models import F, Value
from facade.models.functions import Now
from facade.signals import post_save, pre_save
from tests.models import (
    Author,
    Book,
    Country,
    Everything,
    Place,
    Profile,
    Publisher,
    Restaurant,
    Token,
    Writer,
)

returning_databases = pytest.mark.without(
    "mariadb",
    reason="no UPDATE … RETURNING, no conflict targets; its BEGIN and COMMIT are no statements that are counted",
)


class Ticket(models.Model):
    """Columns that set themselves, and one that the database computes."""

    number = models.IntegerField(default=0)
    double = models.GeneratedField(
        expression=F("number") * 2, output_field=models.IntegerField(), db_persist=True
    )
    made = models.DateTimeField(auto_now_add=True)
    changed = models.DateTimeField(auto_now=True)


class Strict(models.Model):
    """A model that looks for its row before it updates it."""

    name = models.CharField(max_length=20)

    class Meta:
        select_on_save = True


class OnlyKey(models.Model):
    """A table with nothing but a key."""


@pytest.fixture
def authors(database):
    database.create(Author, Publisher, Book, Profile)
    return database


# -- INSERT or UPDATE --------------------------------------------------------------------------------


def test_new_instance_is_inserted_and_gets_its_key(face, authors, assert_queries):
    author = Author(name="Ada")
    with assert_queries(1):
        face(author.save)
    assert author.pk is not None
    assert (author._state.adding, author._state.db) == (False, "default")
    assert authors.observe("SELECT name FROM tests_author") == [("Ada",)]


def test_saved_instance_is_updated(face, authors, assert_queries):
    author = face(Author.objects.create, name="Ada")
    author.name = "Ada Lovelace"
    with assert_queries(1):
        face(author.save)
    assert authors.observe("SELECT name FROM tests_author") == [("Ada Lovelace",)]


def test_instance_with_a_key_is_updated_then_inserted(face, authors, assert_queries):
    author = Author(pk=17, name="Ada")
    with assert_queries(2) as captured:
        face(author.save)
    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["UPDATE", "INSERT"]
    assert authors.observe("SELECT id, name FROM tests_author") == [(17, "Ada")]


def test_key_with_a_default_is_inserted_at_once(face, database, assert_queries):
    database.create(Token)
    token = Token()
    with assert_queries(1):
        face(token.save)
    assert isinstance(token.pk, uuid.UUID)


def test_saving_again_updates_a_key_with_a_default(face, database, assert_queries):
    database.create(Token)
    token = face(Token.objects.create)
    with assert_queries(1) as captured:
        face(token.save)
    assert captured.captured_queries[0]["sql"].startswith("UPDATE")


def test_text_key_is_kept(face, database):
    database.create(Country)
    face(Country(code="AT", name="Austria").save)
    face(Country(code="AT", name="Österreich").save)
    assert database.observe("SELECT code, name FROM tests_country") == [("AT", "Österreich")]


def test_force_insert_does_not_look_for_the_row(face, authors, assert_queries):
    face(Author(pk=1, name="Ada").save, force_insert=True)
    with assert_queries(1), pytest.raises(IntegrityError):
        face(Author(pk=1, name="Grace").save, force_insert=True)


def test_force_update_needs_the_row(face, authors, assert_queries):
    with assert_queries(1), pytest.raises(Author.NotUpdated, match=r"Forced update did not affect any rows."):
        face(Author(pk=1, name="Ada").save, force_update=True)
    assert issubclass(Author.NotUpdated, (ObjectNotUpdated, DatabaseError))
    assert authors.count("tests_author") == 0


def test_force_update_needs_a_key(face, authors):
    with pytest.raises(ValueError, match=r"Cannot force an update in save\(\) with no primary key."):
        face(Author(name="Ada").save, force_update=True)


def test_insert_and_update_cannot_both_be_forced(face, authors):
    for options in ({"force_update": True}, {"update_fields": ["name"]}):
        with pytest.raises(ValueError, match=r"Cannot force both insert and updating in model saving."):
            face(Author(pk=1).save, force_insert=True, **options)


@pytest.mark.parametrize("bad", ["Author", 1, [Author]])
def test_force_insert_is_a_bool_or_a_tuple(face, authors, bad):
    with pytest.raises(TypeError, match=r"force_insert must be a bool or tuple."):
        face(Author(name="Ada").save, force_insert=bad)


def test_force_insert_names_ancestors(face, authors):
    with pytest.raises(TypeError, match=r"Invalid force_insert member. Book must be a base of Author."):
        face(Author(name="Ada").save, force_insert=(Book,))
    with pytest.raises(TypeError, match=r"Invalid force_insert member. <.*> must be a model subclass."):
        face(Author(name="Ada").save, force_insert=(object(),))


def test_update_of_unchanged_values_is_an_update(face, authors, assert_queries):
    author = face(Author.objects.create, name="Ada")
    with assert_queries(1):
        face(author.save, force_update=True)


def test_table_of_keys_alone(face, database, assert_queries):
    database.create(OnlyKey)
    face(OnlyKey().save)
    row = face(OnlyKey.objects.get)
    with assert_queries(1) as captured:
        face(row.save)
    assert captured.captured_queries[0]["sql"].startswith("SELECT")


def test_select_on_save_looks_first(face, database, assert_queries):
    database.create(Strict)
    one = face(Strict.objects.create, name="a")
    with assert_queries(2) as captured:
        face(one.save)
    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["SELECT", "UPDATE"]
    with assert_queries(1):
        face(one.save, force_update=True)
    with assert_queries(2) as captured:
        face(Strict(pk=99, name="b").save)
    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["SELECT", "INSERT"]


# -- update_fields -----------------------------------------------------------------------------------


def test_update_fields_writes_these_only(face, authors):
    author = face(Author.objects.create, name="Ada", age=36)
    author.name, author.age = "Grace", 85
    face(author.save, update_fields=["name"])
    assert authors.observe("SELECT name, age FROM tests_author") == [("Grace", 36)]


def test_empty_update_fields_does_nothing(face, authors, assert_queries):
    author = face(Author.objects.create, name="Ada")
    calls = []

    def note(**facts):
        calls.append(facts)

    pre_save.connect(note, sender=Author)
    try:
        with assert_queries(0):
            face(author.save, update_fields=[])
    finally:
        pre_save.disconnect(note, sender=Author)
    assert calls == []


@pytest.mark.parametrize("name", ["nmae", "id", "books"])
def test_update_fields_have_to_be_columns(face, authors, name):
    author = face(Author.objects.create, name="Ada")
    with pytest.raises(ValueError, match=f"The following fields do not exist in this model.*: {name}"):
        face(author.save, update_fields=[name])


def test_update_fields_needs_the_row(face, authors):
    with pytest.raises(Author.NotUpdated, match=r"Save with update_fields did not affect any rows."):
        face(Author(pk=1, name="Ada").save, update_fields=["name"])


def test_update_fields_takes_a_relation_by_either_name(face, authors):
    ada, grace = face(Author.objects.create, name="Ada"), face(Author.objects.create, name="Grace")
    book = face(Book.objects.create, title="Notes", author=ada)
    for name, author in (("author", grace), ("author_id", ada)):
        book.author = author
        face(book.save, update_fields=[name])
        assert authors.observe("SELECT author_id FROM tests_book") == [(author.pk,)]


def test_deferred_columns_are_never_written(face, authors, assert_queries):
    face(Author.objects.create, name="Ada", age=36)
    author = face(Author.objects.defer("age").get)
    authors.observe("UPDATE tests_author SET age = 99")
    author.name = "Grace"
    with assert_queries(1):
        face(author.save)
    assert authors.observe("SELECT name, age FROM tests_author") == [("Grace", 99)]


def test_deferred_column_that_was_set_is_written(face, authors):
    face(Author.objects.create, name="Ada", age=36)
    author = face(Author.objects.only("name").get)
    author.age = 37
    face(author.save)
    assert authors.observe("SELECT name, age FROM tests_author") == [("Ada", 37)]


# -- values ------------------------------------------------------------------------------------------


def test_pre_save_fields_set_themselves(face, database):
    database.create(Ticket)
    ticket = face(Ticket.objects.create)
    made, changed = ticket.made, ticket.changed
    assert isinstance(made, dt.datetime)
    face(ticket.save)
    assert (ticket.made, ticket.changed > changed) == (made, True)


@returning_databases
def test_generated_column_comes_back(face, database, assert_queries):
    database.create(Ticket)
    with assert_queries(1):
        ticket = face(Ticket.objects.create, number=4)
    assert ticket.double == 8
    ticket.number = 5
    with assert_queries(1):
        face(ticket.save)
        assert ticket.double == 10


def test_generated_column_comes_back_after_an_expression(face, database):
    database.create(Ticket)
    ticket = face(Ticket.objects.create, number=4)
    ticket.number = F("number") + 1
    face(ticket.save)
    assert (ticket.number, ticket.double) == (5, 10)


def test_database_defaults_come_back(face, database, assert_queries):
    database.create(Token)
    with assert_queries(1):
        token = face(Token.objects.create, note="mine")
    assert (token.uses, token.note) == (0, "mine")
    assert database.observe("SELECT uses, note FROM tests_token") == [(0, "mine")]


@returning_databases
def test_expression_is_computed_by_the_database(face, authors, assert_queries):
    author = face(Author.objects.create, name="Ada", age=36)
    authors.observe("UPDATE tests_author SET age = 40")
    author.age = F("age") + 1
    with assert_queries(1):
        face(author.save)
        assert author.age == 41


def test_new_row_may_hold_an_expression(face, database, assert_queries):
    database.create(Everything)
    row = Everything(datetime=Now())
    with assert_queries(1):
        face(row.save)
        assert isinstance(row.datetime, dt.datetime)


def test_new_row_with_a_key_may_hold_an_expression(face, database, assert_queries):
    database.create(Ticket)
    ticket = Ticket(pk=7, number=Value(20) + 1)
    with assert_queries(2):  # no row to update
        face(ticket.save)
    assert (ticket.number, ticket.double) == (21, 42)
    assert database.observe("SELECT id, number FROM tests_ticket") == [(7, 21)]


def test_new_row_cannot_refer_to_itself(face, authors):
    with pytest.raises(ValueError, match=r"F\(\) expressions can only be used to update, not to insert."):
        face(Author(name="Ada", age=F("age") + 1).save)
    assert authors.count("tests_author") == 0


def test_value_of_the_wrong_kind_is_refused_before_any_sql(face, authors, assert_queries):
    with assert_queries(0), pytest.raises(ValueError, match=r"Field 'age' expected a number but got 'old'."):
        face(Author(name="Ada", age="old").save)


# -- relations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["name", "age"])
def test_an_instance_is_no_value_to_update_a_column_with(face, authors, name):
    ada = face(Author.objects.create, name="Ada")
    setattr(ada, name, Author(name="Bob"))
    with pytest.raises(
        TypeError, match=f"Tried to update field tests.Author.{name} with a model instance, <Author"
    ):
        face(ada.save)
    assert face(Author.objects.filter(name="Ada").count) == 1


def test_unsaved_related_object_is_refused(face, authors, assert_queries):
    book = Book(title="Notes", author=Author(name="Ada"))
    message = r"save\(\) prohibited to prevent data loss due to unsaved related object 'author'."
    with assert_queries(0), pytest.raises(ValueError, match=message):
        face(book.save)


def test_key_of_an_object_saved_since_it_was_assigned(face, authors):
    author = Author(name="Ada")
    book = Book(title="Notes", author=author)
    face(author.save)
    face(book.save)
    assert book.author_id == author.pk
    assert authors.observe("SELECT author_id FROM tests_book") == [(author.pk,)]


def test_key_changed_on_the_related_object_forgets_it(face, authors):
    author = face(Author.objects.create, name="Ada")
    book = face(Book.objects.create, title="Notes", author=author)
    author.pk = author.pk + 1
    face(author.save)
    face(book.save)
    assert "author" not in book._state.fields_cache


def test_acreate_accepts_instances(face, authors):
    author = face(Author.objects.create, name="Ada")
    assert face(Book.objects.create, title="Notes", author=author).author_id == author.pk


# -- inheritance -------------------------------------------------------------------------------------


@returning_databases
def test_child_is_saved_in_both_tables(face, database, assert_queries):
    database.create(Author, Place, Restaurant)
    with assert_queries(4):  # BEGIN and COMMIT are statements, too
        place = face(Restaurant.objects.create, name="Demon Dogs", serves_pizza=True)
    assert place.pk == place.place_ptr_id == place.id
    place.name, place.serves_pizza = "Ace", False
    with assert_queries(4):
        face(place.save)
    assert database.observe("SELECT name FROM tests_place") == [("Ace",)]
    with assert_queries(3):
        face(place.save, update_fields=["name"])


@returning_databases
def test_parent_can_be_told_to_be_new(face, database, assert_queries):
    database.create(Author, Place, Restaurant)
    with assert_queries(4):
        face(Restaurant(id=1, name="Ace").save, force_insert=(Place, Restaurant))
    with pytest.raises(IntegrityError):
        face(Restaurant(id=1, name="Ace").save, force_insert=(Place,))
    assert database.count("tests_restaurant") == 1


def test_child_failing_takes_the_parent_back(face, database):
    database.create(Author, Place, Restaurant)
    with pytest.raises(IntegrityError):
        face(Restaurant(name="Ace", serves_pizza=None).save)
    assert database.count("tests_place") == 0


def test_row_for_an_existing_parent(face, database):
    database.create(Author, Place, Restaurant)
    place = face(Place.objects.create, name="Ace")
    child = Restaurant(place_ptr=place, serves_pizza=True)
    child.save_base(raw=True)
    assert database.observe("SELECT name FROM tests_place") == [("Ace",)]
    assert database.count("tests_restaurant") == 1


def test_proxy_is_saved_in_the_table_of_its_model(face, authors):
    face(Writer(name="Ada").save)
    assert authors.observe("SELECT name FROM tests_author") == [("Ada",)]


# -- databases, transactions, signals ----------------------------------------------------------------


def test_save_goes_where_the_instance_came_from(face, database):
    for alias in ("default", "other"):
        database.create(Author, using=alias)
    author = face(Author.objects.using("other").create, name="Ada")
    author.name = "Grace"
    face(author.save)
    assert database.observe("SELECT name FROM tests_author", "other") == [("Grace",)]
    assert database.count("tests_author") == 0


def test_using_copies_to_another_database(face, database):
    for alias in ("default", "other"):
        database.create(Author, using=alias)
    author = face(Author.objects.create, name="Ada")
    face(author.save, using="other")
    assert author._state.db == "other"
    assert database.observe("SELECT id, name FROM tests_author", "other") == [(author.pk, "Ada")]


def test_failed_save_breaks_the_block(face, authors):
    face(Author.objects.create, pk=1, name="Ada")
    with pytest.raises(transaction.TransactionManagementError), face.block(transaction.atomic()):
        with pytest.raises(IntegrityError):
            face(Author(pk=1).save, force_insert=True)
        face(Author.objects.count)


def test_signals_tell_what_is_saved(face, authors):
    calls = []

    def before(sender, **facts):
        calls.append(
            ("pre", sender, facts["instance"].name, facts["raw"], facts["using"], facts["update_fields"])
        )

    def after(sender, **facts):
        calls.append(("post", sender, facts["created"]))

    pre_save.connect(before, sender=Author)
    post_save.connect(after, sender=Author)
    try:
        author = face(Author.objects.create, name="Ada")
        face(author.save, update_fields=["name"])
    finally:
        pre_save.disconnect(before, sender=Author)
        post_save.disconnect(after, sender=Author)
    assert calls == [
        ("pre", Author, "Ada", False, "default", None),
        ("post", Author, True),
        ("pre", Author, "Ada", False, "default", frozenset({"name"})),
        ("post", Author, False),
    ]


def test_save_that_is_overridden_is_honoured(face, authors, monkeypatch):
    def save(self, **options):
        self.name = self.name.upper()
        models.Model.save(self, **options)

    monkeypatch.setattr(Author, "save", save)
    face(Author(name="Ada").save)
    face(Author.objects.create, name="Grace")
    assert authors.observe("SELECT name FROM tests_author ORDER BY id") == [("ADA",), ("GRACE",)]


# -- refresh_from_db ---------------------------------------------------------------------------------


def test_refresh_loads_all_values_again(face, authors, assert_queries):
    author = face(Author.objects.create, name="Ada", age=36)
    authors.observe("UPDATE tests_author SET name = 'Grace', age = 85")
    with assert_queries(1):
        face(author.refresh_from_db)
    assert (author.name, author.age) == ("Grace", 85)


def test_refresh_of_some_fields(face, authors):
    author = face(Author.objects.create, name="Ada", age=36)
    authors.observe("UPDATE tests_author SET name = 'Grace', age = 85")
    face(author.refresh_from_db, fields=["age"])
    assert (author.name, author.age) == ("Ada", 85)


def test_refresh_of_no_fields_asks_nothing(face, authors, assert_queries):
    author = face(Author.objects.create, name="Ada")
    with assert_queries(0):
        face(author.refresh_from_db, fields=[])


def test_refresh_does_not_follow_relations(face, authors):
    book = face(Book.objects.create, title="Notes", author=face(Author.objects.create, name="Ada"))
    with pytest.raises(ValueError, match=r'Found "__" in fields argument.'):
        face(book.refresh_from_db, fields=["author__name"])


def test_refresh_leaves_deferred_fields_deferred(face, authors):
    face(Author.objects.create, name="Ada", age=36)
    author = face(Author.objects.defer("age").get)
    face(author.refresh_from_db)
    assert author.get_deferred_fields() == {"age"}


def test_refresh_forgets_relations(face, authors, assert_queries):
    ada, grace = face(Author.objects.create, name="Ada"), face(Author.objects.create, name="Grace")
    book = face(Book.objects.create, title="Notes", author=ada)
    authors.observe(f"UPDATE tests_book SET author_id = {grace.pk}")
    face(book.refresh_from_db)
    assert (book.author_id, "author" in book._state.fields_cache) == (grace.pk, False)


def test_refresh_from_a_queryset_of_ones_own(face, authors):
    author = face(Author.objects.create, name="Ada", age=36)
    with pytest.raises(Author.DoesNotExist):
        face(author.refresh_from_db, from_queryset=Author.objects.filter(age=99))


def test_refresh_of_a_deleted_row(face, authors):
    author = face(Author.objects.create, name="Ada")
    authors.observe("DELETE FROM tests_author")
    with pytest.raises(Author.DoesNotExist):
        face(author.refresh_from_db)
