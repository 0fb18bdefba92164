"""Joins: which are inner, which are outer, and which are left out."""

from __future__ import annotations

import re

import pytest

from facade import models
from facade.models import Count, F, Prefetch, Q


class House(models.Model):
    name = models.CharField(max_length=20)


class Scribe(models.Model):
    name = models.CharField(max_length=20)
    house = models.ForeignKey(House, models.CASCADE, null=True, related_name="writers")


class Label(models.Model):
    name = models.CharField(max_length=20)


class Volume(models.Model):
    title = models.CharField(max_length=20)
    writer = models.ForeignKey(Scribe, models.CASCADE, related_name="volumes")
    editor = models.ForeignKey(Scribe, models.CASCADE, null=True, related_name="edited")
    labels = models.ManyToManyField(Label, related_name="volumes")


@pytest.fixture
def shelf(database):
    database.create(House, Scribe, Label, Volume, Volume.labels.through)
    house = House.objects.create(name="Faber")
    ann, bob = Scribe.objects.create(name="Ann", house=house), Scribe.objects.create(name="Bob")
    red, blue = Label.objects.create(name="red"), Label.objects.create(name="blue")
    Label.objects.create(name="unused")
    first = Volume.objects.create(title="first", writer=ann, editor=bob)
    second = Volume.objects.create(title="second", writer=bob, editor=ann)
    Volume.objects.create(title="third", writer=bob)
    first.labels.set([red, blue])
    second.labels.set([red])
    return database


def joined(sql):
    """Return the kinds of the joins in a statement."""
    return [kind or "INNER" for kind in re.findall(r"(LEFT|INNER)?(?: OUTER)? ?JOIN", str(sql))]


def titles(face, queryset):
    return sorted(face.list(queryset.values_list("title", flat=True)))


EDITOR = Q(editor__name="Ann")


@pytest.mark.parametrize(
    ("condition", "kinds", "expected"),
    [
        (EDITOR, ["INNER"], ["second"]),
        (EDITOR & Q(title="second"), ["INNER"], ["second"]),
        (EDITOR | Q(title="third"), ["LEFT"], ["second", "third"]),
        (EDITOR | Q(editor__name="Bob"), ["INNER"], ["first", "second"]),
        (~EDITOR, ["LEFT"], ["first", "third"]),
        (~~EDITOR, ["INNER"], ["second"]),
        (Q(editor__house__isnull=True), ["LEFT"], ["first", "third"]),
        (Q(editor__house__isnull=False), ["INNER"], ["second"]),
        (EDITOR ^ Q(title="third"), ["LEFT"], ["second", "third"]),
        (~(EDITOR & Q(title="second")), ["LEFT"], ["first", "third"]),
        (Q(editor=F("writer")), [], []),
        (Q(editor__pk__gt=0), [], ["first", "second"]),
    ],
)
def test_a_join_is_inner_where_a_missing_row_fails_the_condition(
    face, database, shelf, condition, kinds, expected
):
    found = Volume.objects.filter(condition)
    assert joined(found.query) == kinds
    if database.vendor == "mysql" and condition.connector == Q.XOR:
        expected = ["second"]  # MariaDB's XOR is unknown where a side is
    assert titles(face, found) == expected


def test_an_empty_condition_beside_it_makes_room_for_missing_rows(face, database, shelf):
    found = Volume.objects.exclude(~EDITOR ^ Q(title="first"), Q())
    assert joined(found.query) == ["LEFT"]
    unknown = ["third"] if database.vendor != "mysql" else []
    assert titles(face, found) == ["first", "second", *unknown]


def test_a_column_under_another_name_needs_its_row_as_well(face, shelf):
    named = Volume.objects.annotate(by=F("editor__name"))
    assert joined(named.query) == ["LEFT"]
    assert joined(named.filter(by="Ann").query) == ["INNER"]
    assert titles(face, named.filter(by="Ann")) == ["second"]
    for condition in (Q(by="Ann") | Q(title="third"), ~Q(by="Bob") | Q(by=None), Q(by__isnull=True)):
        assert joined(named.filter(condition).query) == ["LEFT"]
    assert titles(face, named.filter(Q(by="Ann") | Q(title="third"))) == ["second", "third"]


def test_what_is_inner_stays_inner(face, shelf):
    found = Volume.objects.filter(EDITOR).order_by("editor__name").select_related("editor")
    assert joined(found.query) == ["INNER"]
    assert joined(found.filter(EDITOR | Q(title="x")).query) == ["INNER"]
    assert titles(face, found) == ["second"]


def test_an_aggregate_keeps_the_rows_it_counts_none_of(face, shelf):
    counted = Volume.objects.annotate(n=Count("labels")).order_by("title")
    assert joined(counted.query) == ["LEFT"]
    assert face.list(counted.values_list("n", flat=True)) == [2, 1, 0]
    assert joined(counted.filter(n=0).query) == ["LEFT"]


def test_the_subquery_of_a_negation_starts_at_the_first_table_it_needs(face, shelf):
    found = Volume.objects.exclude(labels__name="blue")
    assert joined(found.query) == ["INNER"]
    assert str(found.query).count("FROM") == 2
    assert titles(face, found) == ["second", "third"]
    assert joined(Volume.objects.exclude(labels=1).query) == []
    colleagues = Scribe.objects.exclude(house__writers__name="Ann")
    assert joined(colleagues.query) == []
    assert face.list(colleagues.values_list("name", flat=True)) == ["Bob"]


# -- many-to-many relations that are prefetched -------------------------------------------------------


PREFETCHES = {
    "plain": "labels",
    "a queryset": Prefetch("labels", Label.objects.order_by("name")),
    "a slice": Prefetch("labels", Label.objects.order_by("name")[:5]),
    "an attribute": Prefetch("labels", Label.objects.all(), to_attr="found"),
}


@pytest.mark.parametrize("lookup", PREFETCHES.values(), ids=PREFETCHES)
def test_prefetching_many_to_many_joins_the_pairs_inner(face, shelf, assert_queries, lookup):
    with assert_queries(2) as captured:
        face.list(Volume.objects.prefetch_related(lookup))
    assert joined(captured.captured_queries[1]["sql"]) == ["INNER"]


def test_prefetching_the_other_way_joins_the_pairs_inner(face, shelf, assert_queries):
    with assert_queries(2) as captured:
        labels = face.list(Label.objects.order_by("pk").prefetch_related("volumes"))
    assert joined(captured.captured_queries[1]["sql"]) == ["INNER"]
    assert [len(label.volumes.all()) for label in labels] == [2, 1, 0]


def test_prefetched_querysets_speak_of_their_own_object_when_they_are_narrowed(face, shelf, assert_queries):
    first, second, third = face.list(Volume.objects.order_by("title").prefetch_related("labels"))
    with assert_queries(0):
        assert [len(volume.labels.all()) for volume in (first, second, third)] == [2, 1, 0]
    assert sorted(label.name for label in face.list(first.labels.all().filter(name__gt="a"))) == [
        "blue",
        "red",
    ]
    assert [label.name for label in face.list(second.labels.all().filter(name__gt="a"))] == ["red"]
    assert face.list(third.labels.all().all()) == []


def test_the_order_of_keywords_says_nothing(face, shelf, assert_queries):
    ways = (
        {"volumes__writer": F("volumes__editor"), "volumes__title": "first"},
        {"volumes__title": "first", "volumes__writer": F("volumes__editor")},
    )
    with assert_queries(2) as queries:
        for way in ways:
            assert face(Label.objects.exclude(**way).filter(name="unused").count) == 1
    first, second = (query["sql"] for query in queries)
    assert first == second


@pytest.mark.without("mariadb", reason="its XOR of NULL is NULL, as in Django")
def test_a_condition_in_an_expression_keeps_the_rows_that_an_xor_let_through(face, shelf):
    either = Label.objects.filter(Q(volumes__title="first", volumes__writer__name="Ann") ^ Q(name="unused"))
    number = models.Case(models.When(volumes__editor__name="Bob", then=1), default=0)
    rows = either.annotate(number=number).order_by("name").values_list("name", "number")
    assert face.list(rows) == [("blue", 1), ("red", 1), ("unused", 0)]
    counted = either.annotate(number=Count("pk", filter=Q(volumes__editor__name="Bob"))).order_by("name")
    assert face.list(counted.values_list("name", "number")) == [("blue", 1), ("red", 1), ("unused", 0)]
