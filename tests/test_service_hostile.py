"""What a client may send is answered, whatever it is: nothing of it is an error of the service's own."""

import json
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from litestar import Litestar
from starlette.applications import Starlette

from facade import configure, models
from facade.configuration import settings
from facade.contrib import fastapi, litestar, starlette
from facade.contrib import msgspec as msgspec_schemas
from facade.contrib import pydantic as pydantic_schemas
from facade.contrib.fastapi import CursorPagination, Filtering, ModelViewSet, PageNumberPagination
from facade.contrib.schemas.storing import MAX_DEPTH
from tests.bookshop import asking

pytestmark = pytest.mark.vendors("sqlite", "postgres", "mariadb")


class Freight(models.Model):
    label = models.CharField(max_length=20, default="")
    note = models.TextField(default="", blank=True)
    pieces = models.IntegerField(default=0)
    grams = models.BigIntegerField(default=0)
    rank = models.SmallIntegerField(default=0)
    price = models.DecimalField(max_digits=6, decimal_places=2, default=0)
    weight = models.FloatField(default=0)
    sent = models.DateTimeField(null=True, blank=True)
    day = models.DateField(null=True, blank=True)
    hour = models.TimeField(null=True, blank=True)
    waited = models.DurationField(null=True, blank=True)
    token = models.UUIDField(null=True, blank=True)
    details = models.JSONField(default=dict, blank=True)
    seal = models.BinaryField(default=b"", blank=True, editable=True)
    above = models.ForeignKey("self", models.CASCADE, null=True, blank=True)
    checked_by = models.CharField(max_length=20, default="nobody", editable=False)
    doubled = models.GeneratedField(
        expression=models.F("pieces") * 2, output_field=models.BigIntegerField(), db_persist=True
    )

    class Meta:
        app_label = "tests"


OPTIONAL = [field.attname for field in Freight._meta.fields]
LOOKUPS = {
    "label": [
        "exact",
        "contains",
        "icontains",
        "startswith",
        "iexact",
        "regex",
        "iregex",
        "in",
        "gt",
        "isnull",
    ],
    "note": ["exact", "icontains", "regex"],
    "pieces": ["exact", "gt", "in", "range"],
    "grams": ["exact", "lt"],
    "rank": ["exact"],
    "price": ["exact", "gte"],
    "weight": ["exact", "lte"],
    "sent": ["exact", "gt", "date", "year"],
    "day": ["exact", "lt", "year", "month__gt"],
    "hour": ["exact", "gt"],
    "waited": ["exact", "gt"],
    "token": ["exact"],
    "details": ["has_key"],
    "above": ["exact", "in"],
}


def views_of(schemas):
    class Parcels(ModelViewSet):
        queryset = Freight.objects.order_by("id")
        schema = schemas.schema_for(Freight, name="ParcelOut")
        create_schema = update_schema = partial_update_schema = schemas.schema_for(
            Freight, optional=OPTIONAL, name="ParcelIn"
        )
        filtering = Filtering(Freight, LOOKUPS, search=["label", "note"], ordering=["label", "sent", "grams"])
        pagination = PageNumberPagination(size=2)

    class Labelled(Parcels):
        lookup_field = "label"
        pagination = CursorPagination("sent", size=1, key="k" * 16)

    return {"/parcels": Parcels, "/labelled": Labelled}


def fastapi_app(schemas):
    app = FastAPI(exception_handlers=fastapi.exception_handlers())
    for path, views in views_of(schemas).items():
        app.include_router(fastapi.viewset_router(views, path))
    return app


def starlette_app(schemas):
    routes = [
        route for path, views in views_of(schemas).items() for route in starlette.viewset_routes(views, path)
    ]
    return Starlette(routes=routes, exception_handlers=starlette.exception_handlers())


def litestar_app(schemas):
    routers = [litestar.viewset_router(views, path) for path, views in views_of(schemas).items()]
    return Litestar(routers, plugins=[litestar.FacadePlugin(atomic=True)], logging_config=None)


APPS = [
    pytest.param(fastapi_app, pydantic_schemas, id="fastapi"),
    pytest.param(starlette_app, pydantic_schemas, id="starlette"),
    pytest.param(starlette_app, msgspec_schemas, id="starlette-msgspec"),
    pytest.param(litestar_app, pydantic_schemas, id="litestar"),
    pytest.param(litestar_app, msgspec_schemas, id="litestar-msgspec"),
]


def nested(levels):
    found = []
    for level in range(levels - 1):
        found = {"a": found} if level % 2 else [found]
    return found


TEXTS = ["a\0b", "\0", "\ud800", "x" * 5000, "\U0001d54a", "%", "\\", "", " "]
NUMBERS = [
    2**31,
    2**63,
    -(2**63) - 1,
    10**30,
    10**400,
    1.5,
    "NaN",
    "Infinity",
    "1e400",
    "1e999999",
    "-0",
    True,
    "1_0",
    [],
    {},
]
MOMENTS = [
    "2020-01-01T10:00:00+02:00", "2020-01-01T10:00:00Z", "2020-01-01T10:00:00", "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.999999", "0001-01-01", "9999-12-31", "-0044-03-15",
    "10:00:00+02:00", "23:59:60", "24:00", "P999999999D", "-P999999999D", "PT0.0000001S", 0, 1e300, 253402300800, -1e15, "x\0",
]  # fmt: skip
DOCUMENTS = [
    {"a": "\0"}, {"\0": 1}, ["\ud800"], 10**400, 1e308, nested(90), nested(250), nested(600), None, "", {"": {}}, "x" * 9000,
]  # fmt: skip
GIVEN = {
    "label": [*TEXTS, None, 1],
    "note": TEXTS,
    "pieces": NUMBERS,
    "grams": NUMBERS,
    "rank": NUMBERS,
    "price": NUMBERS,
    "weight": NUMBERS,
    "sent": MOMENTS,
    "day": MOMENTS,
    "hour": MOMENTS,
    "waited": MOMENTS,
    "token": ["0" * 32, "x", "\0", 1],
    "details": DOCUMENTS,
    "seal": ["AA==", "?", "\ud800", 1],
    "above_id": NUMBERS,
    "id": NUMBERS,
    "checked_by": ["me", None],
    "doubled": [1, None],
}
RAW = [b"", b"null", b"[]", b"{", b"\xff", b'"\\ud800"', b"[" * 100_000, b'{"price": NaN}', b'{"weight": Infinity}', b'{"weight": 1e999}', b'{"label": "\\ud800"}', b'{"pieces": ' + b"9" * 5000 + b"}", b'{"details": ' + b"9" * 5000 + b"}", b'{"details": NaN}', b'{"details": {"x": 1e999}}']  # fmt: skip
# Litestar reads bodies and parameters itself, and has no answer for these.
AFTER_ALL_YEARS = "253402300800"
OF_LITESTAR = (b"[" * 100_000, json.dumps({"sent": int(AFTER_ALL_YEARS)}))
WORDS = [
    *(text for text in TEXTS if text != "\ud800"), "[", "(", "*", "a{99999}", "(?P<x", "(a+)+$", "\\1", "(?i", "^" * 3000,
    *map(str, NUMBERS), *map(str, MOMENTS), "9" * 5000, "true", "-label", "nan", "٣", "%ff",
]  # fmt: skip


@pytest.fixture
def shop(database):
    database.create(Freight)
    Freight.objects.create(label="first")
    Freight.objects.create(label="second")
    return database


def told(answers):
    return {what: answer.text[:120] for what, answer in answers if answer.status_code >= 500}


@pytest.mark.parametrize(("made", "schemas"), APPS)
async def test_no_value_in_a_body_is_an_error_of_the_service(shop, made, schemas):
    answers = []
    bodies = [json.dumps({name: value}) for name, values in GIVEN.items() for value in values] + RAW
    if made is litestar_app:
        bodies = [body for body in bodies if body not in OF_LITESTAR]
    async with asking(made(schemas)) as client:
        headers = {"content-type": "application/json"}
        for body in bodies:
            for method, path in (("POST", "/parcels"), ("PATCH", "/parcels/1")):
                answer = await client.request(method, path, content=body, headers=headers)
                answers.append(((method, body[:60]), answer))
    assert told(answers) == {}


@pytest.mark.parametrize(("made", "schemas"), [APPS[0], APPS[1], APPS[-1]])
async def test_no_parameter_is_an_error_of_the_service(shop, made, schemas):
    answers = []
    names = ["label__regex", "pieces", "sent", "hour", "search", "cursor"]
    words = [word for word in WORDS if made is not litestar_app or word != AFTER_ALL_YEARS]
    if made is starlette_app and shop.vendor == "sqlite":
        names = [
            path if one == "exact" else f"{path}__{one}" for path, many in LOOKUPS.items() for one in many
        ]
        names += ["search", "ordering", "page", "size", "cursor"]
    async with asking(made(schemas)) as client:
        for name in names:
            for word in words:
                path = "/labelled" if name == "cursor" else "/parcels"
                answers.append(((name, word[:40]), await client.get(path, params={name: word})))
        for word in words:
            for place in ("parcels", "labelled"):
                for method in ("GET", "DELETE"):
                    found = await client.request(method, f"/{place}/{quote(word[:500], safe='')}")
                    answers.append(((place, method, word[:40]), found))
    assert told(answers) == {}


@pytest.mark.parametrize(("made", "schemas"), APPS)
async def test_what_a_client_may_not_write_is_named(shop, made, schemas):
    async with asking(made(schemas)) as client:
        for name, value in (
            ("checked_by", "me"),
            ("doubled", 4),
            ("note", "a\0b"),
            ("hour", "10:00:00+02:00"),
        ):
            for method, path in (("POST", "/parcels"), ("PATCH", "/parcels/1")):
                answer = await client.request(method, path, json={name: value})
                assert answer.status_code == 422, answer.text
                (problem,) = answer.json().get("detail" if made is not litestar_app else "extra")
                assert name in (problem.get("key"), *problem.get("loc", ()))


@pytest.mark.without(
    "mariadb", reason="its json_valid() knows 32 levels: more violate the column's own check, a conflict"
)
@pytest.mark.parametrize(("made", "schemas"), APPS)
async def test_a_document_may_be_nested_as_deeply_as_it_can_be_answered(shop, made, schemas):
    async with asking(made(schemas)) as client:
        for levels in (MAX_DEPTH - 1, MAX_DEPTH):
            given = nested(levels)
            answer = await client.post("/parcels", json={"details": given})
            assert (answer.status_code, answer.json().get("details", answer.text)) == (201, given)
        for levels in (MAX_DEPTH + 1, MAX_DEPTH + 2, 255, 300, 600):
            for method, path in (("POST", "/parcels"), ("PATCH", "/parcels/1")):
                answer = await client.request(method, path, json={"details": nested(levels)})
                assert answer.status_code == 422, (levels, answer.text)
                if levels < 199:  # of what is deeper, pydantic says itself that it is no JSON
                    assert "nested 128 levels deep" in answer.text
        assert (await client.get("/parcels/1")).json()["details"] == {}


async def test_where_a_value_is_refused_it_may_be_nested_too_deeply_to_be_told(shop):
    async with asking(fastapi_app(pydantic_schemas)) as client:
        headers = {"content-type": "application/json"}
        for levels in (250, 300, 900, 2000, 5000):
            body = '{"pieces": ' + "[" * levels + "]" * levels + "}"
            answer = await client.post("/parcels", content=body, headers=headers)
            if levels < 600 or answer.status_code != 400:  # Python 3.11 reads no JSON that is much deeper
                assert answer.status_code == 422, (levels, answer.text)
                assert answer.json()["detail"][0]["loc"] == ["body", "pieces"]


@pytest.mark.parametrize(("made", "schemas"), APPS)
async def test_where_columns_hold_clocks_a_moment_is_what_clocks_show_then(shop, made, schemas):
    zone = {"USE_TZ": settings.USE_TZ, "TIME_ZONE": settings.TIME_ZONE}
    configure(USE_TZ=False, TIME_ZONE="Asia/Tokyo")
    try:
        async with asking(made(schemas)) as client:
            made_one = await client.post("/parcels", json={"sent": "2020-01-01T10:00:00Z"})
            assert (made_one.status_code, made_one.json()["sent"]) == (201, "2020-01-01T19:00:00"), (
                made_one.text
            )
            for moment in ("2020-01-01T10:00:00Z", "2020-01-01T19:00:00"):
                found = await client.get("/parcels", params={"sent": moment})
                assert [one["id"] for one in found.json()["items"]] == [made_one.json()["id"]], found.text
    finally:
        configure(**zone)
