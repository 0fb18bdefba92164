"""What a class body becomes: labels, options, inheritance, managers, and the ``_meta`` interface."""

from __future__ import annotations

import sys
import types

import pytest

from facade import models
from facade.apps import AppConfig, Apps, apps, isolate_apps
from facade.configuration import override
from facade.exceptions import FieldDoesNotExist, FieldError, ImproperlyConfigured
from facade.meta import registry as registries
from facade.meta.options import normalize_together
from facade.orm.instances.assembly import label_for
from facade.signals import class_prepared
from tests.models import Author, Book, Category, Place, Profile, Publisher, Restaurant, Review, Writer


@pytest.fixture(autouse=True)
def isolated():
    with isolate_apps("tests") as registry:
        yield registry


def names(fields):
    return [field.name for field in fields]


# -- labels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "label"),
    [
        ("shop.models", "shop"),
        ("project.shop.models", "shop"),
        ("project.shop.models.orders", "shop"),
        ("project.shop.orders", "shop"),
        ("shop", "shop"),
        ("__main__", "main"),
    ],
)
def test_the_label_is_the_package_around_the_models(module, label):
    assert label_for(module) == label


def test_an_installed_application_gives_its_label():
    class ShopConfig(AppConfig):
        name = "project.shop"
        label = "store"

    with override(INSTALLED_APPS=[ShopConfig(), "project"]):
        assert label_for("project.shop.orders.models") == "store"
        assert label_for("project.other") == "project"
        assert apps.get_app_config("store").verbose_name == "Store"
        assert apps.is_installed("project.shop")
    assert not apps.is_installed("project.shop")


def test_installed_applications_need_labels_of_their_own():
    with pytest.raises(ImproperlyConfigured, match="aren't unique"):
        Apps(["one.shop", "two.shop"])


def test_an_explicit_label_counts():
    class Thing(models.Model):
        class Meta:
            app_label = "elsewhere"

    assert Thing._meta.label == "elsewhere.Thing"
    assert Thing._meta.label_lower == "elsewhere.thing"
    assert Thing._meta.db_table == "elsewhere_thing"


def test_a_long_table_name_is_cut_and_stays_distinct():
    long_name = "Thing" * 20
    one = type(long_name, (models.Model,), {"__module__": __name__})
    other = type(f"{long_name}s", (models.Model,), {"__module__": __name__})
    assert len(one._meta.db_table) == 63
    assert one._meta.db_table != other._meta.db_table


# -- class Meta ---------------------------------------------------------------------------------------


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match=r"'class Meta' got invalid attribute\(s\): orderin"):

        class Thing(models.Model):
            class Meta:
                orderin = ["id"]


def test_names_are_derived_from_the_class():
    class LibraryCard(models.Model):
        pass

    opts = LibraryCard._meta
    assert (opts.verbose_name, opts.verbose_name_plural) == ("library card", "library cards")
    assert (opts.object_name, opts.model_name) == ("LibraryCard", "librarycard")
    assert LibraryCard.__doc__ == "LibraryCard(id)"


@pytest.mark.parametrize(
    ("declared", "normal"),
    [(("a", "b"), (("a", "b"),)), ([["a", "b"], ["c", "d"]], (("a", "b"), ("c", "d"))), ((), ())],
)
def test_unique_together_is_a_tuple_of_tuples(declared, normal):
    assert normalize_together(declared) == normal


def test_constraints_of_abstract_models_are_named_for_each_child():
    class Base(models.Model):
        name = models.CharField(max_length=5)

        class Meta:
            abstract = True
            constraints = [models.UniqueConstraint(fields=["name"], name="%(app_label)s_%(class)s_name")]
            indexes = [models.Index(fields=["name"]), models.Index(fields=["name"], name="%(class)s_idx")]

    class Child(Base):
        pass

    assert [one.name for one in Child._meta.constraints] == ["tests_child_name"]
    automatic, named = (one.name for one in Child._meta.indexes)
    assert automatic.startswith("tests_child_name_")
    assert named == "child_idx"
    assert Child._meta.total_unique_constraints == Child._meta.constraints


# -- keys ---------------------------------------------------------------------------------------------


def test_a_model_without_a_key_gets_one():
    key = Author._meta.pk
    assert (key.name, key.primary_key, key.auto_created) == ("id", True, True)
    assert type(key) is models.BigAutoField
    assert Author._meta.auto_field is key
    assert Author._meta.pk_fields == [key]


def test_the_kind_of_key_is_a_setting():
    with override(DEFAULT_AUTO_FIELD="facade.models.SmallAutoField"):

        class Small(models.Model):
            pass

    assert type(Small._meta.pk) is models.SmallAutoField


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("", ImproperlyConfigured),
        ("nowhere.Auto", ImproperlyConfigured),
        ("facade.models.CharField", ValueError),
    ],
)
def test_a_wrong_kind_of_key_is_refused(path, error):
    with override(DEFAULT_AUTO_FIELD=path), pytest.raises(error, match="DEFAULT_AUTO_FIELD"):

        class Thing(models.Model):
            pass


def test_an_application_may_choose_its_kind_of_key(isolated):
    class Config(AppConfig):
        name = "tests"
        default_auto_field = "facade.models.AutoField"

    isolated.install([Config()])

    class Thing(models.Model):
        pass

    assert type(Thing._meta.pk) is models.AutoField


# -- inheritance ----------------------------------------------------------------------------------------


def test_abstract_models_hand_down_fields_and_options():
    class Base(models.Model):
        name = models.CharField(max_length=10)

        class Meta:
            abstract = True
            ordering = ["name"]

    class Child(Base):
        age = models.IntegerField()

    class Other(Base):
        class Meta(Base.Meta):
            db_table = "others"

    assert names(Child._meta.fields) == ["id", "name", "age"]
    assert Child._meta.ordering == ["name"]
    assert not Child._meta.abstract
    assert (Other._meta.db_table, Other._meta.ordering) == ("others", ["name"])
    assert Child._meta.get_field("name") is not Base._meta.get_field("name")
    assert Child._meta.get_field("name").model is Child


def test_abstract_models_have_no_instances_and_no_exceptions():
    class Base(models.Model):
        class Meta:
            abstract = True

    with pytest.raises(TypeError, match="Abstract models cannot be instantiated"):
        Base()
    assert not hasattr(Base, "DoesNotExist")


def test_none_removes_an_inherited_field():
    class Base(models.Model):
        name = models.CharField(max_length=10)

        class Meta:
            abstract = True

    class Child(Base):
        name = None

    class Overriding(Base):
        name = models.TextField()

    assert names(Child._meta.fields) == ["id"]
    assert isinstance(Overriding._meta.get_field("name"), models.TextField)


def test_the_nearer_abstract_base_wins():
    class One(models.Model):
        name = models.CharField(max_length=1)

        class Meta:
            abstract = True

    class Two(models.Model):
        name = models.CharField(max_length=2)

        class Meta:
            abstract = True

    class Both(One, Two):
        pass

    assert Both._meta.get_field("name").max_length == 1


def test_a_child_model_has_a_link_to_its_parents_row():
    opts = Restaurant._meta
    link = opts.pk
    assert link.name == "place_ptr"
    assert link.remote_field.parent_link
    assert opts.parents == {Place: link}
    assert names(opts.concrete_fields) == ["id", "name", "address", "place_ptr", "serves_pizza", "owner"]
    assert names(opts.local_concrete_fields) == ["place_ptr", "serves_pizza", "owner"]
    assert opts.get_parent_list() == [Place]
    assert opts.get_ancestor_link(Place) is link
    assert issubclass(Restaurant.DoesNotExist, Place.DoesNotExist)


def test_hops_lead_to_the_parent_and_back():
    (down,) = Restaurant._meta.get_path_from_parent(Place)
    (up,) = Restaurant._meta.get_path_to_parent(Place)
    assert (up.source, up.target, up.direct, up.many) == (Restaurant, Place, True, False)
    assert (down.source, down.target, down.direct, down.many) == (Place, Restaurant, False, False)


def test_a_field_may_not_be_declared_twice_along_a_chain():
    class Parent(models.Model):
        name = models.CharField(max_length=5)

    with pytest.raises(
        FieldError, match="Local field 'name' in class 'Child' clashes with field of the same name"
    ):

        class Child(Parent):
            name = models.TextField()

    with pytest.raises(FieldError, match="Auto-generated field 'parent_ptr' in class 'Second'"):

        class Second(Parent):
            parent_ptr = models.IntegerField()


def test_a_declared_parent_link_is_used():
    class Parent(models.Model):
        pass

    class Child(Parent):
        above = models.OneToOneField(Parent, models.CASCADE, parent_link=True, related_name="below")

    assert Child._meta.pk.name == "above"
    assert Child._meta.parents[Parent].name == "above"


def test_a_proxy_shares_its_models_table():
    opts = Writer._meta
    assert opts.proxy
    assert opts.proxy_for_model is opts.concrete_model is Author
    assert opts.db_table == Author._meta.db_table
    assert opts.pk is Author._meta.pk
    assert names(opts.concrete_fields) == names(Author._meta.concrete_fields)
    assert opts.local_fields == []
    assert Writer.__table__ is Author.__table__


def test_a_proxy_needs_exactly_one_model():
    class WithField(models.Model):
        name = models.CharField(max_length=5)

        class Meta:
            abstract = True

    with pytest.raises(TypeError, match="has no non-abstract model base class"):

        class Nothing(models.Model):
            class Meta:
                proxy = True

    with pytest.raises(TypeError, match="more than one non-abstract model base class"):

        class Two(Author, Publisher):
            class Meta:
                proxy = True

    with pytest.raises(TypeError, match="Abstract base class containing model fields not permitted"):

        class Fields(WithField, Author):
            class Meta:
                proxy = True


def test_the_meta_of_a_concrete_parent_is_not_inherited_but_its_order_is():
    class Parent(models.Model):
        class Meta:
            ordering = ["-id"]
            get_latest_by = "id"
            verbose_name = "ancestor"

    class Child(Parent):
        pass

    assert Child._meta.ordering == ["-id"]
    assert Child._meta.get_latest_by == "id"
    assert Child._meta.verbose_name == "child"


def test_exceptions_belong_to_the_model():
    assert issubclass(Author.DoesNotExist, models.ObjectDoesNotExist)
    assert not issubclass(Author.DoesNotExist, Publisher.DoesNotExist)
    assert Author.DoesNotExist.__qualname__ == "Author.DoesNotExist"
    assert Author.NotUpdated.__module__ == "tests.models"
    assert issubclass(Author.MultipleObjectsReturned, Exception)


def test_only_the_twin_of_save_is_refused():
    with pytest.raises(TypeError, match="overrides asave\\(\\) but not save\\(\\)"):

        class Half(models.Model):
            async def asave(self, **options):
                pass


# -- managers -------------------------------------------------------------------------------------------


def test_a_model_has_objects():
    assert Author._default_manager.name == "objects"
    assert Author._meta.managers_map.keys() == {"objects"}
    assert Author._base_manager.name == "_base_manager"
    assert Author._base_manager.model is Author


def test_managers_are_inherited_and_the_first_is_the_default():
    class Some(models.Manager):
        pass

    class Base(models.Model):
        some = Some()
        other = models.Manager()

        class Meta:
            abstract = True

    class Child(Base):
        pass

    class Own(Base):
        own = models.Manager()

    assert Child._default_manager.name == "some"
    assert Child.some.model is Child
    assert [manager.name for manager in Child._meta.managers] == ["some", "other"]
    assert not hasattr(Child, "objects")
    assert Own._default_manager.name == "own"


def test_meta_names_the_default_and_the_base_manager():
    class Thing(models.Model):
        first = models.Manager()
        second = models.Manager()

        class Meta:
            default_manager_name = "second"
            base_manager_name = "first"

    class Child(Thing):
        pass

    assert Thing._default_manager.name == "second"
    assert Thing._base_manager.name == "first"
    assert (Child._default_manager.name, Child._base_manager.name) == ("second", "first")


def test_a_manager_that_meta_names_has_to_exist():
    class Thing(models.Model):
        class Meta:
            default_manager_name = "missing"
            base_manager_name = "missing"

    with pytest.raises(ValueError, match="Thing has no manager named 'missing'"):
        Thing._default_manager  # noqa: B018
    with pytest.raises(ValueError, match="Thing has no manager named 'missing'"):
        Thing._base_manager  # noqa: B018


def test_a_field_called_objects_needs_a_manager_of_another_name():
    with pytest.raises(ValueError, match="must specify a custom Manager"):

        class Thing(models.Model):
            objects = models.IntegerField()


# -- the interface of _meta -------------------------------------------------------------------------------


def test_fields_come_in_order_of_declaration_and_are_found_by_name_and_attname():
    opts = Book._meta
    assert names(opts.fields) == ["id", "title", "author", "publisher", "pages", "price", "published"]
    assert opts.get_field("author") is opts.get_field("author_id")
    with pytest.raises(FieldDoesNotExist, match="Book has no field named 'nmae'"):
        opts.get_field("nmae")


def test_relations_that_point_here_are_listed_and_found_by_their_name_in_lookups():
    opts = Author._meta
    assert {rel.name for rel in opts.related_objects} == {"books", "profile", "edited_profile", "restaurant"}
    relation = opts.get_field("books")
    assert (relation.related_model, relation.field.name, relation.one_to_many) == (Book, "author", True)
    assert opts.get_field("profile").one_to_one
    hidden = {rel.related_model for rel in opts.get_fields(include_hidden=True)} - {
        rel.related_model for rel in opts.get_fields()
    }
    assert hidden == {Review}


def test_get_fields_can_leave_out_the_parents():
    local = names(Restaurant._meta.get_fields(include_parents=False))
    assert local == ["place_ptr", "serves_pizza", "owner"]
    assert "name" in names(Restaurant._meta.get_fields())


def test_lists_of_fields_refuse_changes():
    with pytest.raises(AttributeError, match="should never be mutated"):
        Author._meta.get_fields().append(1)
    fields = Author._meta.fields
    with pytest.raises(AttributeError, match="'fields' should never be mutated"):
        fields += (1,)


def test_a_field_added_later_is_known_everywhere():
    class Thing(models.Model):
        pass

    assert names(Thing._meta.concrete_fields) == ["id"]
    models.IntegerField().contribute_to_class(Thing, "size")
    assert names(Thing._meta.concrete_fields) == ["id", "size"]
    assert Thing(size=3).size == 3


def test_properties_are_known():
    assert "pk" in Author._meta._property_names


def test_order_with_respect_to_adds_an_order():
    class Question(models.Model):
        pass

    class Answer(models.Model):
        question = models.ForeignKey(Question, models.CASCADE)

        class Meta:
            order_with_respect_to = "question"

    assert names(Answer._meta.fields) == ["id", "question", "_order"]
    assert Answer._meta.ordering == ("_order",)
    assert callable(Question.get_answer_order)
    assert callable(Question.set_answer_order)
    with pytest.raises(FieldDoesNotExist):

        class Wrong(models.Model):
            class Meta:
                order_with_respect_to = "nothing"


def test_class_prepared_is_sent_for_each_model():
    seen = []

    def note(sender, **kwargs):
        seen.append(sender)

    class_prepared.connect(note)
    try:

        class Thing(models.Model):
            pass

        class Base(models.Model):
            class Meta:
                abstract = True
    finally:
        class_prepared.disconnect(note)
    assert seen == [Thing]


def test_a_model_can_be_swapped_for_another():
    class Original(models.Model):
        class Meta:
            swappable = "THE_MODEL"

    class Replacement(models.Model):
        pass

    assert Original._meta.swapped is None
    with override(THE_MODEL="tests.Replacement"):
        Original._meta._expire_cache()
        assert Original._meta.swapped == "tests.Replacement"
        assert Original not in Original._meta.apps.get_models()
        assert Original in Original._meta.apps.get_models(include_swapped=True)
    Original._meta._expire_cache()
    assert Original._meta.swapped is None


# -- the registry -------------------------------------------------------------------------------------------


def test_models_are_found_by_label_whatever_the_case():
    assert apps.get_model("tests.Author") is apps.get_model("tests", "AUTHOR") is Author
    with pytest.raises(LookupError, match="No installed app with label 'nowhere'"):
        apps.get_model("nowhere.Thing")
    with pytest.raises(LookupError, match="App 'tests' doesn't have a 'Nobody' model"):
        apps.get_model("tests.Nobody")


def test_models_defined_in_isolation_are_known_only_there(isolated):
    class Author(models.Model):
        pass

    assert isolated.get_model("tests.author") is Author
    assert apps.get_model("tests.author") is not Author
    assert Author._meta.apps is isolated


def test_two_models_of_one_name_conflict():
    type("Thing", (models.Model,), {"__module__": "tests.one"})
    with pytest.raises(RuntimeError, match="Conflicting 'thing' models in application 'tests'"):
        type("Thing", (models.Model,), {"__module__": "tests.two"})


def test_defining_a_model_again_warns():
    type("Thing", (models.Model,), {"__module__": "tests.one"})
    with pytest.warns(RuntimeWarning, match="was already registered"):
        type("Thing", (models.Model,), {"__module__": "tests.one"})


def test_functions_wait_for_models(isolated):
    got = []
    isolated.lazy_model_operation(lambda *found: got.append(found), ("tests", "one"), ("tests", "two"))

    class One(models.Model):
        pass

    assert isolated.pending_models() == ["tests.two"]

    class Two(models.Model):
        pass

    assert got == [(One, Two)]
    isolated.lazy_model_operation(lambda *found: got.append(found), ("tests", "one"))
    assert got[1:] == [(One,)]


def test_watchers_hear_of_new_fields():
    class Thing(models.Model):
        pass

    heard = []
    registries.on_change(lambda: heard.append(1))
    models.IntegerField().contribute_to_class(Thing, "size")
    registries.on_change.listeners.pop()
    assert heard


def test_watchers_hear_of_new_models():
    heard = []
    registries.on_change(lambda: heard.append(1))

    class Thing(models.Model):
        pass

    assert heard
    registries.on_change.listeners.pop()


def test_the_applications_models_are_imported_on_request(monkeypatch):
    made = types.ModuleType("shopping")
    made.__path__ = []
    below = types.ModuleType("shopping.models")
    monkeypatch.setitem(sys.modules, "shopping", made)
    monkeypatch.setitem(sys.modules, "shopping.models", below)
    registry = Apps(["shopping", "nothing_there"])
    registry.import_models()
    assert registry.get_app_config("shopping").models_module is below


def test_self_references_resolve():
    field = Category._meta.get_field("parent")
    assert field.related_model is Category
    assert Category._meta.get_field("children").related_model is Category
    assert Profile._meta.get_field("author").remote_field.one_to_one
