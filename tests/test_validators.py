"""The validators: what passes, what is refused with which message, and which are equal."""

import copy
import ipaddress
import pickle
import re
import time
from decimal import Decimal
from types import SimpleNamespace
from unittest import mock

import pytest

from facade import validators as v
from facade.exceptions import ValidationError
from facade.parsing.addresses import clean_ipv6_address


def refused(validator, value):
    try:
        assert validator(value) is None
    except ValidationError as error:
        return error
    return None


PASSES = [
    (v.validate_integer, ["42", "-42", 42]),
    (
        v.validate_email,
        ["a@b.co", "a.b+c@sub.example.com", '"quoted@text"@b.co', "a@localhost", "a@[127.0.0.1]"],
    ),
    (v.validate_email, ["a@[::ffff:1.2.3.4]", "a@xn--h1ahn.xn--p1acf", "a@münchen.de"]),
    (v.EmailValidator(allowlist=["intern"]), ["a@intern"]),
    (v.validate_domain_name, ["example.com", "a.example.com.", "müller.de", "a-b.co", "x" * 63 + ".com"]),
    (v.DomainNameValidator(accept_idna=False), ["example.com", "xn--mller-kva.de"]),
    (v.URLValidator(), ["http://example.com", "HTTPS://user:pw@example.com:8080/a?b=c#d", "ftp://1.2.3.4/x"]),
    (
        v.URLValidator(),
        ["http://localhost:3000", "http://[::1]:80/", "http://مثال.إختبار", "http://example.com./"],
    ),
    (v.URLValidator(["git+ssh"]), ["git+ssh://example.com/x.git"]),
    (v.validate_slug, ["a-b_C9"]),
    (v.validate_unicode_slug, ["ärger-9_x"]),
    (v.validate_ipv4_address, ["1.2.3.4", "255.255.255.255"]),
    (v.validate_ipv6_address, ["::1", "fe80::9", "::ffff:1.2.3.4", ipaddress.IPv6Address("::1")]),
    (v.validate_ipv46_address, ["1.2.3.4", "::1"]),
    (v.validate_comma_separated_integer_list, ["1", "12,3,04"]),
    (v.int_list_validator(sep=".", allow_negative=True), ["1.-2.3"]),
    (v.MaxValueValidator(10), [10, -5]),
    (v.MaxValueValidator(lambda: 10), [10]),
    (v.MinValueValidator(-10), [-10, 0]),
    (v.StepValueValidator(3), [0, 9, -3]),
    (v.StepValueValidator(0.1), [0.3, 5.5]),
    (v.StepValueValidator(3, offset=1), [1, 7]),
    (v.MaxLengthValidator(3), ["abc", []]),
    (v.MinLengthValidator(3), ["abc", [1, 2, 3]]),
    (v.DecimalValidator(4, 2), [Decimal(text) for text in ("12.34", "-99.99", "0", "1E+1", "0.01", "0E+7")]),
    (v.DecimalValidator(None, None), [Decimal("1E+99")]),
    (v.RegexValidator("x"), ["axb"]),
    (v.RegexValidator("x", inverse_match=True), ["ab"]),
    (v.RegexValidator("X", flags=re.IGNORECASE), ["axb"]),
    (v.RegexValidator(), ["anything"]),
    (v.FileExtensionValidator(["TXT"]), [SimpleNamespace(name="a.b.txt"), SimpleNamespace(name="A.TXT")]),
    (v.FileExtensionValidator(), [SimpleNamespace(name="a.exe")]),
    (v.ProhibitNullCharactersValidator(), ["text"]),
    (v.BaseValidator(True), [True]),
]
REFUSES = [
    (v.validate_integer, ["a", "", "1.5", "1\n", None]),
    (
        v.validate_email,
        [
            None,
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a b@c.de",
            "a@b..co",
            "a@-b.co",
            "a@[1.2.3]",
            "a@b.co\n",
            5,
            ["@"],
        ],
    ),
    (v.validate_email, ["x" * 320 + "@b.co", "a@[::ffff::1.2.3.4]", ".a@b.co", "a.@b.co", "a@b.c_m"]),
    (
        v.validate_domain_name,
        ["", "com", "-a.com", "a-.com", "a..com", "x" * 64 + ".com", "a_b.com", "a.com\n", 5],
    ),
    (v.validate_domain_name, ["a" * 60 + "." + "b." * 120 + "com", "a.1"]),
    (v.DomainNameValidator(accept_idna=False), ["müller.de"]),
    (v.URLValidator(), ["", "example.com", "://x.de", "http://", "http://-a.com", "http://a b.com", None, 5]),
    (
        v.URLValidator(),
        ["git://example.com", "http://example.com\n", "http://exa\tmple.com", "http://[::1", "http://a"],
    ),
    (
        v.URLValidator(),
        ["http://256.1.1.1/", "http://1.2.3.4.5/", "http://[1.2.3.4]/", "http://example.com:123456/"],
    ),
    (
        v.URLValidator(),
        ["http://a.com/" + "x" * 2048, "http://" + "a." * 130 + "com", "http://@example.com:99"],
    ),
    (v.validate_slug, ["", "a b", "ä", "a.b", "a\n"]),
    (v.validate_unicode_slug, ["", "a b", "a.b"]),
    (v.validate_ipv4_address, ["256.1.1.1", "1.2.3", "01.2.3.4", "", "1.2.3.4 "]),
    (v.validate_ipv6_address, ["1.2.3.4", ":::", "12345::", "x" * 40, None]),
    (v.validate_ipv46_address, ["256.1.1.1", "::z", "12.3"]),
    (v.validate_comma_separated_integer_list, ["", "1,", ",1", "1, 2", "a", "-1", "1\n"]),
    (v.MaxValueValidator(10), [11]),
    (v.MaxValueValidator(lambda: 10), [11]),
    (v.MinValueValidator(-10), [-11]),
    (v.StepValueValidator(3), [1, 10]),
    (v.StepValueValidator(3, offset=1), [3]),
    (v.MaxLengthValidator(3), ["abcd"]),
    (v.MinLengthValidator(3), ["ab"]),
    (
        v.DecimalValidator(4, 2),
        [Decimal(text) for text in ("123.4", "1.234", "12345", "1E+3", "1E-3", "NaN", "-Infinity")],
    ),
    (v.RegexValidator("x"), ["ab", 5]),
    (v.RegexValidator("x", inverse_match=True), ["axb"]),
    (
        v.FileExtensionValidator(["txt"]),
        [SimpleNamespace(name=name) for name in ("a.exe", "txt", "a.txt.zip")],
    ),
    (v.FileExtensionValidator([]), [SimpleNamespace(name="a.txt")]),
    (v.ProhibitNullCharactersValidator(), ["a\0b"]),
    (v.BaseValidator(True), [False]),
]


def _pairs(cases):
    return [
        pytest.param(validator, value, id=repr(value)[:40]) for validator, values in cases for value in values
    ]


@pytest.mark.parametrize(("validator", "value"), _pairs(PASSES))
def test_it_passes(validator, value):
    assert refused(validator, value) is None


@pytest.mark.parametrize(("validator", "value"), _pairs(REFUSES))
def test_it_is_refused(validator, value):
    error = refused(validator, value)
    assert error is not None
    assert error.params["value"] is value
    assert error.code


@pytest.mark.parametrize(
    ("validator", "value", "code", "message"),
    [
        (v.MaxValueValidator(3), 4, "max_value", "Ensure this value is less than or equal to 3."),
        (v.MinValueValidator(3, "Too small: %(show_value)s"), 2, "min_value", "Too small: 2"),
        (
            v.MaxLengthValidator(1),
            "ab",
            "max_length",
            "Ensure this value has at most 1 character (it has 2).",
        ),
        (
            v.MinLengthValidator(2),
            "a",
            "min_length",
            "Ensure this value has at least 2 characters (it has 1).",
        ),
        (
            v.StepValueValidator(5, offset=2),
            3,
            "step_size",
            "Ensure this value is a multiple of step size 5, starting from 2, e.g. 2, 7, 12, and so on.",
        ),
        (
            v.DecimalValidator(1, None),
            Decimal(12),
            "max_digits",
            "Ensure that there are no more than 1 digit in total.",
        ),
        (
            v.DecimalValidator(None, 2),
            Decimal("0.123"),
            "max_decimal_places",
            "Ensure that there are no more than 2 decimal places.",
        ),
        (
            v.DecimalValidator(3, 2),
            Decimal(12),
            "max_whole_digits",
            "Ensure that there are no more than 1 digit before the decimal point.",
        ),
        (
            v.FileExtensionValidator(["txt", "pdf"]),
            SimpleNamespace(name="a.exe"),
            "invalid_extension",
            "File extension “exe” is not allowed. Allowed extensions are: txt, pdf.",
        ),
        (v.RegexValidator("x", "No x.", "no_x"), "y", "no_x", "No x."),
        (v.validate_ipv46_address, "x", "invalid", "Enter a valid IPv4 or IPv6 address."),
    ],
)
def test_it_tells_what_is_wrong(validator, value, code, message):
    error = refused(validator, value)
    assert error.code == code
    assert error.messages == [message]


def test_flags_need_a_text():
    with pytest.raises(TypeError, match="If the flags are set, regex must be a regular expression string"):
        v.RegexValidator(re.compile("a"), flags=re.IGNORECASE)


@pytest.mark.parametrize(
    "text",
    [
        "http://" + "a-" * 1000 + "!",
        "http://a" + ".a" * 900 + "!",
        "http://" + "-" * 2000,
        "http://" + "a." * 1000,
    ],
)
def test_long_nonsense_is_refused_quickly(text):
    start = time.perf_counter()
    assert refused(v.URLValidator(), text)
    assert time.perf_counter() - start < 0.5


class TestEquality:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: v.RegexValidator("a", flags=re.IGNORECASE),
            lambda: v.EmailValidator("m", allowlist=["a", "b"]),
            lambda: v.URLValidator(["a"]),
            lambda: v.DomainNameValidator(accept_idna=False, code="x"),
            lambda: v.MaxValueValidator(4),
            lambda: v.StepValueValidator(4, offset=1),
            lambda: v.DecimalValidator(4, 2),
            lambda: v.FileExtensionValidator(["a", "B"]),
            v.ProhibitNullCharactersValidator,
        ],
    )
    def test_equal_are_those_with_the_same_settings(self, make):
        assert make() == make()
        assert hash(make()) == hash(make())
        assert copy.deepcopy(make()) == pickle.loads(pickle.dumps(make())) == make()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (v.RegexValidator("a"), v.RegexValidator("b")),
            (v.RegexValidator("a"), v.RegexValidator("a", inverse_match=True)),
            (v.RegexValidator("a"), v.RegexValidator("a", flags=re.IGNORECASE)),
            (v.RegexValidator("a"), v.RegexValidator("a", "m")),
            (v.EmailValidator(), v.EmailValidator("m")),
            (v.MaxValueValidator(4), v.MinValueValidator(4)),
            (v.MaxValueValidator(4), v.MaxValueValidator(5)),
            (v.StepValueValidator(4), v.StepValueValidator(4, offset=1)),
            (v.DecimalValidator(4, 2), v.DecimalValidator(4, 1)),
            (v.DecimalValidator(4, 2), 4),
            (v.FileExtensionValidator(["a"]), v.FileExtensionValidator(["a", "b"])),
            (v.DomainNameValidator(), v.EmailValidator()),
        ],
    )
    def test_others_are_not(self, one, other):
        assert one != other

    def test_order_does_not_matter_where_it_has_no_meaning(self):
        assert v.EmailValidator(allowlist=["a", "b"]) == v.EmailValidator(allowlist=["b", "a"])
        assert v.FileExtensionValidator(["a", "b"]) == v.FileExtensionValidator(["B", "A"])

    def test_other_kinds_of_objects_may_decide(self):
        assert v.MaxValueValidator(4) == mock.ANY


class Limit(v.MaxValueValidator):
    """A validator of the user."""


class TestDeconstruction:
    def test_it_tells_how_it_was_made(self):
        assert v.MaxValueValidator(4, message="m").deconstruct() == (
            "facade.validators.MaxValueValidator",
            (4,),
            {"message": "m"},
        )
        assert Limit(4).deconstruct()[0] == f"{__name__}.Limit"

    def test_a_class_that_cannot_be_imported_is_refused(self):
        class Hidden(v.MaxValueValidator):
            pass

        with pytest.raises(ValueError, match="Could not find object Hidden in"):
            Hidden(3).deconstruct()


class TestAddresses:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2001:DB8:0:0:0::1", "2001:db8::1"),
            ("::ffff:0a0a:0a0a", "::ffff:10.10.10.10"),
            ("0:0:0:0:0:0:0:0", "::"),
        ],
    )
    def test_an_address_is_written_in_its_shortest_form(self, text, expected):
        assert clean_ipv6_address(text) == expected

    def test_a_mapped_address_can_be_unpacked(self):
        assert clean_ipv6_address("::ffff:0a0a:0a0a", unpack_ipv4=True) == "10.10.10.10"

    @pytest.mark.parametrize("text", ["1:2", "foo", "::1" + " " * 40])
    def test_what_is_none_is_refused(self, text):
        with pytest.raises(ValidationError, match="This is not a valid IPv6 address"):
            clean_ipv6_address(text)

    def test_the_protocol_chooses_the_validators(self):
        assert v.ip_address_validators("IPv4", False) == [v.validate_ipv4_address]
        with pytest.raises(ValueError, match="The protocol 'x' is unknown"):
            v.ip_address_validators("x", False)
        with pytest.raises(ValueError, match="You can only use `unpack_ipv4`"):
            v.ip_address_validators("ipv4", True)


def test_every_public_name_is_there():
    assert all(hasattr(v, name) for name in v.__all__)
