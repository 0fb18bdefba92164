"""Many-to-many relations: pairs in a table between, and managers at both ends."""

from __future__ import annotations

import pytest

from facade import models
from facade.exceptions import IntegrityError
from facade.signals import m2m_changed
from tests.models import Author

returning_databases = pytest.mark.without(
    "mariadb",
    reason="no UPDATE … RETURNING, no conflict targets; its BEGIN and COMMIT are no statements that are counted",
)


class Topping(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Pizza(models.Model):
    name = models.CharField(max_length=20)
    toppings = models.ManyToManyField(Topping, related_name="pizzas")

    def __str__(self):
        return self.name


class Person(models.Model):
    name = models.CharField(max_length=20)
    friends = models.ManyToManyField("self")
    idols = models.ManyToManyField("self", symmetrical=False, related_name="fans")

    def __str__(self):
        return self.name


class Club(models.Model):
    name = models.CharField(max_length=20)
    members = models.ManyToManyField(Person, through="Membership", related_name="clubs")


class Membership(models.Model):
    club = models.ForeignKey(Club, models.CASCADE)
    person = models.ForeignKey(Person, models.CASCADE)
    since = models.IntegerField(default=2000)

    class Meta:
        unique_together = [("club", "person")]


@pytest.fixture
def kitchen(database):
    database.create(Topping, Pizza, Pizza.toppings.through)
    return database


@pytest.fixture
def people(database):
    through = [Person.friends.through, Person.idols.through]
    database.create(Person, Club, Membership, *through)
    return database


@pytest.fixture
def toppings(kitchen):
    return [Topping.objects.create(name=name) for name in ("ham", "cheese", "basil")]


@pytest.fixture
def pizza(kitchen):
    return Pizza.objects.create(name="one")


def names(rows):
    return sorted(row.name for row in rows)


# -- the table between -------------------------------------------------------------------------------


def test_table_between():
    through = Pizza.toppings.through
    assert through._meta.db_table == "tests_pizza_toppings"
    assert through._meta.auto_created is Pizza
    assert [field.name for field in through._meta.fields] == ["id", "pizza", "topping"]
    assert [field.name for field in Person.friends.through._meta.fields] == ["id", "from_person", "to_person"]
    assert Pizza._meta.get_field("toppings").m2m_column_name() == "pizza_id"
    assert Pizza._meta.get_field("toppings").m2m_reverse_name() == "topping_id"


# -- both ends ---------------------------------------------------------------------------------------


@returning_databases
def test_add_shows_at_both_ends(face, pizza, toppings, assert_queries):
    with assert_queries(3):  # BEGIN and COMMIT are statements, too
        face(pizza.toppings.add, toppings[0], toppings[1].pk)
    assert names(face.list(pizza.toppings.all())) == ["cheese", "ham"]
    assert names(face.list(toppings[0].pizzas.all())) == ["one"]
    assert face(pizza.toppings.count) == 2
    assert face(toppings[2].pizzas.exists) is False


def test_add_again_changes_nothing(face, pizza, toppings, kitchen):
    for _ in range(2):
        face(pizza.toppings.add, toppings[0])
    assert kitchen.count("tests_pizza_toppings") == 1


def test_add_at_the_other_end(face, pizza, toppings):
    face(toppings[0].pizzas.add, pizza)
    assert names(face.list(pizza.toppings.all())) == ["ham"]


def test_add_refuses_other_models(face, pizza, people):
    with pytest.raises(TypeError, match=r"'Topping' instance expected, got <Author: x>"):
        face(pizza.toppings.add, Author(pk=1, name="x"))


def test_add_refuses_unsaved_objects(face, pizza):
    with pytest.raises(ValueError, match='Cannot add "<Topping: x>"'):
        face(pizza.toppings.add, Topping(name="x"))


def test_unsaved_object_has_no_relations(face, kitchen):
    message = (
        '"<Pizza: x>" needs to have a value for field "id" before this many-to-many relationship can be used.'
    )
    with pytest.raises(ValueError, match=message):
        face(Pizza(name="x").toppings.count)


def test_remove_and_clear(face, pizza, toppings):
    face(pizza.toppings.add, *toppings)
    face(pizza.toppings.remove, toppings[0], toppings[1].pk)
    assert names(face.list(pizza.toppings.all())) == ["basil"]
    face(pizza.toppings.clear)
    assert face(pizza.toppings.count) == 0


def test_set_writes_what_differs(face, pizza, toppings, kitchen):
    face(pizza.toppings.set, toppings[:2])
    before = dict(kitchen.observe("SELECT topping_id, id FROM tests_pizza_toppings"))
    face(pizza.toppings.set, [toppings[1], toppings[2].pk])
    after = dict(kitchen.observe("SELECT topping_id, id FROM tests_pizza_toppings"))
    assert set(after) == {toppings[1].pk, toppings[2].pk}
    assert after[toppings[1].pk] == before[toppings[1].pk]
    face(pizza.toppings.set, [toppings[0]], clear=True)
    assert names(face.list(pizza.toppings.all())) == ["ham"]


def test_create_and_get_or_create(face, pizza):
    olive = face(pizza.toppings.create, name="olive")
    assert face.list(pizza.toppings.all()) == [olive]
    assert face(pizza.toppings.get_or_create, name="olive") == (olive, False)
    onion, created = face(pizza.toppings.update_or_create, name="onion")
    assert created
    assert names(face.list(pizza.toppings.all())) == ["olive", onion.name]


def test_assignment_says_what_to_do(pizza):
    with pytest.raises(
        TypeError, match=r"forward side of a many-to-many set is prohibited. Use toppings.set\(\)"
    ):
        pizza.toppings = []


# -- queries -----------------------------------------------------------------------------------------


def test_filter_follows_the_relation_both_ways(face, pizza, toppings):
    face(pizza.toppings.add, *toppings)
    assert face.list(Pizza.objects.filter(toppings__name="ham")) == [pizza]
    assert face.list(Topping.objects.filter(pizzas=pizza, name="ham")) == [toppings[0]]
    assert face.list(Pizza.objects.exclude(toppings__name="ham")) == []
    assert face(Pizza.objects.filter(toppings__in=toppings).distinct().count) == 1


def test_prefetch_is_two_queries(face, pizza, toppings, assert_queries):
    other = face(Pizza.objects.create, name="two")
    face(pizza.toppings.set, toppings[:2])
    face(other.toppings.set, toppings[1:])
    with assert_queries(2):
        rows = face.list(Pizza.objects.order_by("name").prefetch_related("toppings"))
        assert [names(row.toppings.all()) for row in rows] == [["cheese", "ham"], ["basil", "cheese"]]
    with assert_queries(2):
        rows = face.list(Topping.objects.order_by("name").prefetch_related("pizzas"))
        assert [names(row.pizzas.all()) for row in rows] == [["two"], ["one", "two"], ["one"]]


def test_prefetch_with_a_queryset_of_ones_own(face, pizza, toppings):
    face(pizza.toppings.set, toppings)
    lookup = models.Prefetch("toppings", Topping.objects.filter(name__startswith="h"), to_attr="meats")
    assert names(face(Pizza.objects.prefetch_related(lookup).get).meats) == ["ham"]


# -- to oneself --------------------------------------------------------------------------------------


def test_symmetrical_relation_is_mutual(face, people):
    ann, bob = (face(Person.objects.create, name=name) for name in ("ann", "bob"))
    face(ann.friends.add, bob)
    assert face.list(bob.friends.all()) == [ann]
    face(bob.friends.remove, ann)
    assert face(ann.friends.count) == 0
    assert people.count("tests_person_friends") == 0


def test_one_sided_relation(face, people):
    ann, bob = (face(Person.objects.create, name=name) for name in ("ann", "bob"))
    face(ann.idols.add, bob)
    assert (face(bob.idols.count), face.list(bob.fans.all())) == (0, [ann])


# -- a model of ones own between ---------------------------------------------------------------------


def test_through_defaults(face, people):
    club, ann = face(Club.objects.create, name="c"), face(Person.objects.create, name="ann")
    face(club.members.add, ann, through_defaults={"since": lambda: 1999})
    assert people.observe("SELECT since FROM tests_membership") == [(1999,)]
    face(club.members.add, ann)
    assert people.count("tests_membership") == 1
    assert face.list(ann.clubs.all()) == [club]


def test_conflicts_of_ones_own_model_are_seen(face, people):
    club, ann = face(Club.objects.create, name="c"), face(Person.objects.create, name="ann")
    face(Membership.objects.create, club=club, person=ann)
    with pytest.raises(IntegrityError):
        face(Membership.objects.create, club=club, person=ann)


# -- deletion and signals ----------------------------------------------------------------------------


def test_pairs_go_with_either_end(face, pizza, toppings, kitchen):
    face(pizza.toppings.set, toppings)
    assert face(toppings[0].delete) == (2, {"tests.Pizza_toppings": 1, "tests.Topping": 1})
    assert face(pizza.delete) == (3, {"tests.Pizza_toppings": 2, "tests.Pizza": 1})


def test_signals_tell_what_changes(face, pizza, toppings):
    calls = []

    def note(action, instance, reverse, model, pk_set, **_):
        calls.append((action, instance, reverse, model, pk_set and sorted(pk_set)))

    m2m_changed.connect(note, sender=Pizza.toppings.through)
    try:
        face(pizza.toppings.add, toppings[0])
        face(toppings[0].pizzas.remove, pizza)
        face(pizza.toppings.clear)
    finally:
        m2m_changed.disconnect(note, sender=Pizza.toppings.through)
    ham = toppings[0]
    assert calls == [
        ("pre_add", pizza, False, Topping, [ham.pk]),
        ("post_add", pizza, False, Topping, [ham.pk]),
        ("pre_remove", ham, True, Pizza, [pizza.pk]),
        ("post_remove", ham, True, Pizza, [pizza.pk]),
        ("pre_clear", pizza, False, Topping, None),
        ("post_clear", pizza, False, Topping, None),
    ]
