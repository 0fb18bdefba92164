"""JSON documents in filters: their parts, their keys, their values."""

from __future__ import annotations

import pytest

from facade.exceptions import NotSupportedError
from facade.models import Count, F, IntegerField, JSONField, JSONNull, Value
from facade.models.functions import Cast, JSONArray, JSONObject, Lower
from facade.models.lookups import KT, KeyTransform
from tests.models import Everything

NO_NEGATIVE_INDEX = pytest.mark.without("mariadb", reason="Django knows no negative index there")
NO_DASH_FIRST = pytest.mark.without("mariadb", reason="its paths reach no key that begins with a dash")
PARTS_ARE_TEXT = pytest.mark.without(
    "mariadb", reason="a part of a document is compared as text, as in Django"
)
DOCUMENTS_HAVE_CASE = pytest.mark.without(
    "mariadb", reason="documents are compared by their bytes, as in Django"
)

ODD_KEYS = [
    'q"uote',
    "back\\slash",
    "new\nline",
    "é",
    "a b",
    "$",
    "[0]",
    "a.b",
    "%s",
    "?",
    ":p",
    "--",
    "'; DROP TABLE x",
    "x" * 300,
]
DOCUMENT = {
    "text": "Hello",
    "true": True,
    "false": False,
    "null": None,
    "number": 5,
    "float": 5.0,
    "word": "true",
    "digits": "5",
    "list": [1, [2, 3], {"deep": "x"}],
    "object": {"a": 1, "b": [None], "c": {"d": "Deep"}},
    "1": "one",
    **{key: index for index, key in enumerate(ODD_KEYS)},
}


@pytest.fixture
def rows(database):
    database.create(Everything)
    Everything.objects.create(char="document", json=DOCUMENT)
    Everything.objects.create(
        char="other", json={"text": "World", "number": 12, "list": [], "object": {"a": 2}}
    )
    Everything.objects.create(char="array", json=["item", 7])
    Everything.objects.create(char="json null", json=JSONNull())
    Everything.objects.create(char="null")


def found(face, *conditions, **lookups):
    return sorted(face.list(Everything.objects.filter(*conditions, **lookups).values_list("char", flat=True)))


@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"json__text": "Hello"}, ["document"]),
        ({"json__text": "hello"}, []),
        ({"json__true": True}, ["document"]),
        ({"json__true": 1}, []),
        ({"json__false": False}, ["document"]),
        ({"json__word": "true"}, ["document"]),
        ({"json__word": True}, []),
        ({"json__number": 5}, ["document"]),
        ({"json__number": 5.0}, ["document"]),
        ({"json__float": 5}, ["document"]),
        ({"json__digits": "5"}, ["document"]),
        ({"json__digits": 5}, []),
        ({"json__null": None}, ["document"]),
        ({"json__missing": None}, []),
        ({"json__object": {"c": {"d": "Deep"}, "b": [None], "a": 1}}, ["document"]),
        ({"json__list": []}, ["other"]),
        ({"json__list__0": 1}, ["document"]),
        ({"json__list__1__1": 3}, ["document"]),
        ({"json__list__2__deep": "x"}, ["document"]),
        pytest.param({"json__list__-1__deep": "x"}, ["document"], marks=NO_NEGATIVE_INDEX),
        ({"json__0": "item"}, ["array"]),
        pytest.param({"json__-1": 7}, ["array"], marks=NO_NEGATIVE_INDEX),
        ({"json__object__c__d": "Deep"}, ["document"]),
        ({"json__number__in": [5, 6]}, ["document"]),
        ({"json__number__in": [5, 12, None]}, ["document", "other"]),
        ({"json__text__in": ["Hello", "x"]}, ["document"]),
        ({"json__object__in": [{"a": 2}]}, ["other"]),
        ({"json__true__in": [True]}, ["document"]),
        ({"json__number__in": [F("json__float")]}, ["document"]),
        ({"json__number__in": [Value(5), 12]}, ["document", "other"]),
        ({"json__number__gt": 5}, ["other"]),
        ({"json__number__gte": 5}, ["document", "other"]),
        ({"json__number__lt": 6}, ["document"]),
        ({"json__number__lte": 5.5}, ["document"]),
        ({"json__text__gt": "J"}, ["other"]),
        ({"json__missing__gt": 0}, []),
        ({"json__text__iexact": "HELLO"}, ["document"]),
        ({"json__null__iexact": None}, ["document"]),
        ({"json__text__icontains": "O"}, ["document", "other"]),
        ({"json__text__startswith": "He"}, ["document"]),
        ({"json__text__istartswith": "he"}, ["document"]),
        ({"json__text__endswith": "ld"}, ["other"]),
        ({"json__text__iendswith": "LD"}, ["other"]),
        ({"json__text__regex": "^H.l+o$"}, ["document"]),
        ({"json__text__iregex": "^h"}, ["document"]),
        ({"json__text__isnull": True}, ["array", "json null", "null"]),
        ({"json__null__isnull": False}, ["document"]),
        ({"json__number": F("json__float")}, ["document"]),
        pytest.param({"json__object__a__lt": F("json__number")}, ["document", "other"], marks=PARTS_ARE_TEXT),
        ({"json__has_key": "text"}, ["document", "other"]),
        ({"json__has_key": "1"}, ["document"]),
        ({"json__has_key": "missing"}, []),
        ({"json__object__has_key": "c"}, ["document"]),
        ({"json__has_keys": ["text", "null"]}, ["document"]),
        ({"json__has_keys": ["text", "missing"]}, []),
        ({"json__has_any_keys": ["missing", "null"]}, ["document"]),
        ({"json__has_any_keys": ["missing"]}, []),
        ({"json__has_key": KeyTransform("c", KeyTransform("object", "json"))}, ["document"]),
        ({"json": DOCUMENT}, ["document"]),
        ({"json": dict(reversed(DOCUMENT.items()))}, ["document"]),
        ({"json": ["item", 7]}, ["array"]),
        ({"json__in": [["item", 7], {"x": 1}]}, ["array"]),
        ({"json": None}, ["json null"]),
        ({"json": JSONNull()}, ["json null"]),
        ({"json": Value(None, JSONField())}, ["json null"]),
        ({"json__isnull": True}, ["null"]),
        pytest.param({"json__icontains": "HELLO"}, ["document"], marks=DOCUMENTS_HAVE_CASE),
    ],
    ids=str,
)
def test_documents_are_found_by_their_parts(face, rows, lookups, expected):
    assert found(face, **lookups) == expected


@pytest.mark.parametrize(
    "key",
    [pytest.param(key, marks=NO_DASH_FIRST if key.startswith("-") else ()) for key in ODD_KEYS],
    ids=ascii,
)
def test_any_text_is_a_key_and_nothing_else(face, rows, key):
    value = DOCUMENT[key]
    assert found(face, **{f"json__{key}": value}) == ["document"]
    assert found(face, **{f"json__{key}": value + 1}) == []
    assert found(face, **{f"json__{key}__isnull": False}) == ["document"]
    assert found(face, json__has_key=key) == ["document"]
    assert found(face, json__has_keys=[key, "text"]) == ["document"]
    assert found(face, json__has_any_keys=[key, "missing"]) == ["document"]
    assert found(face, json__has_key=key + "x") == []


@pytest.mark.parametrize(
    "key",
    [pytest.param(key, marks=NO_DASH_FIRST if key.startswith("-") else ()) for key in ODD_KEYS],
    ids=ascii,
)
def test_behind_an_odd_key_lies_what_was_stored(face, rows, key):
    stored = {key: {"inner": ["x", None, True, 1.5, {key: "y"}]}}
    Everything.objects.create(char="odd", json=stored)
    assert found(face, **{f"json__{key}__inner__0": "x"}) == ["odd"]
    assert found(face, **{f"json__{key}__inner__1": None}) == ["odd"]
    assert found(face, **{f"json__{key}__inner__2": True}) == ["odd"]
    assert found(face, **{f"json__{key}__inner__4__{key}": "y"}) == ["odd"]
    selected = Everything.objects.filter(char="odd").annotate(
        part=KeyTransform("inner", KeyTransform(key, "json"))
    )
    assert face(selected.get).part == stored[key]["inner"]


@pytest.mark.vendors("postgres")
@pytest.mark.parametrize(
    ("lookups", "expected"),
    [
        ({"json__contains": {"text": "Hello", "object": {"a": 1}}}, ["document"]),
        ({"json__contains": {"text": "World"}}, ["other"]),
        ({"json__contains": [7]}, ["array"]),
        ({"json__object__contains": {"a": 2}}, ["other"]),
        ({"json__contained_by": ["item", 7, 8]}, ["array"]),
        ({"json__object__contained_by": {"a": 2, "z": 1}}, ["other"]),
    ],
    ids=str,
)
def test_documents_are_found_by_what_they_contain(face, rows, lookups, expected):
    assert found(face, **lookups) == expected


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize("lookup", ["contains", "contained_by"])
def test_sqlite_cannot_tell_what_documents_contain(face, rows, lookup):
    with pytest.raises(NotSupportedError, match=f"{lookup} lookup is not supported"):
        found(face, **{f"json__{lookup}": {"text": "Hello"}})


def test_excluding_by_a_part_keeps_what_has_another_value(face, rows):
    kept = Everything.objects.exclude(json__text="Hello").filter(json__has_key="text")
    assert [item.char for item in face.list(kept)] == ["other"]


# -- values -----------------------------------------------------------------------------------


PARTS = ["text", "true", "null", "number", "float", "word", "digits", "list", "object", "missing"]


def test_selected_parts_are_what_was_stored(face, rows):
    names = [f"json__{name}" for name in PARTS]
    found = face(Everything.objects.filter(char="document").values_list(*names).get)
    expected = tuple(DOCUMENT.get(name) for name in PARTS)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_parts_as_text_are_the_same_text_everywhere(face, rows, database):
    texts = {
        f"{name}_text": KT(f"json__{name}") for name in ("text", "true", "null", "number", "word", "missing")
    }
    null = "null" if database.vendor == "mysql" else None
    found = face(Everything.objects.filter(char="document").annotate(**texts).get)
    assert [getattr(found, name) for name in texts] == ["Hello", "true", null, "5", "true", None]
    lowered = Everything.objects.annotate(lowered=Lower(KT("json__text"))).filter(lowered="hello")
    assert face(lowered.get).char == "document"
    assert (
        face(Everything.objects.annotate(word=KT("json__text")).filter(word__startswith="Wo").get).char
        == "other"
    )


def test_a_path_of_text_has_a_key():
    with pytest.raises(ValueError, match="Lookup must contain key or index transforms"):
        KT("json")


@PARTS_ARE_TEXT
def test_rows_are_ordered_and_grouped_by_a_part(face, rows):
    with_number = Everything.objects.filter(json__number__isnull=False)
    assert [item.char for item in face.list(with_number.order_by("-json__number"))] == ["other", "document"]
    assert [item.char for item in face.list(with_number.order_by("json__number"))] == ["document", "other"]
    Everything.objects.create(char="again", json={"number": 5})
    counted = with_number.values("json__number").annotate(rows=Count("pk")).order_by("json__number")
    assert face.list(counted) == [{"json__number": 5, "rows": 2}, {"json__number": 12, "rows": 1}]


def test_a_part_is_cast(face, rows):
    doubled = Everything.objects.annotate(doubled=Cast("json__number", IntegerField()) * 2).filter(
        doubled__gt=0
    )
    assert sorted(face.list(doubled.values_list("doubled", flat=True))) == [10, 24]


def test_a_column_takes_a_part_of_a_document(face, rows):
    face(
        Everything.objects.filter(char="document").update,
        text=KT("json__object__c__d"),
        json=F("json__object"),
    )
    item = face(Everything.objects.get, char="document")
    assert item.text == "Deep"
    assert item.json == DOCUMENT["object"]


# -- documents that the database makes ------------------------------------------------------------


def test_objects_and_arrays_are_made_of_columns(face, rows):
    made = JSONObject(
        name="char",
        json="json",
        list=JSONArray("char", Value(1), Value(True), Value(None)),
        nested=JSONObject(x=Value(1.5)),
    )
    found = face(Everything.objects.filter(char="array").annotate(made=made).get).made
    assert found == {
        "name": "array",
        "json": ["item", 7],
        "list": ["array", 1, True, None],
        "nested": {"x": 1.5},
    }


def test_a_made_object_has_parts(face, rows):
    made = Everything.objects.annotate(made=JSONObject(name="char", odd=JSONArray(Value(1), "char")))
    assert face(made.get, made__name="array").char == "array"
    assert face(made.get, made__odd__1="other").char == "other"
    assert face(made.order_by("made__name").first).char == "array"


def test_an_object_without_items_and_an_empty_array(face, rows):
    made = Everything.objects.annotate(nothing=JSONObject(), none=JSONArray()).values_list("nothing", "none")
    assert face(made.first) == ({}, [])


def test_the_null_of_json_is_not_null(face, rows):
    face(Everything.objects.filter(char="null").update, json=JSONNull())
    assert found(face, json__isnull=True) == []
    assert found(face, json=JSONNull()) == ["json null", "null"]
    face(Everything.objects.filter(char="null").update, json=None)
    assert found(face, json__isnull=True) == ["null"]


@pytest.mark.vendors("postgres")
def test_distinct_takes_a_path_into_a_document(face, database):
    database.create(Everything)
    for document in ({"k": {"l": 1}}, {"k": {"l": 1, "m": 2}}, {"k": {"l": 2}}):
        face(Everything.objects.create, json=document)
    found = Everything.objects.distinct("json__k__l").order_by("json__k__l")
    assert face.list(found.values_list("json__k__l", flat=True)) == [1, 2]


def test_a_key_from_a_column_is_looked_for_or_refused(face, rows, database):
    Everything.objects.filter(char="other").update(text="text")
    if database.vendor == "mysql":
        with pytest.raises(NotSupportedError, match=r"has_key takes no expression on MySQL.*Give it a text"):
            found(face, json__has_key=F("text"))
    else:
        assert found(face, json__has_key=F("text")) == ["other"]
