"""Parts of services that need no framework: tags of states, filters' declarations, requests' options."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from decimal import Decimal
from enum import Enum

import msgspec
import pytest
import sqlalchemy as sa
from pydantic import BaseModel, Field

import facade
from facade import models
from facade.contrib.service.errors import BodyError, ParameterError
from facade.contrib.service.etags import (
    NotModified,
    PreconditionFailed,
    PreconditionRequired,
    Preconditions,
    etag,
)
from facade.contrib.service.evaluation import is_lazy
from facade.contrib.service.filtering import Filtering
from facade.contrib.service.pagination.numbered import PageNumberPagination
from facade.contrib.service.serialization import as_json, read_body
from facade.contrib.service.streaming import csv_lines, json_lines
from facade.contrib.service.transactions import RequestAtomic, is_async, whole
from facade.exceptions import ImproperlyConfigured, TransactionManagementError
from facade.models import F
from tests.bookshop import Novelist, Paperback, fill


class Color(Enum):
    RED = "red"


class Scribble(models.Model):
    text = models.CharField(max_length=20, null=True)
    data = models.JSONField(null=True)
    taken = models.DurationField(null=True)
    image = models.BinaryField(null=True)
    ratio = models.FloatField(null=True)
    color = models.TypedField(sa.Enum(Color), null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def shop(database):
    database.create(Novelist, Paperback)
    fill()
    return database


# -- tags of states ----------------------------------------------------------------------------------------------------


def test_a_tag_is_that_of_the_stored_state(face, database, shop):
    made = Paperback(title="New", price="1.5", published="2024-01-02", stock="3")
    face(made.save)
    read = face(Paperback.objects.get, title="New")
    assert etag(made) == etag(read)
    assert etag(read, "de") != etag(read)
    tags = {etag(read)}
    for name, value in (("price", Decimal(2)), ("published", None), ("title", "Other"), ("stock", 4)):
        setattr(read, name, value)
        tags.add(etag(read))
    assert len(tags) == 5
    with pytest.raises(ImproperlyConfigured, match="price are not loaded"):
        etag(face(Paperback.objects.defer("price").get, title="New"))
    read.stock = F("stock") + 1
    with pytest.raises(ImproperlyConfigured, match="stock is an expression"):
        etag(read)


def test_values_that_look_alike_have_tags_of_their_own():
    same = {"b": 1, "a": [1, None]}
    states = [
        Scribble(id=1),
        Scribble(id=1, text="None"),
        Scribble(id=1, text="True"),
        Scribble(id=1, data=same),
        Scribble(id=1, data=str(same)),
    ]
    assert len({etag(one) for one in states}) == 5
    assert etag(states[3]) == etag(Scribble(id=1, data={"a": [1, None], "b": 1}))  # as jsonb gives it back
    assert etag(states[0], None) != etag(states[0], "None")


SEEN = '"a"'


@pytest.mark.parametrize(
    ("method", "headers", "tag", "error"),
    [
        ("GET", {}, SEEN, None),
        ("GET", {"if-none-match": '"b"'}, SEEN, None),
        ("GET", {"if-none-match": '"b", W/"a"'}, SEEN, NotModified),
        ("HEAD", {"if-none-match": "*"}, SEEN, NotModified),
        ("PUT", {"if-none-match": "*"}, SEEN, PreconditionFailed),
        ("PUT", {"if-none-match": "*"}, None, None),
        ("PUT", {"if-match": '"b,c", "a"'}, SEEN, None),
        ("PUT", {"if-match": 'W/"a"'}, SEEN, PreconditionFailed),
        ("PUT", {"if-match": '"b"'}, SEEN, PreconditionFailed),
        ("PUT", {"if-match": "*"}, SEEN, None),
        ("PUT", {"if-match": "*"}, None, PreconditionFailed),
        ("PUT", {"if-match": "nonsense"}, SEEN, PreconditionFailed),
        ("DELETE", {}, SEEN, PreconditionRequired),
    ],
)
def test_conditions_are_those_of_http(method, headers, tag, error):
    conditions = Preconditions.of(method, headers)
    if error is None:
        conditions.check(tag, required=True)
        return
    with pytest.raises(error) as caught:
        conditions.check(tag, required=True)
    assert caught.value.headers == ({} if tag is None else {"ETag": tag})


# -- filters -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ({"fields": ["tittle"]}, "'tittle' cannot be filtered by"),
        ({"fields": {"title": ["like"]}}, "has no lookup 'like'. Lookups: .*icontains"),
        ({"search": ["price"]}, "'price' cannot be searched, since it is no text"),
        ({"search": ["titel"]}, "cannot be filtered by"),
        ({"ordering": ["nothing"]}, "cannot be filtered by"),
    ],
)
def test_what_a_model_has_not_is_told_where_it_is_declared(declaration, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        Filtering(Paperback, **declaration)
    with pytest.raises(ImproperlyConfigured, match="several of them"):
        Filtering(Novelist, ordering=["paperbacks__title"])


def test_a_condition_over_many_rows_gives_each_object_once(face, database, shop):
    allowed = Filtering(
        Novelist,
        {"paperbacks__price": ["gte"], "paperbacks__title": ["in"]},
        search=["paperbacks__title", "name__istartswith"],
    )
    for values in (
        {"paperbacks__price__gte": Decimal(1)},
        {"paperbacks__title__in": ["Paperback 0", "Paperback 1", "Paperback 4"]},
        {"search": "paperback"},
    ):
        found = face.list(allowed.bind(values).apply(Novelist.objects.order_by("name")))
        assert [novelist.name for novelist in found] == ["Ann", "Bea"], values
    assert [
        novelist.name for novelist in face.list(allowed.bind({"search": "b 1"}).apply(Novelist.objects))
    ] == ["Bea"]
    with pytest.raises(ParameterError, match="No more than 200 words"):
        allowed.bind({"search": "b " * 300})


def test_dates_moments_and_keys_are_those_of_the_fields():
    kinds = {
        one.name: one.kind
        for one in Filtering(
            Paperback, ["published", "published__month", "novelist", "price", "pk"]
        ).parameters
    }
    assert kinds == {
        "published": dt.date,
        "published__month": int,
        "novelist": int,
        "price": Decimal,
        "pk": int,
    }


# -- what is sent ------------------------------------------------------------------------------------------------------


async def sent(lines):
    return b"".join([part async for part in lines]).decode()


ODD = {
    "text": '=1+1, "a"\n', "data": {"a": [1, "ä"]}, "taken": dt.timedelta(hours=1), "image": b"\0\xff", "ratio": float("inf"), "color": Color.RED,
}  # fmt: skip


@pytest.fixture
def scribbles(database):
    database.create(Scribble)


@pytest.mark.vendors("sqlite", "postgres")
async def test_rows_are_sent_with_values_of_all_kinds(scribbles):
    await Scribble.objects.acreate(**ODD)
    await Scribble.objects.acreate()
    rows = Scribble.objects.order_by("id")
    lines = (await sent(json_lines(rows.values(*ODD)))).splitlines()
    found = {
        "text": ODD["text"],
        "data": ODD["data"],
        "taken": "01:00:00",
        "image": "AP8=",
        "ratio": "Infinity",
        "color": "red",
    }
    assert json.loads(lines[0], parse_constant=pytest.fail) == found
    assert json.loads(lines[1]) == dict.fromkeys(ODD)
    for spreadsheet in (False, True):
        text = await sent(csv_lines(rows, [*ODD], spreadsheet=spreadsheet))
        cells = [*csv.reader(io.StringIO(text, newline=""))]
        assert cells[0] == [*ODD]
        assert cells[1] == [
            "'" * spreadsheet + ODD["text"],
            '{"a":[1,"ä"]}',
            "01:00:00",
            "AP8=",
            "inf",
            "red",
        ]
        assert cells[2] == [""] * 6
    await rows.filter(ratio=None).aupdate(text="-2", ratio=-2)
    table = csv_lines(rows.filter(text="-2"), {"text": "=Text", "ratio": "-"}, spreadsheet=True)
    assert (await sent(table)).splitlines() == ["'=Text,'-", "'-2,-2.0"]
    for columns in ([], {}, "text"):
        with pytest.raises(TypeError, match="all would be sent"):
            csv_lines(rows, columns)


def test_json_is_that_of_the_libraries():
    class Renamed(msgspec.Struct, rename="camel"):
        first_name: str
        left: int | msgspec.UnsetType = msgspec.UNSET

    class Aliased(BaseModel):
        name: str = Field(serialization_alias="theName")

    for answer, wanted in (
        (Renamed("Ann"), {"firstName": "Ann"}),
        (Aliased(name="Ann"), {"theName": "Ann"}),
        ([Renamed("Ann"), Aliased(name="Ann")], [{"firstName": "Ann"}, {"theName": "Ann"}]),
        ({"none": float("nan"), "half": "\ud800", "more": [-math.inf]}, {"none": "NaN", "half": "\ud800", "more": ["-Infinity"]}),
    ):  # fmt: skip
        assert json.loads(as_json(answer), parse_constant=pytest.fail) == wanted


def test_a_body_that_is_none_is_told(face):
    class Wanted(msgspec.Struct):
        number: int

    class Modelled(BaseModel):
        number: int

    for schema in (Wanted, Modelled, None):
        for body in (b"{", b"\xff", b"[" * 100_000, b'{"number": "x"}', b""):
            if schema is not None or body[:2] != b'{"':
                with pytest.raises(BodyError) as caught:
                    read_body(schema, body)
                assert caught.value.problems[0].where[0] == "body"


# -- requests ----------------------------------------------------------------------------------------------------------


def test_options_of_requests_that_make_no_sense_are_refused_where_they_are_written():
    for options, error in (({"isolation_level": "ODD"}, Exception), ({"retry": 3}, TypeError)):
        with pytest.raises(error):
            RequestAtomic(**options)


def test_a_function_that_answers_with_a_refusal_is_undone(face, database, shop):
    class Answer:
        def __init__(self, status):
            self.status_code = status

    def store(status):
        Novelist.objects.create(name=f"of {status}")
        return Answer(status)

    async def astore(status):
        await Novelist.objects.acreate(name=f"of {status}")
        return Answer(status)

    for status in (200, 399, 400, 500):
        function = whole(RequestAtomic(), astore if face.is_async else store)
        assert is_async(function) == face.is_async
        answer = face.wait(function(status)) if face.is_async else function(status)
        assert answer.status_code == status
    assert database.observe("SELECT name FROM tests_novelist WHERE name LIKE 'of%'") == [
        ("of 200",),
        ("of 399",),
    ]


def test_only_outermost_transactions_of_requests_where_that_is_asked_for(face, database, shop):
    function = whole(RequestAtomic(isolation_level="SERIALIZABLE"), lambda: None)
    with facade.atomic(), pytest.raises(TransactionManagementError):
        function()


def test_managers_of_every_kind_are_querysets_to_services(face, database, shop):
    ann = face(Novelist.objects.get, name="Ann")
    pages = PageNumberPagination(size=2).bind({})
    page = face(pages.page, ann.paperbacks)
    assert ([one.title for one in page.items], page.total) == (["Paperback 0", "Paperback 3"], 3)
    found = Filtering(Paperback, ["title"]).bind({"title": "Paperback 3"}).apply(ann.paperbacks)
    assert [one.pk for one in face.list(found)] == [page.items[1].pk]
    assert is_lazy(ann.paperbacks)
