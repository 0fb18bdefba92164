"""Children of multi-table inheritance that are loaded with their parents' rows, in part."""

from __future__ import annotations

import pytest

from facade.models import CASCADE, CharField, ForeignKey, IntegerField, Model


class Keeper(Model):
    name = CharField(max_length=10)

    class Meta:
        app_label = "tests"


class Animal(Model):
    name = CharField(max_length=10)
    keeper = ForeignKey(Keeper, CASCADE)

    class Meta:
        app_label = "tests"


class Bird(Animal):
    wings = IntegerField(default=2)

    class Meta:
        app_label = "tests"


@pytest.fixture
def zoo(database):
    database.create(Keeper, Animal, Bird)
    Bird.objects.create(name="Tit", keeper=Keeper.objects.create(name="Ada"))


@pytest.mark.parametrize("part", ["only", "defer"])
def test_a_relation_that_a_child_inherits_is_followed_where_fields_are_left_out(
    face, zoo, part, assert_queries
):
    rows = Animal.objects.select_related("bird__keeper")
    rows = rows.only("bird__keeper__name") if part == "only" else rows.defer("keeper_id")
    with assert_queries(1):
        (animal,) = face.list(rows)
        assert animal.bird.keeper.name == "Ada"
