"""Enumerations with labels, and the normal form of choices."""

import datetime as dt
import enum
import ipaddress

import pytest

from facade.choices import (
    BlankChoiceIterator,
    CallableChoiceIterator,
    Choices,
    IntegerChoices,
    TextChoices,
    flatten_choices,
    normalize_choices,
)


class Suit(IntegerChoices):
    HEART = 1, "Hearts"
    SPADE = 2
    BIG_ONE = 3

    __empty__ = "(none)"


class Size(TextChoices):
    SMALL = "S", "small"
    LARGE = "L"
    UNKNOWN = "", "?"


class Landing(dt.date, Choices):
    FIRST = 1969, 7, 20, "Apollo 11"
    SECOND = 1969, 11, 19


class Address(ipaddress.IPv4Address, Choices):
    LOCAL = "127.0.0.1", "here"


class Promise:
    """A lazy text as Django's translations make them."""

    def __init__(self, text):
        self.text = text

    def _proxy____cast(self):
        return self.text


class TestEnumerations:
    def test_the_last_of_several_values_is_the_label(self):
        assert Suit.HEART.label == "Hearts"
        assert Suit.HEART.value == 1
        assert type(Suit.HEART.value) is int

    def test_without_a_label_the_name_is_one(self):
        assert Suit.BIG_ONE.label == "Big One"
        assert Size.LARGE.label == "Large"

    def test_they_are_listed_with_the_empty_choice_first(self):
        assert Suit.choices == [(None, "(none)"), (1, "Hearts"), (2, "Spade"), (3, "Big One")]
        assert Suit.labels == ["(none)", "Hearts", "Spade", "Big One"]
        assert Suit.values == [None, 1, 2, 3]
        assert Suit.names == ["__empty__", "HEART", "SPADE", "BIG_ONE"]

    def test_an_empty_text_may_be_a_member(self):
        assert Size.choices == [("S", "small"), ("L", "Large"), ("", "?")]
        assert Size.names == ["SMALL", "LARGE", "UNKNOWN"]

    def test_a_member_is_its_value(self):
        assert Suit.SPADE == 2
        assert Suit(2) is Suit.SPADE
        assert Size.SMALL == "S"
        assert str(Size.SMALL) == f"{Size.SMALL}" == "S"
        assert str(Suit.HEART) == "1"
        assert repr(Suit.HEART) == "Suit.HEART"

    def test_values_are_contained_as_members_are(self):
        assert Suit.HEART in Suit
        assert 1 in Suit
        assert "S" in Size
        assert 9 not in Suit
        assert [] not in Suit
        assert Size.SMALL not in Suit

    def test_any_type_can_have_choices(self):
        assert Landing.choices == [(dt.date(1969, 7, 20), "Apollo 11"), (dt.date(1969, 11, 19), "Second")]
        assert Address.LOCAL.is_loopback
        assert Address.labels == ["here"]

    def test_the_functional_form(self):
        assert IntegerChoices("Place", "FIRST SECOND").choices == [(1, "First"), (2, "Second")]
        assert TextChoices("Medal", "GOLD SILVER").choices == [("GOLD", "Gold"), ("SILVER", "Silver")]

    def test_auto_gives_a_text_its_name(self):
        class Medal(TextChoices):
            GOLD = enum.auto()
            SILVER = enum.auto(), "2nd"

        assert Medal.values == ["GOLD", "SILVER"]
        assert Medal.labels == ["Gold", "2nd"]

    def test_a_label_may_be_a_lazy_text(self):
        label = Promise("Herz")

        class Lazy(IntegerChoices):
            HEART = 1, label

        assert Lazy.HEART.label is label

    @pytest.mark.parametrize("name", ["label", "do_not_call_in_templates"])
    def test_a_member_may_be_called(self, name):
        kind = IntegerChoices("Kind", [name])
        assert getattr(kind, name).value == 1
        assert getattr(kind, name).name == name

    @pytest.mark.parametrize("name", ["choices", "labels", "names", "values"])
    def test_a_member_may_not_be_called(self, name):
        with pytest.raises(AttributeError):
            TextChoices("Kind", [name])

    def test_template_engines_are_told_not_to_call_the_class(self):
        assert Suit.do_not_call_in_templates is True
        assert "do_not_call_in_templates" not in Suit.__members__

    def test_values_are_unique(self):
        with pytest.raises(ValueError, match="duplicate values found in <enum 'Fruit'>: PEAR -> APPLE"):

            class Fruit(IntegerChoices):
                APPLE = 1, "Apple"
                PEAR = 1, "Pear"

    def test_too_many_values_are_refused(self):
        with pytest.raises(TypeError):

            class Wrong(IntegerChoices):
                ONE = 1, "X", "Invalid"


class TestNormalForm:
    @pytest.mark.parametrize(
        "choices",
        [
            [("a", "A"), ("b", "B")],
            (["a", "A"], ["b", "B"]),
            {"a": "A", "b": "B"},
            iter([("a", "A"), ("b", "B")]),
            lambda: {"a": "A", "b": "B"},
        ],
    )
    def test_all_ways_to_write_choices_give_pairs(self, choices):
        assert normalize_choices(choices) == [("a", "A"), ("b", "B")]

    def test_an_enumeration_gives_its_choices(self):
        assert normalize_choices(Size) == Size.choices
        assert normalize_choices(lambda: Size) == Size.choices

    @pytest.mark.parametrize(
        "group",
        [[("a", "A")], {"a": "A"}, lambda: [("a", "A")], (("a", "A"),)],
        ids=lambda g: type(g).__name__,
    )
    def test_groups_may_be_written_the_same_ways(self, group):
        assert normalize_choices({"Letters": group, "1": "One"}) == [("Letters", [("a", "A")]), ("1", "One")]
        assert normalize_choices([("Letters", group)]) == [("Letters", [("a", "A")])]

    def test_an_enumeration_may_be_a_group(self):
        assert normalize_choices({"Sizes": Size}) == [("Sizes", Size.choices)]

    @pytest.mark.parametrize(
        "wrong", ["ab", b"ab", 5, None, ["ab"], [(1, 2, 3)], [5], [("g", "text")]], ids=repr
    )
    def test_what_is_no_choices_stays_as_it_is(self, wrong):
        assert normalize_choices(wrong) == wrong

    def test_a_function_is_called_each_time(self):
        known = [("a", "A")]
        choices = normalize_choices(lambda: known)
        assert isinstance(choices, CallableChoiceIterator)
        assert choices == [("a", "A")]
        known.append(("b", "B"))
        assert choices == [("a", "A"), ("b", "B")]
        assert choices != [("a", "A")]

    def test_lazy_choices_can_be_indexed(self):
        choices = normalize_choices(lambda: [(1, "A"), (2, "B"), (3, "C")])
        assert choices[0] == (1, "A")
        assert choices[-1] == (3, "C")
        assert choices[1:] == [(2, "B"), (3, "C")]
        with pytest.raises(IndexError):
            choices[3]

    def test_flat_choices_have_no_groups(self):
        assert list(flatten_choices([("g", [(1, "A"), (2, "B")]), (3, "C")])) == [
            (1, "A"),
            (2, "B"),
            (3, "C"),
        ]
        assert list(flatten_choices(None)) == []

    @pytest.mark.parametrize(
        ("choices", "expected"),
        [
            ([(1, "A")], [("", "---"), (1, "A")]),
            ([("", "none"), (1, "A")], [("", "none"), (1, "A")]),
            ([(None, "none")], [(None, "none")]),
            ([("g", [("", "none")])], [("g", [("", "none")])]),
        ],
    )
    def test_a_blank_choice_is_added_where_there_is_none(self, choices, expected):
        assert BlankChoiceIterator(choices, [("", "---")]) == expected
