"""Foreign keys and one-to-one fields: declaring, assigning, and loading either way."""

from __future__ import annotations

import pytest

from facade import acreate_all, models
from facade.apps import isolate_apps
from facade.exceptions import FieldError, SynchronousOnlyOperation
from facade.meta.relations import Hop
from tests.models import Author, Book, Category, City, Country, Place, Profile, Publisher, Restaurant, Review


@pytest.fixture
def isolated():
    with isolate_apps("tests") as registry:
        yield registry


# -- declaring ------------------------------------------------------------------------------------------


def test_a_relation_may_name_its_model_before_it_exists(isolated):
    class Page(models.Model):
        chapter = models.ForeignKey("Chapter", models.CASCADE)
        tome = models.ForeignKey("library.Tome", models.CASCADE, related_name="pages")

    assert Page._meta.get_field("chapter").related_model == "Chapter"

    class Chapter(models.Model):
        pass

    class Tome(models.Model):
        class Meta:
            app_label = "library"

    assert Page._meta.get_field("chapter").related_model is Chapter
    assert Page._meta.get_field("tome").related_model is Tome
    assert Chapter._meta.get_field("page").related_model is Page
    assert hasattr(Chapter, "page_set")
    assert hasattr(Tome, "pages")


def test_the_target_must_be_a_model_or_a_name():
    with pytest.raises(TypeError, match="First parameter to ForeignKey must be either a model, a model name"):
        models.ForeignKey(int, models.CASCADE)
    with pytest.raises(TypeError, match="on_delete must be callable"):
        models.ForeignKey("Author", None)


def test_names_of_inherited_relations_are_made_for_each_child(isolated):
    class Target(models.Model):
        pass

    class Base(models.Model):
        target = models.ForeignKey(
            Target,
            models.CASCADE,
            related_name="%(app_label)s_%(class)s_set",
            related_query_name="%(class)s_found",
        )

        class Meta:
            abstract = True

    class One(Base):
        pass

    class Two(Base):
        pass

    assert hasattr(Target, "tests_one_set")
    assert hasattr(Target, "tests_two_set")
    assert Target._meta.get_field("one_found").related_model is One
    assert Target._meta.get_field("two_found").related_model is Two


def test_default_related_name_counts_where_a_field_has_none(isolated):
    class Target(models.Model):
        pass

    class Source(models.Model):
        one = models.ForeignKey(Target, models.CASCADE)
        two = models.ForeignKey(Target, models.CASCADE, related_name="two")

        class Meta:
            default_related_name = "sources"

    assert hasattr(Target, "sources")
    assert hasattr(Target, "two")


def test_a_related_name_ending_with_plus_hides_the_relation():
    relation = Review._meta.get_field("reviewer").remote_field
    assert relation.hidden
    assert not any(name.startswith("+") for name in vars(Author))


def test_a_relation_to_another_registry_leaves_that_model_alone(isolated):
    class Note(models.Model):
        author = models.ForeignKey(Author, models.CASCADE)

    assert Note._meta.get_field("author").target_field is Author._meta.pk
    assert not hasattr(Author, "note_set")
    assert "note" not in Author._meta.fields_map


def test_a_reference_must_be_to_a_field_of_the_model_itself(isolated):
    class Parent(models.Model):
        code = models.CharField(max_length=3, unique=True)

    class Child(Parent):
        pass

    class Source(models.Model):
        child = models.ForeignKey(Child, models.CASCADE, to_field="code")

    with pytest.raises(FieldError, match="refers to field 'code' which is not local to model"):
        Source._meta.get_field("child").related_fields  # noqa: B018


def test_a_foreign_key_knows_both_ends():
    field = City._meta.get_field("twin_country")
    assert (field.attname, field.column) == ("twin_country_id", "twin")
    assert field.target_field is Country._meta.get_field("name")
    assert field.related_fields == [(field, Country.name.field)]
    assert field.remote_field.get_related_field() is Country.name.field
    assert field.remote_field.get_accessor_name() == "twin_cities"
    assert (field.many_to_one, field.one_to_one, field.one_to_many) == (True, False, False)


def test_hops_describe_the_joins():
    field = Book._meta.get_field("publisher")
    assert field.hops == (Hop(Book, Publisher, ((field, Publisher.id.field),), field, False, True, True),)
    (back,) = field.remote_field.hops
    assert back == Hop(Publisher, Book, ((Publisher.id.field, field),), field.remote_field, True, False, True)
    (single,) = Profile._meta.get_field("author").remote_field.hops
    assert not single.many
    assert not Book._meta.get_field("author").hops[0].nullable


def test_relations_tell_how_to_declare_them_again():
    name, path, args, kwargs = Book._meta.get_field("publisher").deconstruct()
    assert (name, path, args) == ("publisher", "facade.models.ForeignKey", [])
    assert kwargs == {"to": "tests.publisher", "on_delete": models.SET_NULL, "null": True, "blank": True}
    kwargs = City._meta.get_field("twin_country").deconstruct()[3]
    assert kwargs["to_field"] == "name"
    assert kwargs["related_name"] == "twin_cities"
    kwargs = Profile._meta.get_field("author").deconstruct()[3]
    assert "unique" not in kwargs
    assert Book._meta.get_field("author").clone().remote_field.model == Author._meta.label_lower


def test_a_foreign_key_takes_only_comparisons_as_lookups():
    field = Book._meta.get_field("author")
    assert field.get_lookup("exact")
    assert field.get_lookup("icontains") is None


# -- assigning ------------------------------------------------------------------------------------------


def test_assigning_an_object_sets_the_key():
    book, ada = Book(), Author(pk=3)
    book.author = ada
    assert (book.author_id, book.author) == (3, ada)


def test_assigning_another_key_forgets_the_object():
    book = Book(author=Author(pk=3))
    book.author_id = 3
    assert Book.author.is_cached(book)
    book.author_id = 4
    assert not Book.author.is_cached(book)


def test_assigning_none_clears_both():
    book = Book(publisher=Publisher(pk=3))
    book.publisher = None
    assert (book.publisher, book.publisher_id) == (None, None)


def test_a_missing_required_object_is_an_error_and_an_attribute_error():
    with pytest.raises(Book.author.RelatedObjectDoesNotExist, match="Book has no author"):
        Book().author  # noqa: B018
    assert not hasattr(Book(), "author")
    assert issubclass(Book.author.RelatedObjectDoesNotExist, Author.DoesNotExist)
    assert Book().publisher is None


@pytest.mark.parametrize(
    ("instance", "name", "expected"), [(Book(), "author", "Author"), (Author(pk=1), "profile", "Profile")]
)
def test_only_instances_of_the_model_can_be_assigned(instance, name, expected):
    with pytest.raises(
        ValueError, match=f'Cannot assign "3": "[A-Z].*{name}" must be a "{expected}" instance'
    ):
        setattr(instance, name, 3)


def test_objects_of_different_databases_cannot_be_related():
    book, ada = Book(), Author(pk=1)
    book._state.db, ada._state.db = "default", "other"
    with pytest.raises(ValueError, match="the current database router prevents this relation"):
        book.author = ada
    profile = Profile()
    profile._state.db = "default"
    with pytest.raises(ValueError, match="the current database router prevents this relation"):
        ada.profile = profile


def test_one_to_one_ends_remember_each_other():
    ada, profile = Author(pk=1), Profile()
    profile.author = ada
    assert ada.profile is profile
    other = Author(pk=2)
    other.edited_profile = profile
    assert (profile.editor, profile.editor_id) == (other, 2)
    other.edited_profile = None
    assert profile.editor is None
    assert not hasattr(Author(), "profile")


def test_clearing_one_end_tells_the_other():
    ada, profile = Author(pk=1), Profile()
    profile.editor = ada
    profile.editor = None
    with pytest.raises(Author.edited_profile.RelatedObjectDoesNotExist, match="Author has no edited_profile"):
        ada.edited_profile  # noqa: B018


def test_many_objects_cannot_be_assigned_at_once():
    with pytest.raises(
        TypeError, match="Direct assignment to the reverse side of a related set is prohibited"
    ):
        Author().books = []


# -- loading ----------------------------------------------------------------------------------------------


@pytest.fixture
def library(database):
    database.create(Publisher, Author, Book, Review, Profile)


def test_the_object_behind_a_key_is_loaded_once(face, library, assert_queries):
    ada = face(Author.objects.create, name="Ada")
    face(Book.objects.create, title="One", author=ada)
    book = face(Book.objects.get)
    with assert_queries(1):
        assert book.author == ada
    with assert_queries(0):
        assert book.author.name == "Ada"


def test_the_awaitable_form_loads_a_relation(face, library, assert_queries):
    ada = face(Author.objects.create, name="Ada")
    face(Book.objects.create, title="One", author=ada)
    book = face(Book.objects.get)
    with assert_queries(1):
        assert face(book.fetch, "author") == ada
    with assert_queries(0):
        assert book.author == ada
    with assert_queries(1):
        assert face(book.author.fetch, "books") == [book]
    with assert_queries(0):
        assert list(book.author.books.all()) == [book]


def test_a_one_to_one_relation_is_loaded_from_either_end(face, library, assert_queries):
    ada = face(Author.objects.create, name="Ada")
    profile = face(Profile.objects.create, author=ada)
    loaded = face(Author.objects.get)
    with assert_queries(1):
        assert loaded.profile == profile
        assert loaded.profile.author is loaded
    loaded = face(Profile.objects.get)
    with assert_queries(1):
        assert loaded.author.profile is loaded


def test_that_nobody_refers_is_remembered(face, library, assert_queries):
    ada = face(Author.objects.create, name="Ada")
    with assert_queries(1):
        for _ in range(2):
            with pytest.raises(Author.profile.RelatedObjectDoesNotExist, match="Author has no profile"):
                ada.profile  # noqa: B018


def test_a_dangling_key_raises_does_not_exist(face, library):
    with pytest.raises(Author.DoesNotExist):
        Book(author_id=99).author  # noqa: B018


def test_relations_are_prefetched(face, library, assert_queries):
    ada = face(Author.objects.create, name="Ada")
    house = face(Publisher.objects.create, name="House")
    face(Book.objects.create, title="One", author=ada, publisher=house)
    face(Book.objects.create, title="Two", author=ada)
    face(Profile.objects.create, author=ada)
    books = Book.objects.order_by("id").prefetch_related("author__profile", "publisher")
    with assert_queries(4):
        one, two = face.list(books)
    with assert_queries(0):
        assert one.author is two.author
        assert one.author.profile.author is one.author
        assert (one.publisher, two.publisher) == (house, None)


def test_a_key_to_another_field_is_followed(face, database):
    database.create(Country, City)
    austria = face(Country.objects.create, code="AT", name="Austria")
    face(City.objects.create, name="Vienna", country=austria, twin_country=austria)
    city = face(City.objects.get)
    assert (city.country_id, city.twin_country_id) == ("AT", "Austria")
    assert city.twin_country == city.country == austria
    assert face(austria.twin_cities.get) == city


def test_a_model_may_refer_to_itself(face, database):
    database.create(Category)
    root = face(Category.objects.create, name="root")
    leaf = face(Category.objects.create, name="leaf", parent=root)
    assert face.list(root.children.all()) == [leaf]
    assert face(Category.objects.get, name="leaf").parent == root


def test_a_parents_row_is_made_of_the_childs_values():
    names = [field.attname for field in Restaurant._meta.concrete_fields]
    restaurant = Restaurant.from_db("other", names, [3, "Pizza", "", 3, True, None])
    place = restaurant.place_ptr
    assert type(place) is Place
    assert (place.pk, place.name, place._state.db, place._state.adding) == (3, "Pizza", "other", False)
    assert place.restaurant is restaurant


async def test_loading_in_a_running_loop_is_refused_with_the_ways_out(database):
    await acreate_all(models=[Publisher, Author, Book, Profile])
    ada = await Author.objects.acreate(name="Ada")
    await Book.objects.acreate(title="One", author=ada)
    book = await Book.objects.aget()
    with pytest.raises(SynchronousOnlyOperation) as caught:
        book.author  # noqa: B018
    message = str(caught.value)
    for way_out in (
        "select_related('author')",
        "prefetch_related('author')",
        "await obj.afetch('author')",
        "facade.run",
    ):
        assert way_out in message
    assert await book.afetch("author") == ada
    assert book.author == ada
    with pytest.raises(SynchronousOnlyOperation, match=r"Author\.profile is not loaded"):
        book.author.profile  # noqa: B018
    slim = await Author.objects.only("id").aget()
    with pytest.raises(SynchronousOnlyOperation, match=r"only\(\) or defer\(\)"):
        slim.name  # noqa: B018
    assert await slim.afetch("name") == "Ada"


def test_a_relation_may_span_columns(face, database, isolated, assert_queries):
    class Flight(models.Model):
        carrier = models.CharField(max_length=2)
        number = models.IntegerField()

        class Meta:
            unique_together = ["carrier", "number"]

    class Seat(models.Model):
        carrier = models.CharField(max_length=2)
        number = models.IntegerField()
        flight = models.ForeignObject(
            Flight, models.CASCADE, ["carrier", "number"], ["carrier", "number"], related_name="seats"
        )

    database.create(Flight, Seat)
    face(Flight.objects.create, carrier="OS", number=1)
    flight = face(Flight.objects.create, carrier="OS", number=2)
    seat = face(Seat.objects.create, flight=flight)
    assert (seat.carrier, seat.number) == ("OS", 2)
    found = face(Seat.objects.get)
    with assert_queries(1):
        assert found.flight == flight
    assert face(Seat.objects.filter(flight__number=2).count) == 1
    with assert_queries(2):
        (found,) = face.list(Seat.objects.prefetch_related("flight"))
        assert found.flight == flight
