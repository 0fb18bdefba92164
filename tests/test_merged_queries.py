"""`&` and `|` of querysets whose conditions hold subqueries, and statements that can have no rows."""

from __future__ import annotations

import pytest

from facade.exceptions import FieldError
from facade.models import (
    CASCADE,
    CharField,
    Count,
    Exists,
    F,
    ForeignKey,
    GenericIPAddressField,
    IntegerField,
    Model,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Sum,
    UUIDField,
    Value,
)


class Worker(Model):
    name = CharField(max_length=10)
    age = IntegerField(null=True)
    chief = ForeignKey("self", CASCADE, null=True, related_name="staff")

    class Meta:
        app_label = "tests"


class Machine(Model):
    name = CharField(max_length=10)
    owner = ForeignKey(Worker, CASCADE, null=True, related_name="machines")
    address = GenericIPAddressField(null=True)
    code = UUIDField(null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def workers(database):
    database.create(Worker, Machine)
    ada = Worker.objects.create(name="Ada", age=60)
    bob = Worker.objects.create(name="Bob", age=40, chief=ada)
    Worker.objects.create(name="Cyd", chief=bob)
    Machine.objects.create(name="lathe", owner=ada)
    Machine.objects.create(name="drill", owner=bob)


def names(face, rows):
    return face.list(rows.order_by("name").values_list("name", flat=True))


@pytest.mark.parametrize("join", ["and", "or"])
def test_references_of_a_subquery_follow_their_joins_into_the_merged_query(face, workers, join):
    # Each side joins the table of workers once more: what the right one calls T2 is another table in the whole.
    left = Worker.objects.filter(staff__name__isnull=False)
    right = Worker.objects.filter(Exists(Machine.objects.filter(owner=OuterRef("chief__chief"))))
    merged = left & right if join == "and" else left | right
    assert names(face, right) == ["Cyd"]
    assert names(face, merged) == ([] if join == "and" else ["Ada", "Bob", "Cyd"])


def test_references_two_levels_up_follow_their_joins_into_the_merged_query(face, workers):
    inner = Machine.objects.filter(owner=OuterRef(OuterRef("chief__chief")))
    right = Worker.objects.filter(Exists(Worker.objects.filter(pk__in=inner.values("owner"))))
    assert names(face, right) == ["Cyd"]
    assert names(face, Worker.objects.filter(staff__isnull=False) | right) == ["Ada", "Bob", "Cyd"]


def test_update_refuses_a_subquery_that_refers_to_another_table(face, workers, assert_queries):
    one = Subquery(Worker.objects.filter(pk=OuterRef("chief__chief")).values("age")[:1])
    with assert_queries(0), pytest.raises(FieldError, match="Joined field references"):
        face(Worker.objects.annotate(e=one).update, age=F("e"))


def test_a_constant_that_is_asked_for_null_needs_no_statement(face, workers, assert_queries):
    rows = Worker.objects.annotate(e=Value(5))
    with assert_queries(0):
        assert face.list(rows.filter(e__isnull=True)) == []
    assert names(face, rows.filter(e__isnull=False)) == ["Ada", "Bob", "Cyd"]


def test_no_rows_of_a_slice_are_aggregated_without_a_statement(face, workers, assert_queries):
    with assert_queries(0):
        found = face(Worker.objects.order_by("pk")[:0].aggregate, n=Count("*"), k=Sum("age", default=7))
    assert found == {"n": 0, "k": 7}


def test_no_rows_of_a_slice_are_prefetched_without_a_statement(face, workers, assert_queries):
    part = Prefetch("staff", Worker.objects.order_by("pk")[:0], to_attr="nobody")
    with assert_queries(1):
        rows = face.list(Worker.objects.order_by("pk").prefetch_related(part))
    assert [row.nobody for row in rows] == [[], [], []]


@pytest.mark.without("mariadb", reason="its XOR of NULL is NULL, as in Django")
def test_rows_without_what_an_xor_joins_stay_in_a_merged_query(face, workers):
    either = Worker.objects.filter(Q(age__gt=50) ^ Q(machines__name="drill", age__lt=50) ^ Q(name="Cyd"))
    assert names(face, Worker.objects.all() & either) == ["Ada", "Bob", "Cyd"]
    assert names(face, Worker.objects.exclude(name="Bob") & either) == ["Ada", "Cyd"]


def test_xor_takes_what_is_unknown_for_false_beside_what_nothing_meets(face, workers):
    assert names(face, Worker.objects.exclude(Q(age__gt=50) ^ Q(staff__in=[]))) == ["Bob", "Cyd"]


def test_a_text_constant_is_stored_as_what_the_column_holds(face, workers):
    code = "00000000000000000000000000000009"
    made = face(Machine.objects.create, name="saw", address=Value("10.0.0.9"), code=Value(code))
    face(Machine.objects.filter(name="drill").update, address=Value("::1"))
    lathe = face(Machine.objects.get, name="lathe")
    lathe.address = Value("10.0.0.7")
    face(Machine.objects.bulk_update, [lathe], ["address"])
    face(made.refresh_from_db)
    assert made.code.hex == code
    found = face.list(Machine.objects.order_by("name").values_list("address", flat=True))
    assert found == ["::1", "10.0.0.7", "10.0.0.9"]


def test_a_number_is_no_ip_address(face, workers):
    with pytest.raises(TypeError, match="'address' expected an IP address but got 5"):
        face.list(Machine.objects.filter(address=5))
