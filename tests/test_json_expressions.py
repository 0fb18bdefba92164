"""Parts of documents beside expressions: whatever a key passes through, it is compared, read and stored as the JSON that it is."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from facade import connection
from facade.exceptions import NotSupportedError
from facade.models import (
    Avg,
    Case,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    JSONField,
    JSONNull,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from facade.models.functions import Cast, Coalesce, FirstValue, JSONArray, JSONObject, Lower
from facade.models.lookups import KT, KeyTransform
from facade.types.deep_json import canonical_json, read_deep
from tests.models import Everything

# Values that are mistaken for each other where the JSON is lost: a text for a number, a truth or a null, 1 for True.
VALUES = {
    "text": "x",
    "true in words": "true",
    "null in words": "null",
    "digits": "1",
    "quotes": '"x"',
    "number": 1,
    "fraction": 2.5,
    "true": True,
    "false": False,
    "null": None,
    "object": {"a": 1, "b": [None]},
    "list": [1, "x"],
}
SAME = F("json__same")
OF_THE_ROW = Everything.objects.filter(pk=OuterRef("pk"))
ROADS = {
    "F": SAME,
    "Coalesce": Coalesce("json__missing", "json__same"),
    "Coalesce and a constant": Coalesce("json__same", Value("nothing")),
    "Coalesce, typed": Coalesce("json__same", Value("nothing"), output_field=JSONField()),
    "Case": Case(When(integer=0, then=Value(5, JSONField())), default=SAME),
    "Case and a constant": Case(When(integer=0, then=Value("zero")), default=SAME),
    "Subquery": Subquery(OF_THE_ROW.values("json__same")[:1]),
    "Subquery of Case": Subquery(
        OF_THE_ROW.annotate(part=Case(When(integer=0, then=F("json__k")), default=SAME)).values("part")[:1]
    ),
    "OuterRef": Subquery(OF_THE_ROW.annotate(part=OuterRef("json__same")).values("part")[:1]),
    "ExpressionWrapper": ExpressionWrapper(SAME, JSONField()),
    "Func": Func("json__missing", SAME, function="COALESCE"),
    "Cast": Cast("json__same", JSONField()),
    "JSONObject": KeyTransform("part", JSONObject(part=SAME)),
    "JSONArray of Coalesce": KeyTransform("0", JSONArray(Coalesce("json__missing", SAME))),
}
road = pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)


@pytest.fixture
def rows(database):
    database.create(Everything)
    for name, value in VALUES.items():
        Everything.objects.create(
            slug=name,
            json={"k": value, "same": value, "other": [value]},
            char=value if isinstance(value, str) else json.dumps(value),
            integer=value if type(value) is int else 1,
            float=value if type(value) is float else 1.0,
            decimal=Decimal("2.5"),
            boolean=value if type(value) is bool else True,
        )
    Everything.objects.create(slug="no document")


def found(face, queryset):
    return sorted(face.list(queryset.values_list("slug", flat=True)))


def named(*names):
    return sorted(names)


ALL = sorted(VALUES)


@road
def test_a_part_equals_itself_by_whatever_road_it_comes(face, rows, road):
    rows = Everything.objects
    assert found(face, rows.filter(json__k=road)) == ALL
    assert found(face, rows.filter(json__other=road)) == []
    assert found(face, rows.exclude(json__k=road).filter(json__isnull=False)) == []
    assert found(face, rows.filter(json__k__in=[road, "nothing"])) == ALL
    assert found(face, rows.filter(Exists(rows.filter(pk=OuterRef("pk"), json__k=road)))) == ALL
    assert found(face, rows.filter(Q(json__k=road) | Q(slug="no document"))) == named(*ALL, "no document")


TYPED = {
    name: road
    for name, road in ROADS.items()
    if name not in ("Coalesce and a constant", "Case and a constant")
}
typed_road = pytest.mark.parametrize("road", TYPED.values(), ids=TYPED)


@typed_road
def test_an_annotation_is_compared_as_json(face, rows, road):
    parts = Everything.objects.annotate(part=road).filter(json__isnull=False)
    assert found(face, parts.filter(part=F("json__k"))) == ALL
    assert found(face, parts.filter(part=F("json__other"))) == []
    for name, value in VALUES.items():
        if value is not None:
            assert found(face, parts.filter(part=value)) == [name]
            assert found(face, parts.filter(part__in=[value, "nothing"])) == [name]
    assert found(face, parts.filter(part=JSONNull())) == ["null"]
    assert found(face, parts.filter(part__isnull=False)) == ALL
    assert found(face, parts.filter(part__a=1)) == ["object"]
    assert found(face, parts.filter(part__has_key="b")) == ["object"]


@typed_road
def test_an_annotation_is_read_and_counted_as_what_was_stored(face, rows, road):
    if connection.vendor == "mysql":
        pytest.skip("MariaDB's grouping of JSON is one of texts")
    parts = Everything.objects.filter(json__isnull=False).annotate(part=road)
    read = face.list(parts.values_list("slug", "part"))
    assert {name: (type(value), value) for name, value in read} == {
        name: (type(value), value) for name, value in VALUES.items()
    }
    counted = face.list(parts.values("part").annotate(rows=Count("pk")).values_list("part", "rows"))
    assert sorted(map(repr, counted)) == sorted(repr((value, 1)) for value in VALUES.values())


@typed_road
def test_a_column_stores_what_a_road_leads_to(face, rows, road):
    face(Everything.objects.filter(json__isnull=False).update, json=road)
    stored = face.list(Everything.objects.filter(json__isnull=False).values_list("slug", "json"))
    assert {name: (type(value), value) for name, value in stored} == {
        name: (type(value), value) for name, value in VALUES.items()
    }


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (F("char"), ["text", "true in words", "null in words", "digits", "quotes"]),
        (Coalesce("char", Value("x")), ["text", "true in words", "null in words", "digits", "quotes"]),
        (Lower("char"), ["text", "true in words", "null in words", "digits", "quotes"]),
        (Case(When(integer=0, then=F("slug")), default=F("char")), ["text", "true in words", "null in words", "digits", "quotes"]),
        (Subquery(OF_THE_ROW.values("char")[:1]), ["text", "true in words", "null in words", "digits", "quotes"]),
        (F("integer"), ["number"]),
        (F("integer") + 0, ["number"]),
        (Subquery(OF_THE_ROW.values("integer")[:1]), ["number"]),
        (F("float"), ["number", "fraction"]),
        (F("decimal"), ["fraction"]),
        (F("boolean"), ["true", "false"]),
        (Case(When(slug="false", then=False), default=True), ["true", "false"]),
        (Cast("integer", JSONField()), ["number"]),
        (KT("json__same"), ["text", "true in words", "null in words", "digits", "quotes"]),
        (Value("true"), ["true in words"]),
        (Value(1), ["number"]),
        (Value(True), ["true"]),
        (Value(Decimal("2.5")), ["fraction"]),
        (Value(None), []),
        (Value(None, CharField()), []),
        (JSONNull(), ["null"]),
    ],
    ids=repr,
)  # fmt: skip
def test_a_part_meets_values_of_other_types_as_the_json_that_they_would_be(face, rows, other, names):
    rows = Everything.objects
    assert found(face, rows.filter(json__k=other)) == named(*names)
    assert found(face, rows.filter(json__k__in=[other, Value("nothing")])) == named(*names)
    assert face(rows.aggregate, n=Count("pk", filter=Q(json__k=other))) == {"n": len(names)}


def test_parts_and_columns_meet_in_querysets_and_ranges(face, rows):
    rows = Everything.objects
    texts = named("text", "true in words", "null in words", "digits", "quotes")
    assert found(face, rows.filter(json__k__in=rows.filter(slug__in=texts).values("char"))) == texts
    assert found(face, rows.filter(json__k__in=rows.values("json__same"))) == ALL
    assert found(face, rows.filter(json__k__in=rows.filter(slug="list").values("json__other__0"))) == ["list"]
    assert found(face, rows.filter(json__k=rows.filter(slug="object").values("json__k")[:1])) == ["object"]
    assert "text" in found(face, rows.filter(char=F("json__k")))
    assert "number" in found(face, rows.filter(integer=F("json__k")))
    assert "false" in found(face, rows.filter(boolean=F("json__k")))
    assert "text" in found(face, rows.filter(char__in=rows.values("json__k")))
    numbers = rows.filter(slug__in=["number", "fraction"])
    assert found(face, numbers.filter(json__k__gt=F("integer"))) == ["fraction"]
    assert found(face, numbers.filter(json__k__lte=F("decimal"))) == ["fraction", "number"]
    assert found(face, numbers.filter(json__k__gte=Coalesce("json__missing", Value(2)))) == ["fraction"]
    assert found(face, numbers.filter(json__k__lt=Value(2, JSONField()))) == ["number"]
    assert found(face, numbers.filter(json__k__gt=Value(None))) == []
    assert found(face, numbers.filter(integer__lt=F("json__k"))) == ["fraction"]
    assert found(face, numbers.filter(json__k__range=(2, 3))) == ["fraction"]
    assert found(face, numbers.filter(json__k__range=(F("integer"), F("json__same")))) == [
        "fraction",
        "number",
    ]
    assert found(face, numbers.annotate(part=Coalesce("json__missing", "json__k")).filter(part__gt=1)) == [
        "fraction"
    ]


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize("aggregate", [Max, Sum, Avg])
def test_postgresql_is_not_asked_for_the_largest_document(face, rows, aggregate):
    with pytest.raises(
        NotSupportedError, match=f"{aggregate.__name__} of JSON is not possible on PostgreSQL: Cast it"
    ):
        face(Everything.objects.aggregate, n=aggregate("json__k"))
    numbers = Everything.objects.filter(slug__in=["number", "fraction"])
    assert face(numbers.aggregate, n=Max(Cast("json__k", FloatField()))) == {"n": 2.5}


@pytest.mark.without("mariadb", reason="parts of documents keep their quotes in patterns, as in Django")
def test_a_window_and_a_pattern_take_parts(face, rows):
    texts = Everything.objects.filter(slug__in=["text", "digits"]).order_by("slug")
    first = Window(FirstValue("json__k"), order_by="slug")
    assert face.list(texts.annotate(part=first).values_list("slug", "part")) == [
        ("digits", "1"),
        ("text", "1"),
    ]
    assert found(face, texts.filter(json__k__iexact=F("json__same"))) == ["digits", "text"]
    assert found(face, texts.filter(char__contains=F("json__k"))) == ["digits", "text"]
    assert found(face, texts.filter(json__k__regex=F("json__same"))) == ["digits", "text"]


def test_a_text_that_is_stored_in_a_column_of_documents_is_json(face, rows):
    one = Everything.objects.filter(slug="quotes")
    for value, document in ((F("char"), "x"), (F("integer"), 1), (F("boolean"), True), (F("decimal"), 2.5)):
        face(one.update, json=value)
        assert found(face, one.filter(json=document)) == ["quotes"]
    item = face(one.get)
    item.json = F("char")
    face(Everything.objects.bulk_update, [item], ["json"])
    assert face(one.get).json == "x"


def depth(value):
    levels = 0
    while value.__class__ in (list, dict):
        value, levels = (value[0] if value.__class__ is list else value["a"]), levels + 1
    return levels


@pytest.mark.without("mariadb", reason="its documents have no more than 32 levels")
@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a": ', "}")], ids=["lists", "objects"])
def test_documents_nested_a_thousand_levels_deep_are_read_and_compared(face, rows, before, after):
    document = f"{before * 980}1.0{after * 980}"
    one = Everything.objects.filter(slug="text")
    face(one.update, json=Cast(Value(document), JSONField()), text=document)
    assert depth(face(one.get).json) == 980
    assert found(face, one.filter(json=F("json"))) == ["text"]
    assert found(face, one.filter(json=Cast("text", JSONField()))) == ["text"]
    assert found(face, Everything.objects.filter(json=1)) == []
    assert found(face, one.exclude(json={"x": 1})) == ["text"]


def test_deep_documents_are_read_without_recursion():
    for levels in (3, 100_000):
        assert (
            depth(read_deep("[" * levels + ' "a\\"]" , {"b" : [2, null], "c": {}}' + "]" * levels)) == levels
        )
    text = '{"b": [1.0, {"y": 1.5, "x": "\\u00e9,]"}, [], {}], "a": null, "c": true}'
    assert read_deep(text) == json.loads(text)
    assert canonical_json(json.loads(text)) == '{"a":null,"b":[1,{"x":"\\u00e9,]","y":1.5},[],{}],"c":true}'
    for broken in ("[1, 2", "1 2", ""):
        with pytest.raises(json.JSONDecodeError):
            read_deep(broken)
