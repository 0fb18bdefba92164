"""Lookups that look for a piece of text: what the other side holds is text to find, never a pattern."""

from __future__ import annotations

import pytest

from facade.models import Exists, F, OuterRef, Subquery, Value
from facade.models.functions import Concat
from tests.models import Everything

VALUES = ["%", "_", "a%", "a\\", "\\", "ab", "x_y", "[a]"]
FINDS = {
    "iexact": str.__eq__,
    "contains": str.__contains__,
    "icontains": str.__contains__,
    "startswith": str.startswith,
    "istartswith": str.startswith,
    "endswith": str.endswith,
    "iendswith": str.endswith,
}
NOT_OF_KEYS = {"contains"}  # of a JSONField that is another question


@pytest.fixture
def texts(database):
    database.create(Everything)
    Everything.objects.bulk_create(
        [Everything(char=value, text=value, integer=5, json={"s": value}) for value in VALUES]
    )


@pytest.mark.parametrize("lookup", FINDS)
def test_wildcards_in_expressions_stand_for_themselves(face, texts, lookup):
    names = [f"char__{lookup}", *([] if lookup in NOT_OF_KEYS else [f"json__s__{lookup}"])]
    for value in [*VALUES, "a", "%\\"]:
        expected = sorted(item for item in VALUES if FINDS[lookup](item, value))
        stored = Everything.objects.filter(char=value).values("char")[:1]
        sides = [value, Value(value), Concat(Value(value[:1]), Value(value[1:]))]
        sides += [Subquery(stored)] if value in VALUES else []
        for name in names:
            for side in sides:
                rows = Everything.objects.filter(**{name: side}).values_list("char", flat=True)
                assert sorted(face.list(rows)) == expected


@pytest.mark.parametrize("lookup", FINDS)
def test_wildcards_in_columns_stand_for_themselves(face, texts, lookup):
    rows = Everything.objects
    assert face(rows.filter(**{f"char__{lookup}": F("text")}).count) == len(VALUES)
    outer = Everything.objects.filter(char="%", **{f"text__{lookup}": OuterRef("char")})
    found = sorted(face.list(rows.filter(Exists(outer)).values_list("char", flat=True)))
    assert found == ["%"]


@pytest.mark.parametrize("lookup", [*FINDS, "regex", "iregex"])
def test_patterns_of_numbers(face, texts, lookup):
    assert face(Everything.objects.filter(**{f"integer__{lookup}": F("integer")}).count) == len(VALUES)
    assert face(Everything.objects.filter(**{f"integer__{lookup}": Value(5)}).count) == len(VALUES)


@pytest.mark.vendors("postgres")
def test_what_is_no_address_is_refused_before_postgresql_aborts_a_transaction_for_it(
    face, database, assert_queries
):
    database.create(Everything)
    row = face(Everything.objects.create, ip="10.0.0.1/8")
    row.ip = "x"
    rows, refused = Everything.objects, "Field 'ip' takes no 'x': that is neither an IPv4 nor an IPv6 address"
    for act, *given in (
        (row.save,),
        (rows.filter(ip="x").count,),
        (Everything(ip="x").save,),
        (rows.bulk_create, [Everything(ip="x")]),
        (rows.bulk_update, [row], ["ip"]),
    ):
        with assert_queries(0), pytest.raises(ValueError, match=refused):
            face(act, *given)
    with assert_queries(0), pytest.raises(ValueError, match=refused):
        face(rows.update, ip="x")


def test_pieces_of_addresses(face, database):
    database.create(Everything)
    Everything.objects.create(ip="::FFFF:10.0.0.1")
    stored = "::ffff:10.0.0.1"
    assert face(Everything.objects.get).ip == stored
    for lookup in (
        {"ip__iexact": stored.upper()},
        {"ip__iexact": F("ip")},
        {"ip__endswith": "0.1"},
        {"ip__regex": r"\.1$"},
        {"ip__icontains": Value("FFFF:10.")},
        {"ip": "::ffff:a00:1"},
    ):
        assert face(Everything.objects.filter(**lookup).count) == 1
    assert face(Everything.objects.filter(ip__iexact="%").count) == 0
