"""Hostile input at every public door: no value changes a statement, and no error but the documented ones.

FACADE_FUZZ is the number of examples for each door; the same ones are tried each time unless it is set.
"""

from __future__ import annotations

import os
import time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from facade import connections
from facade.exceptions import FieldDoesNotExist, FieldError, ObjectDoesNotExist, ValidationError
from facade.models import Count, F, Q, Value
from facade.models.functions import Concat, Lower
from tests.models import Author, Book, Everything, Publisher

BUDGET = int(os.environ.get("FACADE_FUZZ", "0"))
SECONDS = 1
ALL = Everything.objects
DOCUMENTED = (
    SQLAlchemyError,
    FieldError,
    FieldDoesNotExist,
    ValidationError,
    ObjectDoesNotExist,
    ValueError,
    TypeError,
    OverflowError,
)


fuzzed = settings(
    max_examples=BUDGET or 25,
    derandomize=not BUDGET,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXTS = st.one_of(
    st.sampled_from([
        "' OR 1=1 --", '"; DROP TABLE tests_everything; --', "%s", "%(x)s", ":x", "?", "\\", "\\'", "`", "$1", "{}", "%",
        "a\0b", "\ud800", "ﬁ", "\U0001d54a", "1e600000", "1e999999999", "nan", "infinity", "9" * 5000, "", " ", "null", "/* */",
    ]),
    st.text(max_size=30),
)  # fmt: skip
NUMBERS = st.one_of(
    st.sampled_from(
        [
            Decimal("1e999999999"),
            Decimal("-1e600000"),
            Decimal("1e-999999"),
            10**30,
            -(2**63),
            2**63 - 1,
            10**5000,
        ]
    ),
    st.integers(),
    st.decimals(),
    st.floats(),
)
NAMES = st.one_of(
    TEXTS, st.builds(str.__add__, st.sampled_from(["text__", "json__", "-", "integer__", "pk__"]), TEXTS)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=2), max_leaves=4
)

OF_TEXT = {
    "exact": lambda face, value: face.list(ALL.filter(text=value)),
    "contains": lambda face, value: face.list(ALL.filter(text__contains=value)),
    "iexact": lambda face, value: face.list(ALL.filter(text__iexact=value)),
    "exclude": lambda face, value: face.list(ALL.exclude(char__startswith=value)),
    "in": lambda face, value: face.list(ALL.filter(text__in=[value, "x"])),
    "Value": lambda face, value: face.list(ALL.annotate(x=Concat("text", Value(value))).values("x")),
    "aggregate": lambda face, value: face(ALL.aggregate, x=Count("pk", filter=Q(text=value))),
    "create": lambda face, value: face(ALL.create, text=value),
    "update": lambda face, value: face(ALL.filter(text=Lower(Value(value))).update, text=value),
    "has_key": lambda face, value: face.list(ALL.filter(json__has_key=value)),
    "raw": lambda face, value: face.list(ALL.raw("SELECT * FROM tests_everything WHERE text = %s", [value])),
    "cursor": lambda face, value: face(
        connections["default"].cursor().execute, "SELECT %s FROM tests_everything", [value]
    ),
    "extra": lambda face, value: face.list(ALL.extra(where=["tests_everything.text = %s"], params=[value])),
}
OF_NUMBERS = {
    "integer": lambda face, value: face.list(ALL.filter(integer__gt=value)),
    "decimal": lambda face, value: face.list(ALL.filter(decimal__lt=value)),
    "float": lambda face, value: face.list(ALL.exclude(float__gte=value)),
    "in": lambda face, value: face.list(ALL.filter(decimal__in=[value, 1])),
    "create": lambda face, value: face(ALL.create, decimal=value),
    "create integer": lambda face, value: face(ALL.create, integer=value, float=value),
    "update": lambda face, value: face(ALL.update, decimal=value),
    "update by": lambda face, value: face(ALL.update, integer=F("integer") + value),
    "bulk_create": lambda face, value: face(ALL.bulk_create, [Everything(decimal=value, integer=value)]),
    "get_or_create": lambda face, value: face(ALL.filter(pk=-1).get_or_create, float=value),
    "range": lambda face, value: face.list(ALL.filter(integer__range=(value, 5), float__range=(0, value))),
    "aggregate": lambda face, value: face(ALL.aggregate, x=Count("pk", filter=Q(decimal__gte=value))),
    "sum": lambda face, value: face.list(ALL.annotate(x=F("float") * value).filter(x__lt=value).values("x")),
    "Value": lambda face, value: face.list(ALL.filter(decimal__lt=Value(value))),
    "slice": lambda face, value: face.list(ALL.all()[:value]),
    "text as a number": lambda face, value: face.list(ALL.filter(decimal__gt=str(value))),
    "text as a duration": lambda face, value: face.list(ALL.filter(duration__gt=str(value))),
    "text as a moment": lambda face, value: face.list(ALL.filter(datetime__gt=str(value))),
}
OF_LENGTHS = {
    "filter": lambda face, value: face.list(ALL.filter(duration__lt=value)),
    "in": lambda face, value: face.list(ALL.filter(duration__in=[value])),
    "create": lambda face, value: face(ALL.create, duration=value),
    "update": lambda face, value: face(ALL.update, duration=value),
    "sum": lambda face, value: face.list(ALL.annotate(x=F("duration") + value).values("x")),
    "later": lambda face, value: face.list(ALL.annotate(x=F("datetime") - value).values("x")),
    "Value": lambda face, value: face.list(ALL.annotate(x=Value(value)).values("x")),
}
OF_NAMES = {
    "filter": lambda face, name: face.list(ALL.filter(**{name: "1"})),
    "exclude": lambda face, name: face.list(ALL.exclude(**{name: "1"})),
    "Q": lambda face, name: face.list(ALL.filter(Q(**{name: "1"}) | Q(pk=1))),
    "order_by": lambda face, name: face.list(ALL.order_by(name)),
    "values": lambda face, name: face.list(ALL.values(name)),
    "annotate": lambda face, name: face.list(ALL.annotate(x=F(name))),
    "alias": lambda face, name: face.list(ALL.annotate(**{name: Lower("text")}).values(name)),
    "aggregate": lambda face, name: face(ALL.aggregate, **{name: Count("pk")}),
    "extra": lambda face, name: face.list(ALL.extra(select={name: "1"})),
    "create": lambda face, name: face(ALL.create, **{name: "1"}),
    "update": lambda face, name: face(ALL.update, **{name: "1"}),
}


@pytest.fixture(autouse=True)
def tables(database):
    database.create(Publisher, Author, Book, Everything)
    return database


def statements(face, use, value):
    """Return the texts that were sent; None after an error, which must be one of the documented ones."""
    sent = []

    def listen(execute, sql, params, many, context):
        sent.append(sql)
        return execute(sql, params, many, context)

    begin = time.process_time()
    with connections["default"].execute_wrapper(listen):
        try:
            use(face, value)
        except DOCUMENTED:
            return None
        finally:
            assert time.process_time() - begin < SECONDS, f"{value!r:.80} took too long"
    return sent


@fuzzed
@given(door=st.sampled_from([*OF_TEXT]), value=TEXTS)
def test_no_text_changes_a_statement(face, door, value):
    if (sent := statements(face, OF_TEXT[door], value)) is not None:
        assert sent == statements(face, OF_TEXT[door], "plain")


@fuzzed
@given(door=st.sampled_from([*OF_NUMBERS]), value=NUMBERS)
def test_no_number_takes_long_or_fails_otherwise_than_documented(face, door, value):
    statements(face, OF_NUMBERS[door], value)


@fuzzed
@given(door=st.sampled_from([*OF_LENGTHS]), value=st.timedeltas())
def test_no_length_of_time_fails_otherwise_than_documented(face, door, value):
    statements(face, OF_LENGTHS[door], value)


@fuzzed
@given(door=st.sampled_from([*OF_NAMES]), name=NAMES)
def test_no_name_fails_otherwise_than_documented(face, door, name):
    before = face(ALL.count)
    statements(face, OF_NAMES[door], name)
    assert face(ALL.count) >= before


def store(face, document):
    face(ALL.create, json=document)


@fuzzed
@given(value=JSON)
def test_documents_come_back(face, value):
    if statements(face, store, {"x": value}) is not None:
        assert face(ALL.latest, "pk").json == {"x": value}
