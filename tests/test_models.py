"""Instances: how they are made, compared, copied, and what they know about their fields."""

from __future__ import annotations

import copy
import datetime as dt
import pickle

import pytest

from facade import models
from facade.apps import isolate_apps
from facade.configuration import override
from facade.meta import registry
from facade.orm.instances.construction import DEFERRED
from facade.orm.instances.state import LOADED_FROM, ModelState
from facade.signals import post_init, pre_init
from tests.models import Author, Book, Everything, Profile, Publisher, Review, Token, Writer


@pytest.fixture
def isolated():
    with isolate_apps("tests") as registry:
        yield registry


# -- making instances -----------------------------------------------------------------------------------


def test_values_are_given_by_name_and_the_rest_is_default():
    author = Author(name="Ada", age=36)
    assert (author.id, author.name, author.age, author.email) == (None, "Ada", 36, "")
    assert author._state.adding
    assert author._state.db is None


def test_values_are_given_in_the_order_of_the_columns():
    author = Author(3, "Ada", 36)
    assert (author.id, author.name, author.age, author.email) == (3, "Ada", 36, "")
    author = Author(3, "Ada", email="ada@example.org")
    assert (author.id, author.name, author.age, author.email) == (3, "Ada", None, "ada@example.org")


def test_too_many_values_are_refused():
    with pytest.raises(IndexError, match="Number of args exceeds number of fields"):
        Author(1, "Ada", 36, "", "more")


def test_unknown_names_are_refused_all_at_once():
    with pytest.raises(TypeError, match=r"Author\(\) got unexpected keyword arguments: 'nmae', 'aeg'"):
        Author(nmae="Ada", aeg=3)
    with pytest.raises(TypeError, match="got unexpected keyword arguments: 'nmae'"):
        Author(1, nmae="Ada")


def test_a_value_may_not_be_given_twice():
    with pytest.raises(
        TypeError, match=r"Author\(\) got both positional and keyword arguments for field 'name'"
    ):
        Author(1, "Ada", name="Eve")


def test_pk_is_a_name_for_the_key():
    assert Author(pk=5).id == 5
    author = Author()
    author.pk = 7
    assert author.id == 7


def test_properties_can_be_given(isolated):
    class Person(models.Model):
        first = models.CharField(max_length=10)

        @property
        def shout(self):
            return self.first.upper()

        @shout.setter
        def shout(self, value):
            self.first = value.lower()

    assert Person(shout="ADA").first == "ada"


def test_defaults_are_called_for_each_instance():
    one, other = Token(), Token()
    assert one.id != other.id
    assert one.issued == dt.date.today()  # noqa: DTZ011 - the default's own words
    assert one.label == "token"


def test_an_explicit_none_is_no_default():
    assert Token(label=None).label is None


def test_deferred_stands_for_a_value_that_is_not_loaded():
    author = Author(1, DEFERRED, 3)
    assert author.get_deferred_fields() == {"name"}


@pytest.mark.parametrize("given", ["object", "key", "both"])
def test_a_relation_is_given_as_object_or_as_key(given):
    ada = Author(pk=4, name="Ada")
    if given == "object":
        book = Book(title="x", author=ada)
        assert book.author is ada
    elif given == "key":
        book = Book(title="x", author_id=4)
        assert not Book.author.is_cached(book)
    else:
        book = Book(title="x", author=Author(pk=9), author_id=4)
        assert not Book.author.is_cached(book)
    assert book.author_id == 4


def test_a_relation_given_as_none_is_none():
    assert Book(publisher=None).publisher is None
    assert Book().publisher_id is None


def test_a_relation_must_be_of_its_model():
    with pytest.raises(
        ValueError, match=r'Cannot assign "<Publisher: X>": "Book.author" must be a "Author" instance.'
    ):
        Book(author=Publisher(name="X"))


def test_a_field_named_like_an_argument_is_no_problem(isolated):
    class Odd(models.Model):
        self = models.IntegerField(default=1)
        args = models.IntegerField(default=2)
        kwargs = models.IntegerField(default=3)

    odd = Odd(kwargs=4, self=5)
    assert (odd.self, odd.args, odd.kwargs) == (5, 2, 4)


def test_a_field_named_like_a_keyword_works(isolated):
    model = type(
        "Odd", (models.Model,), {"__module__": "tests.models", "class": models.IntegerField(default=1)}
    )
    assert getattr(model(**{"class": 3}), "class") == 3
    assert getattr(model(), "class") == 1


def test_mixins_behind_the_model_are_initialised(isolated):
    class Mixin:
        def __init__(self):
            self.mixed = True

    class Thing(models.Model, Mixin):
        name = models.CharField(max_length=5)

    thing = Thing(name="x")
    assert thing.mixed
    assert not Thing._meta.fast_init


def test_setattr_is_honoured(isolated):
    class Careful(models.Model):
        name = models.CharField(max_length=5)

        def __setattr__(self, name, value):
            super().__setattr__(name, value.upper() if name == "name" else value)

    assert Careful(name="ada").name == "ADA"
    assert Careful(None, "ada").name == "ADA"
    assert not Careful._meta.fast_init


def test_a_descriptor_that_sets_is_honoured(isolated):
    class Upper:
        def __get__(self, instance, owner=None):
            return self if instance is None else instance.__dict__["name"]

        def __set__(self, instance, value):
            instance.__dict__["name"] = value.upper()

    class UpperField(models.CharField):
        def contribute_to_class(self, cls, name, private_only=False):
            super().contribute_to_class(cls, name, private_only=private_only)
            setattr(cls, name, Upper())

    class Thing(models.Model):
        name = UpperField(max_length=5)

    assert Thing(name="ada").name == "ADA"
    assert Thing.from_db("default", ["id", "name"], [1, "ada"]).name == "ADA"
    assert not Thing._meta.fast_init


# -- signals ----------------------------------------------------------------------------------------------


@pytest.fixture
def listening():
    """Connect a receiver to ``post_init`` of Author for the length of a test."""
    heard = []

    def receiver(instance, **kwargs):
        heard.append(instance)

    post_init.connect(receiver, sender=Author)
    yield heard
    post_init.disconnect(receiver, sender=Author)


def test_pre_init_sees_the_arguments_and_post_init_the_instance(listening):
    arguments = []

    def receiver(sender, args, kwargs, **rest):
        arguments.append((sender, args, dict(kwargs)))

    pre_init.connect(receiver)
    try:
        author = Author(1, name="Ada")
    finally:
        pre_init.disconnect(receiver)
    assert arguments == [(Author, (1,), {"name": "Ada"})]
    assert listening == [author]


def test_rows_skip_init_only_while_nobody_listens(listening):
    assert not Author._meta.fast_init
    assert Publisher._meta.fast_init
    Author.from_db("default", ["id", "name", "age", "email"], [1, "Ada", 3, ""])
    assert len(listening) == 1
    post_init.disconnect(post_init.receivers[0].receiver(), sender=Author)
    assert Author._meta.fast_init


def test_those_who_keep_loaders_hear_of_listeners():
    heard = []
    registry.on_change(lambda: heard.append(1))

    def receiver(**kwargs):
        pass

    post_init.connect(receiver)
    post_init.disconnect(receiver)
    registry.on_change.listeners.pop()
    assert len(heard) == 2


@pytest.mark.parametrize("name", ["__init__", "__new__", "__setattr__", "from_db"])
def test_rows_skip_init_only_if_the_class_leaves_it_alone(isolated, name):
    plain = type("Plain", (models.Model,), {"__module__": "tests.models"})
    inherited = getattr(models.Model, name)
    own = type("Own", (models.Model,), {"__module__": "tests.models", name: inherited})
    below = type("Below", (own,), {"__module__": "tests.models"})
    assert plain._meta.fast_init
    assert not own._meta.fast_init
    assert not below._meta.fast_init


def test_a_proxy_of_a_plain_model_is_plain():
    assert Writer._meta.fast_init


# -- rows ---------------------------------------------------------------------------------------------------


def test_from_db_makes_a_stored_instance():
    author = Author.from_db("other", ["id", "name", "age", "email"], (1, "Ada", 36, ""))
    assert (author.pk, author.name, author._state.db, author._state.adding) == (1, "Ada", "other", False)


def test_from_db_defers_what_is_missing():
    author = Author.from_db("default", ["id", "age"], (1, 36))
    assert author.get_deferred_fields() == {"name", "email"}
    assert author.age == 36


def test_from_db_can_be_overridden(isolated):
    class Thing(models.Model):
        name = models.CharField(max_length=5)

        @classmethod
        def from_db(cls, db, field_names, values, **options):
            made = super().from_db(db, field_names, values, **options)
            made.loaded = dict(zip(field_names, values, strict=True))
            return made

    assert Thing.from_db("default", ["id", "name"], [1, "x"]).loaded == {"id": 1, "name": "x"}
    assert not Thing._meta.fast_init


def test_a_loader_may_leave_the_state_to_be_made():
    author = Author.__new__(Author)
    author.__dict__ = {LOADED_FROM: "other", "id": 1, "name": "Ada", "age": None, "email": ""}
    assert author == Author(pk=1)
    assert (author._state.db, author._state.adding) == ("other", False)
    assert author._state is author._state
    assert LOADED_FROM not in author.__dict__


def test_a_state_starts_empty():
    state = ModelState()
    assert (state.adding, state.db, state.fields_cache, state.peers) == (True, None, {}, ())
    assert state.fields_cache is state.fields_cache
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        state.nothing  # noqa: B018


def test_a_deferred_field_of_an_unsaved_instance_is_an_error():
    author = Author(None, DEFERRED)
    with pytest.raises(AttributeError, match="Cannot retrieve deferred field 'name' from an unsaved model"):
        author.name  # noqa: B018


# -- identity -----------------------------------------------------------------------------------------------


def test_instances_are_equal_by_model_and_key():
    assert Author(pk=1) == Author(pk=1, name="other")
    assert Author(pk=1) != Author(pk=2)
    assert Author(pk=1) != Publisher(pk=1)
    assert Author(pk=1) == Writer(pk=1)
    assert Author(pk=1) != 1
    assert len({Author(pk=1), Author(pk=1), Author(pk=2)}) == 2


def test_instances_without_a_key_equal_only_themselves_and_have_no_hash():
    author = Author()
    assert author == author
    assert author != Author()
    with pytest.raises(TypeError, match="Model instances without primary key value are unhashable"):
        hash(author)


def test_instances_have_a_text_and_a_representation():
    assert str(Author(name="Ada")) == "Ada"
    assert repr(Author(name="Ada")) == "<Author: Ada>"
    assert str(Profile(pk=3)) == "Profile object (3)"


# -- copies -------------------------------------------------------------------------------------------------


def test_pickling_keeps_values_state_and_related_objects():
    book = Book(title="x", author=Author(pk=4, name="Ada"))
    book._state.db = "other"
    loaded = pickle.loads(pickle.dumps(book))
    assert (loaded.title, loaded.author, loaded.author.name) == ("x", book.author, "Ada")
    assert loaded._state.db == "other"
    assert "_facade_version" not in loaded.__dict__


def test_pickling_keeps_what_is_not_loaded():
    author = pickle.loads(pickle.dumps(Author.from_db("default", ["id"], (1,))))
    assert author.get_deferred_fields() == {"name", "age", "email"}


def test_pickling_turns_memoryviews_into_bytes_and_back():
    thing = pickle.loads(pickle.dumps(Everything(binary=memoryview(b"abc"))))
    assert isinstance(thing.binary, memoryview)
    assert bytes(thing.binary) == b"abc"


def test_pickles_of_another_version_warn():
    state = Author(pk=1).__reduce__()[2]
    with pytest.warns(RuntimeWarning, match="made with facade 0.0"):
        Author().__setstate__({**state, "_facade_version": "0.0"})
    with pytest.warns(RuntimeWarning, match="made without a version"):
        Author().__setstate__({"id": 3})


def test_exceptions_can_be_pickled():
    error = pickle.loads(pickle.dumps(Author.DoesNotExist("gone")))
    assert type(error) is Author.DoesNotExist
    assert error.args == ("gone",)


def test_a_copy_has_a_state_of_its_own():
    book = Book(title="x", author=Author(pk=4))
    other = copy.copy(book)
    other.author = Author(pk=5)
    other._state.db = "other"
    assert book.author.pk == 4
    assert book._state.db is not None
    assert book._state.db != "other"


# -- fields -------------------------------------------------------------------------------------------------


def test_the_class_attribute_knows_its_field():
    assert Author.name.field is Author._meta.get_field("name")
    assert Book.author.field is Book.author_id.field is Book._meta.get_field("author")


def test_serializable_value_is_the_key_of_a_relation():
    book = Book(title="x", author_id=4)
    assert book.serializable_value("author") == book.serializable_value("author_id") == 4
    assert book.serializable_value("title") == "x"
    assert book.serializable_value("pk") is None
    with pytest.raises(AttributeError):
        book.serializable_value("nothing")


def test_choices_have_labels():
    review = Review(verdict=1)
    assert review.get_verdict_display() == "Bad"
    review.verdict = 7
    assert review.get_verdict_display() == 7


def test_an_instance_stands_for_its_key_in_columns():
    field = Book._meta.get_field("author")
    assert Author(pk=3).prepare_database_save(field) == 3
    with pytest.raises(ValueError, match="Unsaved model instance"):
        Author().prepare_database_save(field)


def test_get_absolute_url_can_be_set_for_a_model(isolated):
    with override(ABSOLUTE_URL_OVERRIDES={"tests.thing": lambda thing: f"/things/{thing.pk}/"}):

        class Thing(models.Model):
            pass

    assert Thing(pk=3).get_absolute_url() == "/things/3/"


# -- with a database --------------------------------------------------------------------------------------------


def test_deferred_fields_are_loaded_when_read(face, database, assert_queries):
    database.create(Author)
    face(Author.objects.create, name="Ada", age=36)
    author = face(Author.objects.only("age").get)
    with assert_queries(1):
        assert author.name == "Ada"
    with assert_queries(0):
        assert author.name == "Ada"
    with assert_queries(1):
        assert face(author.fetch, "email") == ""


def test_the_neighbours_by_a_date_are_found(face, database, isolated):
    class Event(models.Model):
        day = models.DateField()
        kind = models.IntegerField(default=0)

    database.create(Event)
    first, third, second, fourth = (
        Event.objects.create(day=dt.date(2020, 1, day), kind=day % 2) for day in (1, 3, 2, 3)
    )
    assert face(second.get_previous_by_day) == first
    assert face(second.get_next_by_day) == third
    assert face(third.get_next_by_day) == fourth
    assert face(first.get_next_by_day, kind=0) == second
    with pytest.raises(Event.DoesNotExist):
        face(fourth.get_next_by_day)


def test_the_neighbours_in_an_order_are_found(face, database, isolated):
    class Song(models.Model):
        pass

    class Verse(models.Model):
        song = models.ForeignKey(Song, models.CASCADE)

        class Meta:
            order_with_respect_to = "song"

    database.create(Song, Verse)
    song = Song.objects.create()
    first, second, third = (Verse.objects.create(song=song) for _ in range(3))
    assert face(second.get_previous_in_order) == first
    assert face(second.get_next_in_order) == third
    face(song.set_verse_order, [third.pk, first.pk, second.pk])
    assert face.list(song.get_verse_order()) == [third.pk, first.pk, second.pk]
    assert face(Verse.objects.get(pk=first.pk).get_previous_in_order) == third


def test_an_unsaved_instance_has_no_neighbours():
    with pytest.raises(ValueError, match="cannot be used on unsaved objects"):
        Book()._get_next_or_previous_by_FIELD(Book.published, is_next=True)
