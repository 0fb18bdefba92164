"""Models whose primary key consists of several columns."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import pickle
import uuid

import pytest
import sqlalchemy as sa

from facade import connection, transaction
from facade.exceptions import (
    FieldDoesNotExist,
    FieldError,
    ImproperlyConfigured,
    IntegrityError,
    UnsupportedFeature,
    ValidationError,
)
from facade.models import (
    CASCADE,
    BooleanField,
    Case,
    CharField,
    CompositePrimaryKey,
    Count,
    DateField,
    DateTimeField,
    DecimalField,
    DurationField,
    Exists,
    F,
    FloatField,
    ForeignKey,
    ForeignObject,
    IntegerField,
    ManyToManyField,
    Max,
    Model,
    OuterRef,
    Prefetch,
    Q,
    SmallIntegerField,
    Subquery,
    UniqueConstraint,
    UUIDField,
    Value,
    When,
    Window,
)
from facade.models.functions import Coalesce, RowNumber
from facade.models.lookups import TupleExact, TupleGreaterThan
from facade.testing import CaptureQueriesContext, isolate_apps
from facade.timezone import UTC


class Tenant(Model):
    name = CharField(max_length=20, default="")


class Owned(Model):
    pk = CompositePrimaryKey("tenant_id", "id")
    tenant = ForeignKey(Tenant, on_delete=CASCADE)
    id = SmallIntegerField()

    class Meta:
        abstract = True


class Member(Owned):
    email = CharField(max_length=40, default="")


class Memo(Model):
    pk = CompositePrimaryKey("tenant", "id")
    tenant = ForeignKey(Tenant, on_delete=CASCADE, related_name="notes")
    id = IntegerField(db_column="note_id")
    member_id = SmallIntegerField(null=True)
    member = ForeignObject(
        Member,
        on_delete=CASCADE,
        from_fields=("tenant_id", "member_id"),
        to_fields=("tenant_id", "id"),
        related_name="notes",
        null=True,
    )
    text = CharField(max_length=40, default="")


class Voucher(Model):
    pk = CompositePrimaryKey("code", "price", "sold")
    code = UUIDField(default=uuid.uuid4)
    price = DecimalField(max_digits=6, decimal_places=2)
    sold = DateTimeField()
    label = CharField(max_length=20, default="")


class Mixture(Model):
    pk = CompositePrimaryKey("flag", "day", "name", "number", "length")
    flag = BooleanField()
    day = DateField()
    name = CharField(max_length=10)
    number = FloatField()
    length = DurationField()


class NamedMember(Member):
    class Meta:
        proxy = True


@pytest.fixture
def house(database):
    database.create(Tenant, Member, Memo, Voucher)
    one, two = Tenant.objects.create(name="one"), Tenant.objects.create(name="two")
    members = [Member(tenant=tenant, id=number) for tenant, number in ((one, 1), (one, 2), (two, 1))]
    for member in members:
        member.email = f"{member.tenant_id}.{member.id}@example.org"
    Member.objects.bulk_create(members)
    Memo.objects.bulk_create(
        Memo(id=number, tenant_id=member.tenant_id, member_id=member.id, text=f"note {number}")
        for number, member in ((1, members[0]), (2, members[0]), (3, members[1]), (4, members[2]))
    )
    return one, two, members


def keys(face, queryset):
    return face.list(queryset.order_by("pk").values_list("pk", flat=True))


# -- the key of an instance ---------------------------------------------------------------------------


def test_the_key_is_a_tuple_of_its_parts():
    member = Member(tenant_id=7, id=3)
    assert member.pk == (7, 3)
    member.id = 4
    assert member.pk == (7, 4)
    member.pk = [8, 5]
    assert (member.tenant_id, member.id) == (8, 5)
    member.pk = None
    assert member.pk == (None, None)
    assert Member(pk=(1, 2), id=9).pk == (1, 2)
    assert Member(1, 2, email="x").pk == Member(1, 2, "x").pk == (1, 2)


@pytest.mark.parametrize("value", ["ab", 7, True, {1, 2}])
def test_only_a_tuple_is_a_key(value):
    with pytest.raises(ValueError, match="'pk' must be a list or a tuple"):
        Member(tenant_id=1, id=1).pk = value


@pytest.mark.parametrize("value", [(), (1,), (1, 2, 3)])
def test_a_key_has_as_many_parts_as_columns(value):
    with pytest.raises(ValueError, match="'pk' must have 2 elements"):
        Member(pk=value)


def test_an_instance_without_a_part_of_its_key_equals_itself_alone():
    member = Member(tenant_id=1)
    assert not member._is_pk_set()
    assert member == member
    assert member != Member(tenant_id=1)
    with pytest.raises(TypeError, match="without primary key value are unhashable"):
        hash(member)
    assert Member(pk=(1, 2)) == Member(tenant_id=1, id=2)
    assert hash(Member(pk=(1, 2))) == hash((1, 2))


def test_the_model_tells_its_key():
    key = Member._meta.pk
    assert isinstance(key, CompositePrimaryKey)
    assert Member._meta.get_field("pk") is key
    assert Member._meta.is_composite_pk
    assert [field.name for field in Member._meta.pk_fields] == ["tenant", "id"]
    assert not Tenant._meta.is_composite_pk
    assert key.columns == ("tenant_id", "id")
    assert Memo._meta.pk.columns == ("tenant_id", "note_id")
    assert len(key) == 2
    assert [*key] == Member._meta.pk_fields
    assert "pk" not in [field.name for field in Member._meta.concrete_fields]
    assert Member.pk is key


def test_the_table_has_one_primary_key_in_the_order_of_the_names():
    assert [column.name for column in Memo.__table__.primary_key] == ["tenant_id", "note_id"]
    assert isinstance(Memo.__table__.primary_key, sa.PrimaryKeyConstraint)
    assert not Memo.__table__.c.note_id.nullable
    assert Memo.__table__.c.note_id.autoincrement is not True


def test_a_key_can_be_deconstructed_and_copied():
    name, path, args, options = Memo._meta.pk.deconstruct()
    assert (name, path, args) == ("pk", "facade.models.CompositePrimaryKey", ["tenant", "id"])
    assert CompositePrimaryKey(*args, **options).field_names == ("tenant", "id")
    copied = copy.deepcopy(Member._meta.pk)
    assert "fields" not in vars(copied)


def test_instances_and_querysets_can_be_pickled(house):
    member = house[2][1]
    again = pickle.loads(pickle.dumps(member))
    assert again == member
    assert again.pk == member.pk
    question = Member.objects.filter(pk__in=[member.pk], pk=member.pk)
    assert list(pickle.loads(pickle.dumps(question))) == [member]


# -- stored and read ------------------------------------------------------------------------------------


def test_an_instance_is_inserted_updated_and_deleted_by_its_key(face, database, house, assert_queries):
    one, _, _ = house
    member = face(Member.objects.create, pk=(one.pk, 9), email="new")
    assert database.observe("SELECT tenant_id, id, email FROM tests_member WHERE id = 9") == [
        (one.pk, 9, "new")
    ]
    member.email = "changed"
    with assert_queries(1):
        face(member.save)
    assert face(Member.objects.get, pk=(one.pk, 9)).email == "changed"
    with assert_queries(4):  # what refers to it first, in a block
        assert face(member.delete) == (1, {"tests.Member": 1})
    assert member.pk == (None, None)
    assert database.count("tests_member") == 3


def test_saving_an_instance_with_a_key_updates_its_row_or_inserts_it(face, house, assert_queries):
    one, _, members = house
    with assert_queries(1):
        face(Member(pk=members[0].pk, email="other").save)
    with assert_queries(2):
        face(Member(pk=(one.pk, 8), email="more").save)
    with pytest.raises(IntegrityError):
        face(Member(pk=members[0].pk).save, force_insert=True)
    assert face(Member.objects.count) == 4
    with pytest.raises(Member.NotUpdated):
        face(Member(pk=(one.pk, 77)).save, force_update=True)


def test_a_default_completes_the_key(face, house, assert_queries):
    ticket = Voucher(price=decimal.Decimal("1.50"), sold=dt.datetime(2026, 1, 2, tzinfo=UTC))
    face(ticket.save)
    assert face(Voucher.objects.get, pk=ticket.pk) == ticket
    assert isinstance(ticket.pk[0], uuid.UUID)


def test_a_key_without_a_part_cannot_be_saved_or_deleted(face, house):
    with pytest.raises(IntegrityError):
        face(Member(tenant=house[0]).save)
    with pytest.raises(ValueError, match="can't be deleted because its pk attribute is set to None"):
        face(Member(tenant=house[0]).delete)


def test_update_fields_must_not_name_parts_of_the_key(face, house):
    member = house[2][0]
    with pytest.raises(ValueError, match="primary keys, or are non-concrete fields: id"):
        face(member.save, update_fields=["id"])
    with pytest.raises(ValueError, match="primary key fields"):
        face(Member.objects.bulk_update, [member], ["id"])


def test_bulk_create_and_bulk_update(face, house, assert_queries):
    one, two, members = house
    face(Member.objects.bulk_create, [Member(pk=(two.pk, 5)), Member(tenant=one, id=6)])
    assert keys(face, Member.objects.filter(id__gt=2)) == [(one.pk, 6), (two.pk, 5)]
    for member in members:
        member.email = f"bulk {member.pk}"
    with assert_queries(1):
        assert face(Member.objects.bulk_update, members, ["email"]) == 3
    assert face(Member.objects.get, pk=members[2].pk).email == f"bulk {members[2].pk}"
    for member in members:
        member.email = Value("x")
    assert face(Member.objects.filter(id=1).bulk_update, members, ["email"]) == 2
    assert face(Member.objects.filter(email="x").count) == 2


def test_bulk_create_may_conflict_in_the_key(face, house):
    member = house[2][0]
    face(Member.objects.bulk_create, [Member(pk=member.pk, email="other")], ignore_conflicts=True)
    assert face(Member.objects.get, pk=member.pk).email == member.email


def test_a_row_is_loaded_again(face, house, assert_queries):
    member = house[2][0]
    face(Member.objects.filter(pk=member.pk).update, email="fresh")
    with assert_queries(1):
        face(member.refresh_from_db)
    assert member.email == "fresh"
    face(member.refresh_from_db, fields=["email"])


def test_only_and_defer_always_load_the_key(face, house, assert_queries):
    for queryset in (
        Member.objects.only("pk"),
        Member.objects.only("id"),
        Member.objects.defer("id", "email"),
    ):
        found = face(queryset.get, pk=house[2][1].pk)
        with assert_queries(0):
            assert found.pk == house[2][1].pk
        with assert_queries(1):
            assert found.email == house[2][1].email


def test_get_or_create_and_update_or_create(face, house):
    one, _, members = house
    assert face(Member.objects.get_or_create, pk=members[0].pk) == (members[0], False)
    made, created = face(Member.objects.get_or_create, pk=(one.pk, 12), defaults={"email": "e"})
    assert (made.pk, made.email, created) == ((one.pk, 12), "e", True)
    changed, created = face(Member.objects.update_or_create, pk=made.pk, defaults={"email": "f"})
    assert (changed.email, created) == ("f", False)


def test_raw_rows_have_their_key(face, house):
    found = face.list(Member.objects.raw("SELECT * FROM tests_member WHERE id = 2"))
    assert [one.pk for one in found] == [house[2][1].pk]
    with pytest.raises(FieldDoesNotExist, match="must include the primary key"):
        face.list(Member.objects.raw("SELECT tenant_id, email FROM tests_member"))


def test_rows_can_be_locked(face, house):
    with face.block(transaction.atomic()):
        assert face(Member.objects.select_for_update().get, pk=house[2][0].pk) == house[2][0]


def test_a_proxy_has_the_same_key(face, house):
    found = face(NamedMember.objects.get, pk=house[2][2].pk)
    assert (type(found), found.pk) == (NamedMember, house[2][2].pk)
    found.pk = (5, 6)
    assert found.tenant_id == 5


# -- conditions on the key ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ("pk", [1]),
        ("pk__exact", [1]),
        ("pk__gt", [2, 3]),
        ("pk__gte", [1, 2, 3]),
        ("pk__lt", [0]),
        ("pk__lte", [0, 1]),
    ],
)
@pytest.mark.parametrize("supported", [True, False])
def test_keys_are_compared_column_by_column(face, house, monkeypatch, lookup, expected, supported):
    monkeypatch.setattr(type(connection.features), "supports_tuple_lookups", supported)
    one, two, _ = house
    face(Member.objects.create, pk=(two.pk, 2))
    known = [(one.pk, 1), (one.pk, 2), (two.pk, 1), (two.pk, 2)]
    assert keys(face, Member.objects.filter(**{lookup: known[1]})) == [known[index] for index in expected]
    others = [key for index, key in enumerate(known) if index not in expected]
    assert keys(face, Member.objects.exclude(**{lookup: list(known[1])})) == others


def test_an_order_of_three_columns(face, house, monkeypatch):
    code, start = uuid.UUID(int=5), dt.datetime(2026, 1, 1, tzinfo=UTC)
    for price, hours in ((1, 0), (1, 5), (2, 0)):
        face(Voucher.objects.create, code=code, price=price, sold=start + dt.timedelta(hours=hours))
    middle = (code, decimal.Decimal("1.00"), start + dt.timedelta(hours=5))
    for supported in (True, False):
        monkeypatch.setattr(type(connection.features), "supports_tuple_lookups", supported)
        for name, count in (("gt", 1), ("gte", 2), ("lt", 1), ("lte", 2), ("exact", 1)):
            conditions = (
                {f"pk__{name}": middle, "label": ""} if supported else {"label": "", f"pk__{name}": middle}
            )
            assert face(Voucher.objects.filter(**conditions).count) == count
    assert face(Voucher.objects.get, pk__in=[middle]).pk == middle
    assert face(Voucher.objects.get, pk__in=[(str(code), "1", middle[2])]).pk == middle


def test_keys_of_all_kinds_of_values(face, database):
    database.create(Mixture)
    known = (True, dt.date(2026, 1, 2), "it's", 1.5, dt.timedelta(seconds=3))
    other = (True, dt.date(2026, 1, 2), "it's", 1.5, dt.timedelta(seconds=4))
    face(Mixture.objects.bulk_create, [Mixture(pk=known), Mixture(pk=other)])
    assert face(Mixture.objects.get, pk=known).pk == known
    assert keys(face, Mixture.objects.filter(pk__in=[known, (False, *known[1:])])) == [known]
    assert keys(face, Mixture.objects.filter(pk__gt=known)) == [other]
    assert keys(face, Mixture.objects.filter(pk__in=Mixture.objects.filter(pk__lte=known))) == [known]
    assert face(Mixture.objects.filter(pk=other).delete)[0] == 1


def test_membership_is_one_statement_for_lists_of_any_length(face, house, assert_queries):
    known = [member.pk for member in house[2]]
    for wanted in ([], known[:1], known[1:], [*known, (99, 99)], {*known}, known * 2):
        with assert_queries(1 if wanted else 0):
            found = face.list(Member.objects.filter(pk__in=wanted))
        assert {one.pk for one in found} == {*wanted} & {*known}
    assert keys(face, Member.objects.exclude(pk__in=known[:2])) == known[2:]
    one, two = Member.objects.filter(pk__in=known[:1]), Member.objects.filter(pk__in=known)
    assert one._shape.steps() == two._shape.steps()


def test_no_row_has_a_key_with_none_in_it(face, house, assert_queries):
    one = house[0]
    with assert_queries(0):
        assert face.list(Member.objects.filter(pk=(one.pk, None))) == []
        assert face.list(Member.objects.filter(pk__in=[(one.pk, None), (None, 1)])) == []
        assert face.list(Member.objects.filter(pk__gt=(one.pk, None))) == []
    assert face(Member.objects.exclude(pk=(one.pk, None)).count) == 3
    assert face(Member.objects.exclude(pk__in=[(None, None)]).count) == 3
    assert face(Member.objects.filter(pk__in=[(one.pk, None), (one.pk, 1)]).count) == 1


def test_isnull(face, house):
    assert face(Member.objects.filter(pk__isnull=True).count) == 0
    assert face(Member.objects.filter(pk__isnull=False).count) == 3
    assert face(Member.objects.filter(pk=None).count) == 0


def test_a_value_that_no_column_holds_finds_nothing(face, house):
    one, _, members = house
    for value in (2**40, 2**70, -(2**70)):
        assert face.list(Member.objects.filter(pk=(one.pk, value))) == []
        assert face.list(Member.objects.filter(pk__in=[(one.pk, value)])) == []
        assert face.list(Member.objects.filter(pk__in=[(one.pk, value), members[0].pk])) == [members[0]]
    assert face(Member.objects.filter(pk__gt=(one.pk, 2**40)).count) == 1
    assert face(Member.objects.filter(pk__lt=(one.pk, 2**40)).count) == 2
    with pytest.raises(ValueError, match="'gt' lookup of 'pk': .* holds a value that no row"):
        Member.objects.filter(pk__gt=(one.pk, 2**70))


@pytest.mark.parametrize(
    ("lookups", "problem"),
    [
        ({"pk": 1}, "'exact' lookup of 'pk' must be a tuple or a list"),
        ({"pk": "ab"}, "'exact' lookup of 'pk' must be a tuple or a list"),
        ({"pk": (1, 2, 3)}, "'exact' lookup of 'pk' must have 2 elements"),
        ({"pk": ()}, "'exact' lookup of 'pk' must have 2 elements"),
        ({"pk__gt": 1}, "'gt' lookup of 'pk' must be a tuple or a list"),
        ({"pk__lte": (1,)}, "'lte' lookup of 'pk' must have 2 elements"),
        ({"pk__in": 1}, "'in' lookup of 'pk' must be a tuple or a list"),
        ({"pk__in": (1, 2)}, "'in' lookup of 'pk' must be a collection of tuples or lists"),
        ({"pk__in": [(1, 2, 3)]}, "'in' lookup of 'pk' must have 2 elements each"),
        ({"pk__in": [None, (1, 2)]}, "'in' lookup of 'pk' must be a collection of tuples or lists"),
        ({"pk__in": [None]}, "'in' lookup of 'pk' must be a collection of tuples or lists"),
        ({"pk": ("a", 1)}, "Field 'id' expected a number but got 'a'"),
        ({"pk__isnull": 1}, "must be True or False"),
        ({"pk": Value(1)}, "'exact' subquery lookup of 'pk' only supports OuterRef and QuerySet objects"),
        ({"pk__in": F("pk")}, "'in' subquery lookup of 'pk' must be a Query object"),
        ({"pk__in": OuterRef("pk")}, "'in' subquery lookup of 'pk' must be a Query object"),
        ({"pk__in": [(1, F("id")), 5]}, "'in' lookup of 'pk' must be a collection of tuples or lists"),
        ({"pk": (1, F("id"), 3)}, "'exact' lookup of 'pk' must have 2 elements"),
        ({"pk__in": [(1, F("id"), 3)]}, "'in' lookup of 'pk' must have 2 elements each"),
        ({"email": F("pk")}, "CompositePrimaryKey cannot be used as a lookup value"),
        ({"pk__in": Member.objects.values("pk", "email")}, r"must have 2 selected fields \(received 3\)"),
        ({"id__in": Member.objects.values("pk")}, r"must have 1 selected fields \(received 2\)"),
        ({"pk": Member.objects.all()}, "must be limited to one result"),
    ],
)
def test_what_is_no_key_is_refused(lookups, problem):
    with pytest.raises(ValueError, match=problem):
        Member.objects.filter(**lookups)


@pytest.mark.parametrize("name", ["range", "contains", "iexact", "startswith", "year"])
def test_a_key_knows_comparisons_only(name):
    with pytest.raises(FieldError, match=f"Unsupported lookup '{name}' for CompositePrimaryKey"):
        Member.objects.filter(**{f"pk__{name}": (1, 2)})


def test_expressions_in_a_key(face, house):
    one, _, members = house
    key = (one.pk, Value(1) + 1)
    assert face(Member.objects.get, pk=key) == members[1]
    assert face(Member.objects.get, pk__in=[key, (99, 1)]) == members[1]
    assert face(Member.objects.filter(pk=(F("tenant_id"), F("id"))).count) == 3
    assert face(Member.objects.filter(pk__gte=(F("tenant_id"), 2)).count) == 1
    assert face(Memo.objects.filter(pk=F("member__pk")).count) == 1
    assert face(Memo.objects.filter(TupleExact(F("pk"), (one.pk, 1))).count) == 1
    assert face(Memo.objects.filter(TupleGreaterThan(F("pk"), F("member__pk"))).count) == 3
    assert face(Member.objects.filter(pk=(one, F("id"))).count) == 2
    assert face(Member.objects.filter(pk__in=[(F("tenant_id"), 2**70), (one, F("id"))]).count) == 2
    assert face(Member.objects.filter(pk=(F("tenant_id"), 2**70)).count) == 0
    with pytest.raises(ValueError, match="Field 'id' expected a number"):
        Member.objects.filter(pk=(F("tenant_id"), "x"))


def test_objects_stand_for_the_parts_of_a_key(face, house):
    one, _, members = house
    assert face(Member.objects.get, pk=(one, 1)) == members[0]
    with pytest.raises(ValueError, match="must be a tuple or a list"):
        Member.objects.filter(pk=members[0])


def test_querysets_as_keys(face, house):
    members = house[2]
    some = Member.objects.filter(id=1)
    for inner in (some, some.values("pk"), some.values("tenant", "id"), Subquery(some.values("pk"))):
        assert keys(face, Member.objects.filter(pk__in=inner)) == [members[0].pk, members[2].pk]
    assert keys(face, Member.objects.exclude(pk__in=some)) == [members[1].pk]
    assert face(Member.objects.get, pk=some.order_by("-pk")[:1]) == members[2]
    assert keys(face, Member.objects.filter(pk__in=some.order_by("pk")[:1])) == [members[0].pk]
    same = Subquery(Member.objects.filter(pk=OuterRef("pk")).values("pk")[:1])
    assert face(Member.objects.filter(pk=same).count) == 3
    assert face(Member.objects.filter(pk__gt=same).count) == 0
    assert face(Member.objects.filter(pk__gte=same).count) == 3
    assert face(Member.objects.filter(pk__in=some.none()).count) == 0


def test_querysets_as_keys_where_rows_cannot_be_compared(face, house, monkeypatch):
    monkeypatch.setattr(type(connection.features), "supports_tuple_lookups", False)
    monkeypatch.setattr(type(connection.features), "supports_tuple_comparison_against_subquery", False)
    some = Member.objects.filter(email__endswith="1@example.org")
    assert face(Member.objects.filter(pk__in=some).count) == 2
    assert face(Member.objects.filter(pk=some.order_by("-pk")[:1]).get) == house[2][2]
    same = Subquery(Member.objects.filter(pk=OuterRef("pk"), email__contains="@").values("pk")[:1])
    with pytest.raises(UnsupportedFeature, match="does not compare rows of columns"):
        face(Member.objects.filter(pk=same).count)
    with pytest.raises(UnsupportedFeature, match='"gt" cannot be used to target composite fields'):
        face(Member.objects.filter(pk__gt=same).count)


def test_a_reference_to_one_column_is_no_key(face, house):
    inner = Member.objects.filter(pk=OuterRef("id"))
    with pytest.raises(ValueError, match="Composite field lookups only work with composite expressions"):
        face.list(Member.objects.filter(Exists(inner)))


def test_conditions_can_be_combined(face, house):
    _, _, members = house
    either = Q(pk=members[0].pk) | Q(pk=members[2].pk)
    assert keys(face, Member.objects.filter(either)) == [members[0].pk, members[2].pk]
    assert keys(face, Member.objects.filter(~either)) == [members[1].pk]
    both = Member.objects.filter(pk=members[0].pk) | Member.objects.filter(pk__in=[members[1].pk])
    assert keys(face, both) == [members[0].pk, members[1].pk]
    assert keys(face, Member.objects.filter(pk__lt=members[2].pk) & Member.objects.filter(id=2)) == [
        members[1].pk
    ]
    case = Case(When(pk=members[0].pk, then=Value("first")), default=Value("other"))
    assert face.list(Member.objects.annotate(which=case).order_by("pk").values_list("which", flat=True)) == [
        "first",
        "other",
        "other",
    ]


# -- keys in results --------------------------------------------------------------------------------------


def test_keys_among_values(face, house):
    known = [member.pk for member in house[2]]
    ordered = Member.objects.order_by("pk")
    assert face.list(ordered.values_list("pk")) == [(key,) for key in known]
    assert face.list(ordered.values_list("pk", "id")) == [(key, key[1]) for key in known]
    assert face.list(ordered.values_list("id", "pk", "id")) == [(key[1], key, key[1]) for key in known]
    assert face.list(ordered.values_list("pk", flat=True)) == known
    assert [row.pk for row in face.list(ordered.values_list("pk", named=True))] == known
    assert face.list(ordered.values("pk", "tenant_id")) == [{"pk": key, "tenant_id": key[0]} for key in known]
    assert face.list(ordered.values_list("notes__pk", flat=True))[0] == (house[0].pk, 1)


def test_values_of_a_key_are_those_of_its_columns(face, house):
    ticket = face(
        Voucher.objects.create, price=decimal.Decimal("2.50"), sold=dt.datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert face.list(Voucher.objects.values_list("pk", flat=True)) == [ticket.pk]
    assert face.list(Voucher.objects.values_list("pk").distinct()) == [(ticket.pk,)]


def test_a_key_can_be_annotated(face, house):
    known = [member.pk for member in house[2]]
    annotated = Member.objects.annotate(key=F("pk")).order_by("key")
    assert [one.key for one in face.list(annotated)] == known
    assert face.list(annotated.values_list("key", "id")) == [(key, key[1]) for key in known]
    assert face(annotated.get, key=known[1]).pk == known[1]


def test_the_key_orders(face, house):
    known = [member.pk for member in house[2]]
    for names in (("-pk",), (F("pk").desc(),), ("-tenant_id", "-id")):
        assert face.list(Member.objects.order_by(*names).values_list("pk", flat=True)) == known[::-1]
    assert face(Member.objects.first).pk == known[0]
    assert face(Member.objects.last).pk == known[-1]
    assert Member.objects.order_by("pk").totally_ordered
    assert Member.objects.order_by("id", "tenant_id").totally_ordered
    assert not Member.objects.order_by("id").totally_ordered
    assert face.list(Memo.objects.order_by("-member__pk", "pk").values_list("id", flat=True)) == [4, 3, 1, 2]


def test_in_bulk_contains_and_exists(face, house, assert_queries):
    members = house[2]
    with assert_queries(1):
        assert face(Member.objects.in_bulk, [members[0].pk, members[2].pk]) == {
            members[0].pk: members[0],
            members[2].pk: members[2],
        }
    assert len(face(Member.objects.in_bulk)) == 3
    assert face(Member.objects.values("email").in_bulk, [members[1].pk]) == {
        members[1].pk: {"email": members[1].email}
    }
    assert face(Member.objects.filter(id=1).contains, members[0])
    assert not face(Member.objects.filter(id=2).contains, members[0])
    assert face(Member.objects.filter(pk=members[0].pk).exists)


def test_get_asks_for_the_row_alone(face, house):
    with CaptureQueriesContext(connection) as captured:
        face(Member.objects.get, pk=house[2][0].pk)
    assert "LIMIT" not in captured[0]["sql"]


def test_unions_of_keys(face, house):
    known = [member.pk for member in house[2]]
    one, two = Member.objects.filter(id=2), Member.objects.filter(pk=known[2])
    assert face.list(one.union(two).order_by("tenant_id", "id").values_list("pk", flat=True)) == known[1:]
    assert (
        sorted(face.list(one.values_list("pk", flat=True).union(two.values_list("pk", flat=True))))
        == known[1:]
    )
    assert face(one.union(two).count) == 2
    assert {found.pk for found in face.list(one.union(two))} == {*known[1:]}


def test_unions_are_sorted_by_all_columns_of_a_key(face, house):
    members = house[2]
    parts = Member.objects.filter(id=2), Member.objects.filter(id=1)
    known = [member.pk for member in members]
    for ordered, expected in (("pk", known), ("-pk", known[::-1])):
        assert [found.pk for found in face.list(parts[0].union(parts[1]).order_by(ordered))] == expected
        rows = parts[0].values_list("email", "pk").union(parts[1].values_list("email", "pk"))
        assert [row[1] for row in face.list(rows.order_by(ordered))] == expected
        assert face.list(rows.values_list("pk", flat=True).order_by(ordered)) == expected
        assert face.list(rows.order_by(ordered).values_list("pk", "email", "pk"))[0] == (
            expected[0],
            members[known.index(expected[0])].email,
            expected[0],
        )
    twice = parts[0].values_list("pk", "pk").union(parts[1].values_list("pk", "pk"))
    assert face.list(twice.order_by("pk")) == [(key, key) for key in known]
    notes = Memo.objects.filter(id__gt=2).union(Memo.objects.filter(id=1))
    assert [note.id for note in face.list(notes.order_by("-member__pk", "id"))] == [4, 3, 1]
    assert face(parts[0].union(parts[1]).aggregate, n=Count("pk")) == {"n": 3}
    assert face(Member.objects.filter(pk__in=parts[0].union(parts[1])).count) == 3


def test_a_key_partitions_and_orders_windows(face, house):
    ranks = Member.objects.annotate(rank=Window(RowNumber(), order_by="pk"))
    assert face.list(ranks.order_by("-pk").values_list("rank", flat=True)) == [3, 2, 1]
    ranks = Member.objects.annotate(rank=Window(RowNumber(), partition_by="pk", order_by="-pk"))
    assert face.list(ranks.values_list("rank", flat=True)) == [1, 1, 1]
    last = Member.objects.annotate(rank=Window(RowNumber(), order_by="-pk")).filter(rank=1)
    assert face.list(last.values_list("pk", "id", "rank")) == [(house[2][2].pk, 1, 1)]
    assert face(Member.objects.get, pk__in=last.values("pk")) == house[2][2]


@pytest.mark.vendors("postgres")
def test_distinct_on_a_key(face, house):
    found = Member.objects.filter(notes__isnull=False).order_by("pk", "-notes__id").distinct("pk")
    assert face.list(found.values_list("pk", "notes__id")) == [
        (member.pk, last) for member, last in zip(house[2], (2, 3, 4), strict=True)
    ]


def test_a_subquery_that_is_a_value_has_one_column(house):
    key = Subquery(Memo.objects.values("pk")[:1])
    with pytest.raises(ValueError, match="A subquery that is a value selects one column, not 2"):
        list(Member.objects.annotate(x=key))


def test_distinct_keys_are_counted(face, house):
    assert face(Memo.objects.values("member__pk").distinct().count) == 3
    assert face(Member.objects.values("pk", "id").distinct().count) == 3
    assert face(Member.objects.values_list("pk")[:2].count) == 2
    assert face(Member.objects.annotate(key=F("pk")).distinct().aggregate, n=Count("key")) == {"n": 3}


# -- aggregates and functions -------------------------------------------------------------------------------


def test_keys_are_counted_by_their_first_column(face, house):
    _, _, members = house
    assert face(Member.objects.aggregate, n=Count("pk")) == {"n": 3}
    counted = Member.objects.annotate(n=Count("notes")).order_by("pk")
    assert face.list(counted.values_list("pk", "n")) == [
        (members[0].pk, 2),
        (members[1].pk, 1),
        (members[2].pk, 1),
    ]
    some = Count("notes", filter=Q(notes__pk__in=[(members[0].tenant_id, 1)]))
    assert [one.n for one in face.list(Member.objects.annotate(n=some).order_by("pk"))] == [1, 0, 0]
    grouped = Member.objects.values("pk").annotate(last=Max("notes__id"))
    assert face.list(grouped.order_by("pk").values_list("pk", "last")) == [
        (members[0].pk, 2),
        (members[1].pk, 3),
        (members[2].pk, 4),
    ]
    assert face(grouped.first)["pk"] == members[0].pk
    assert face(counted.filter(n__gt=1).count) == 1


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        (lambda: Max("pk"), "Max"),
        (lambda: Coalesce("pk", "id"), "Coalesce"),
        (lambda: F("pk") + 1, "CombinedExpression"),
        (lambda: Case(When(id=1, then="pk")), "When"),
        (lambda: Case(When(id=1, then="id"), default="pk"), "Case"),
    ],
)
def test_functions_take_one_column(expression, name):
    with pytest.raises(ValueError, match=f"{name} expression does not support composite primary keys"):
        Member.objects.annotate(x=expression())


def test_different_keys_cannot_be_counted():
    with pytest.raises(ValueError, match=r"COUNT\(DISTINCT\) doesn't support composite primary keys"):
        Member.objects.annotate(n=Count("notes", distinct=True))


# -- update() and delete() -------------------------------------------------------------------------------------


def test_rows_are_updated_by_their_keys(face, house, assert_queries):
    with assert_queries(1):
        assert face(Member.objects.filter(pk=house[2][0].pk).update, email="one") == 1
    with assert_queries(1):
        assert face(Memo.objects.filter(member__email="one").update, text="changed") == 2
    assert face(Memo.objects.filter(text="changed").count) == 2


def test_the_parts_of_a_key_are_updated_one_by_one(face, house):
    with pytest.raises(FieldError, match="Composite primary key fields must be updated individually"):
        Member.objects.update(pk=(1, 2))
    with pytest.raises(
        FieldError, match=r"Composite primary keys expressions are not allowed in this query \(email"
    ):
        Member.objects.update(email=F("pk"))
    face(Voucher.objects.create, price=1, sold=dt.datetime(2026, 1, 2, tzinfo=UTC))
    assert face(Voucher.objects.update, price=2) == 1


def test_rows_are_deleted_with_what_refers_to_them(face, house):
    one, _, members = house
    assert face(Member.objects.filter(pk=members[0].pk).delete) == (3, {"tests.Member": 1, "tests.Memo": 2})
    assert face(Memo.objects.filter(member__email__startswith=f"{one.pk}.2").delete) == (1, {"tests.Memo": 1})
    assert face(one.delete) == (2, {"tests.Tenant": 1, "tests.Member": 1})
    assert face(Member.objects.count) == 1


# -- relations over several columns ------------------------------------------------------------------------------


def test_a_relation_over_the_columns_of_a_key(face, house, assert_queries):
    _, _, members = house
    note = face(Memo.objects.get, id=3)
    with assert_queries(1):
        assert note.member == members[1]
    assert [one.id for one in face.list(members[0].notes.order_by("id"))] == [1, 2]
    made = Memo(id=9, member=members[2])
    assert (made.tenant_id, made.member_id) == members[2].pk
    face(made.save)
    assert face(Memo.objects.get, pk=(members[2].tenant_id, 9)).member_id == 1


def test_a_relation_over_several_columns_is_compared_with_objects_and_keys(face, house):
    _, _, members = house

    def ids(**lookups):
        return face.list(Memo.objects.filter(**lookups).order_by("id").values_list("id", flat=True))

    assert ids(member=members[0]) == [1, 2]
    assert ids(member=members[0].pk) == [1, 2]
    assert ids(member__pk=members[1].pk) == [3]
    assert ids(member__in=members[1:]) == [3, 4]
    assert ids(member__in=[members[1].pk]) == [3]
    assert ids(member__in=Member.objects.filter(id=1)) == [1, 2, 4]
    assert ids(member__gt=members[0]) == [3, 4]
    assert ids(member__isnull=True) == []
    face(Memo.objects.create, id=7, tenant=house[0])
    assert ids(member__isnull=True) == [7]
    assert ids(member=None) == [7]
    assert face.list(Memo.objects.exclude(member=members[0]).order_by("id").values_list("id", flat=True)) == [
        3,
        4,
        7,
    ]
    assert keys(face, Member.objects.filter(notes=face(Memo.objects.get, id=3))) == [members[1].pk]
    assert keys(face, Member.objects.filter(notes__in=Memo.objects.filter(id__gt=2))) == [
        members[1].pk,
        members[2].pk,
    ]
    assert keys(face, Member.objects.exclude(notes__text="note 1")) == [members[1].pk, members[2].pk]
    assert keys(face, Member.objects.filter(notes__isnull=True)) == []
    assert face.list(Memo.objects.filter(id=3).values_list("member", flat=True)) == [members[1].pk]


def test_a_key_at_the_end_of_a_relation_needs_no_join(face, house):
    with CaptureQueriesContext(connection) as captured:
        face.list(Memo.objects.filter(member__pk=house[2][0].pk))
    assert "JOIN" not in captured[0]["sql"]


def test_what_is_no_object_of_the_relation_is_refused(house):
    with pytest.raises(ValueError, match='Must be "Member" instance'):
        Memo.objects.filter(member=house[0])
    with pytest.raises(ValueError, match="Model instances passed to related filters must be saved"):
        Memo.objects.filter(member=Member(tenant_id=1))
    with pytest.raises(ValueError, match='Cannot use QuerySet for "Tenant": Use a QuerySet for "Member"'):
        Memo.objects.filter(member__in=Tenant.objects.all())
    with pytest.raises(FieldError, match="multicolumn fields"):
        Memo.objects.annotate(x=F("member"))


def test_related_objects_are_loaded_together(face, house, assert_queries):
    _, _, members = house
    face(Memo.objects.create, id=7, tenant=house[0])
    with assert_queries(1):
        found = face.list(Memo.objects.select_related("member").order_by("id"))
        assert [one.member for one in found] == [*members[:1] * 2, *members[1:], None]
    with assert_queries(2):
        found = face.list(Memo.objects.prefetch_related("member").order_by("id"))
        assert [one.member for one in found] == [*members[:1] * 2, *members[1:], None]
    notes = Prefetch("notes", Memo.objects.order_by("-id"))
    with assert_queries(2):
        found = face.list(Member.objects.prefetch_related(notes).order_by("pk"))
        assert [[note.id for note in one.notes.all()] for one in found] == [[2, 1], [3], [4]]
    with assert_queries(3):
        found = face(Tenant.objects.prefetch_related("member_set__notes").get, pk=house[0].pk)
        assert [len(one.notes.all()) for one in found.member_set.all()] in ([2, 1], [1, 2])


# -- validation ------------------------------------------------------------------------------------------------


def test_validation_looks_for_the_whole_key(face, house, assert_queries):
    one, _, members = house
    face(Member(pk=(one.pk, 50), email="e").full_clean)
    with pytest.raises(ValidationError, match="Member with this Tenant and Id already exists"):
        face(Member(pk=members[0].pk, email="e").full_clean)
    face(Member(pk=members[0].pk, email="e").full_clean, exclude={"id"})
    face(members[0].full_clean)


# -- declarations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [(), (0,), ("id", False), ("id", "id"), (("id",),)])
def test_names_must_be_different_texts(names):
    with pytest.raises(ValueError, match="args must be unique strings"):
        CompositePrimaryKey(*names)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"default": (1, 1)}, "cannot have a default"),
        ({"db_default": 1}, "cannot have a database default"),
        ({"db_column": "x"}, "cannot have a db_column"),
        ({"editable": True}, "cannot be editable"),
        ({"primary_key": False}, "must be a primary key"),
        ({"blank": False}, "must be blank"),
    ],
)
def test_options_of_a_column_make_no_sense(options, problem):
    with pytest.raises(ValueError, match=f"CompositePrimaryKey {problem}"):
        CompositePrimaryKey("a", "b", **options)
    with pytest.raises(ValueError, match="at least two fields"):
        CompositePrimaryKey("a")


@isolate_apps("tests")
def test_checks_of_keys():
    class Parent(Model):
        far = IntegerField()

    class Bad(Model):
        pk = CompositePrimaryKey("missing", "nothing", "parent", "parent_id")
        nothing = IntegerField(null=True)
        parent = ForeignKey(Parent, on_delete=CASCADE)

    class Child(Parent):
        pk = CompositePrimaryKey("far", "near")
        near = IntegerField()

    class Named(Model):
        key = CompositePrimaryKey("a", "b")
        a = IntegerField()
        b = IntegerField()

    class Constrained(Model):
        pk = CompositePrimaryKey("a", "b")
        a = IntegerField()
        b = IntegerField(primary_key=True)

        class Meta:
            constraints = [UniqueConstraint(fields=["pk"], name="pk_again")]

    def found(model):
        return [(message.id, message.hint) for message in model.check(databases={"default"})]

    assert found(Bad) == [
        ("models.E042", "'missing' is not a valid field."),
        ("models.E042", "'nothing' field may not set 'null=True'."),
        ("models.E042", "'parent_id' and 'parent' are the same fields."),
    ]
    assert found(Child) == [("models.E042", "'far' field is not a local field.")]
    assert found(Named) == [("fields.E013", None)]
    assert found(Constrained) == [("models.E026", None), ("models.E048", None)]
    assert found(Member) == found(Memo) == []


@isolate_apps("tests")
def test_foreign_keys_to_composite_keys_are_refused():
    class Refers(Model):
        member = ForeignKey(Member, on_delete=CASCADE)
        many = ManyToManyField(Memo)

    assert {message.id for message in Refers.check()} >= {"fields.E347"}
    with pytest.raises(
        UnsupportedFeature, match="Refers.member refers to tests.Member, whose primary key has several"
    ):
        _ = Refers._meta.table


@isolate_apps("tests")
def test_a_model_of_its_own_table_cannot_derive_from_one_with_a_composite_key():
    class Guest(Member):
        until = IntegerField()

    assert "fields.E347" in {message.id for message in Guest.check()}
    with pytest.raises(UnsupportedFeature, match="Guest.member_ptr refers to tests.Member"):
        _ = Guest.__table__


@isolate_apps("tests")
def test_indexes_and_constraints_name_columns():
    class Indexed(Model):
        pk = CompositePrimaryKey("a", "b")
        a = IntegerField()
        b = IntegerField()

        class Meta:
            unique_together = [("pk", "a")]

    assert [message.id for message in Indexed.check()] == ["models.E048"]
    with pytest.raises(ImproperlyConfigured, match="'pk' of tests.Indexed has no column"):
        _ = Indexed.__table__


@isolate_apps("tests")
def test_a_key_can_be_added_to_a_model():
    class Line(Model):
        order = IntegerField(primary_key=True)
        number = IntegerField()

    Line.add_to_class("pk", CompositePrimaryKey("number", "order"))
    line = Line(pk=(1, 2))
    assert (line.number, line.order) == (1, 2)
    assert [column.name for column in Line.__table__.primary_key] == ["number", "order"]


@isolate_apps("tests")
def test_a_key_that_is_added_takes_the_place_of_the_one_that_facade_added():
    class Line(Model):
        order = IntegerField()
        number = IntegerField()

    assert Line._meta.pk.name == "id"
    Line.add_to_class("pk", CompositePrimaryKey("order", "number"))
    assert [column.name for column in Line.__table__.columns] == ["order", "number"]
    assert Line.check() == []
    assert Line(1, 2).pk == (1, 2)
    with pytest.raises(TypeError, match="unexpected keyword arguments: 'id'"):
        Line(id=1)
