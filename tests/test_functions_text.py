"""Functions of text give what Python gives."""

from __future__ import annotations

import hashlib

import pytest

from facade.models import CharField, F, Value
from facade.models.functions import (
    MD5,
    SHA1,
    SHA224,
    SHA256,
    SHA384,
    SHA512,
    Chr,
    Concat,
    Left,
    Length,
    Lower,
    LPad,
    LTrim,
    Ord,
    Repeat,
    Replace,
    Reverse,
    Right,
    RPad,
    RTrim,
    StrIndex,
    Substr,
    Trim,
    Upper,
)
from tests.models import Everything

TEXT = "Hällo Wörld"


@pytest.fixture
def row(database):
    database.create(Everything)
    return Everything.objects.create(char=TEXT, text="  spaced  ", integer=65)


def computed(face, expression):
    return face(Everything.objects.annotate(result=expression).values_list("result", flat=True).get)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Chr("integer"), "A"),
        (Concat("char", Value("!")), TEXT + "!"),
        (Concat("char", "slug", Value("!"), output_field=CharField()), TEXT + "!"),
        (Concat("char", "integer", output_field=CharField()), TEXT + "65"),
        (Left("char", 3), TEXT[:3]),
        (Right("char", 3), TEXT[-3:]),
        (Length("char"), len(TEXT)),
        (LPad("char", 15, Value("ab")), "abab" + TEXT),
        (LPad("char", 3), TEXT[:3]),
        (RPad("char", 15, Value("ab")), TEXT + "abab"),
        (LTrim("text"), "spaced  "),
        (RTrim("text"), "  spaced"),
        (Trim("text"), "spaced"),
        (Ord("char"), ord("H")),
        (Repeat("char", 2), TEXT * 2),
        (Replace("char", Value("l")), TEXT.replace("l", "")),
        (Replace("char", Value("l"), Value("L")), TEXT.replace("l", "L")),
        (Reverse("char"), TEXT[::-1]),
        (StrIndex("char", Value("W")), 7),
        (StrIndex("char", Value("x")), 0),
        (Substr("char", 7), "Wörld"),
        (Substr("char", 7, 2), "Wö"),
        (F("char")[6:8], "Wö"),
        (F("char")[0], "H"),
        (MD5("char"), hashlib.md5(TEXT.encode()).hexdigest()),
        (SHA224("char"), hashlib.sha224(TEXT.encode()).hexdigest()),
        (SHA256("char"), hashlib.sha256(TEXT.encode()).hexdigest()),
        (SHA384("char"), hashlib.sha384(TEXT.encode()).hexdigest()),
        (SHA512("char"), hashlib.sha512(TEXT.encode()).hexdigest()),
    ],
    ids=str,
)
def test_a_function_gives_what_python_gives(face, row, expression, expected):
    assert computed(face, expression) == expected


@pytest.mark.vendors("sqlite")
def test_sha1_needs_no_extension_on_sqlite(face, row):
    assert computed(face, SHA1("char")) == hashlib.sha1(TEXT.encode()).hexdigest()


@pytest.mark.parametrize("function", [Lower, Upper])
def test_case_is_changed(face, row, function):
    assert computed(face, function(Value("Hello"))) == getattr("Hello", function.lookup_name)()


@pytest.mark.parametrize(
    "expression",
    [Left("slug", 2), Length("slug"), LPad("slug", 5), MD5("slug"), Reverse("slug"), Repeat("slug", 2)],
    ids=str,
)
def test_null_stays_null(face, row, expression):
    assert computed(face, expression) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Left("char", 0), "'length' must be greater than 0."),
        (lambda: LPad("char", -1), "'length' must be greater or equal to 0."),
        (lambda: Repeat("char", -1), "'number' must be greater or equal to 0."),
        (lambda: Substr("char", 0), "'pos' must be greater than 0"),
        (lambda: Concat("char"), "Concat must take at least two expressions"),
    ],
)
def test_arguments_out_of_range_are_refused_when_written(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_registered_function_is_a_transform(face, row):
    CharField.register_lookup(Length)
    try:
        assert face(Everything.objects.filter(char__length=len(TEXT)).exists)
        assert not face(Everything.objects.filter(char__length__gt=len(TEXT)).exists)
    finally:
        CharField._unregister_class_lookup(Length)


def test_rows_are_ordered_and_grouped_by_a_function(face, row):
    Everything.objects.create(char="9 lives")
    ordered = Everything.objects.order_by(Substr("char", 2, 1).desc(), Left("char", Value(1)))
    assert [item.char for item in face.list(ordered)] == [TEXT, "9 lives"]
    values = Everything.objects.annotate(first=Left("char", 1)).values_list("first", flat=True).distinct()
    assert sorted(face.list(values)) == ["9", "H"]
