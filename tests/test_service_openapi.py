"""What OpenAPI says of the parameters of lists is what is taken, and nothing else."""

import uuid
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from litestar import Litestar, get
from litestar.di import NamedDependency

from facade import models
from facade.contrib import fastapi, litestar
from facade.contrib.fastapi import (
    CursorPagination,
    Filtering,
    Filters,
    LimitOffsetPagination,
    PageByCursor,
    PageByNumber,
    PageByOffset,
    PageNumberPagination,
)


class Pamphlet(models.Model):
    title = models.CharField(max_length=40)
    pages = models.PositiveSmallIntegerField(choices=[(8, "short"), (16, "long")])
    copies = models.IntegerField()
    price = models.DecimalField(max_digits=6, decimal_places=2)
    weight = models.FloatField()
    bound = models.BooleanField()
    printed = models.DateField()
    sold = models.DateTimeField()
    opens = models.TimeField()
    lasts = models.DurationField()
    mark = models.UUIDField()
    language = models.CharField(max_length=2, choices=[("de", "German"), ("en", "English")])

    class Meta:
        app_label = "tests"


EXACT = [
    "title",
    "pages",
    "copies",
    "price",
    "weight",
    "bound",
    "printed",
    "sold",
    "opens",
    "lasts",
    "mark",
    "language",
]
FILTERING = Filtering(
    Pamphlet,
    {name: ["exact"] for name in EXACT}
    | {"copies": ["exact", "gte", "in", "range"], "price": ["exact", "lt", "range"], "language": ["exact", "in"],
       "title": ["exact", "icontains"], "sold": ["exact", "date", "year__gte", "isnull"], "sold__year": ["exact"]},
    search=["title"],
    ordering=["title", "price"],
)  # fmt: skip
NUMBERED, OFFSET = PageNumberPagination(size=5, max_size=50), LimitOffsetPagination(size=5, max_size=50)
CURSOR = CursorPagination("title", size=5, max_size=50, key="k" * 16)

TAKEN = {
    "boolean": ["true", "false"],
    "integer": ["7", "-7"],
    "number": ["7", "7.5", "-0.5"],
    "decimal": ["7", "7.5", "-0.5"],
    "string": ["7", "word"],
    "date": ["2024-02-29"],
    "date-time": ["2024-02-29T12:30:00Z", "2024-02-29T12:30:00+02:00"],
    "time": ["12:30:00"],
    "duration": ["P1DT2H"],
    "uuid": [str(uuid.UUID(int=7))],
}
REFUSED = {
    "boolean": ["maybe", "2"],
    "integer": ["x", "1.5", ""],
    "number": ["x", "", "NaN"],
    "decimal": ["x", "", "NaN"],
    "date": ["2024-02-30", "x", "5"],
    "date-time": ["2024-02-30T00:00:00Z", "x"],
    "time": ["25:00:00", "x"],
    "duration": ["x"],
    "uuid": ["x", "7"],
}


def fastapi_app():
    app = FastAPI(exception_handlers=fastapi.exception_handlers())

    def listed(path, pagination, page):
        @app.get(path)
        async def list_pamphlets(
            asked: Annotated[Filters, Depends(fastapi.query(FILTERING))],
            cut: Annotated[page, Depends(fastapi.query(pagination))],
        ):
            asked.apply(Pamphlet.objects.all())  # nothing is asked of a database

    listed("/numbered", NUMBERED, PageByNumber)
    listed("/offset", OFFSET, PageByOffset)
    listed("/cursor", CURSOR, PageByCursor)
    return app, app.openapi()


def litestar_app():
    def listed(path, pagination, page):
        @get(path, dependencies={"asked": litestar.query(FILTERING), "cut": litestar.query(pagination)})
        async def list_pamphlets(asked: NamedDependency[Filters], cut: NamedDependency[page]) -> None:
            asked.apply(Pamphlet.objects.all())

        return list_pamphlets

    handlers = [
        listed("/numbered", NUMBERED, PageByNumber),
        listed("/offset", OFFSET, PageByOffset),
        listed("/cursor", CURSOR, PageByCursor),
    ]
    app = Litestar(handlers, plugins=[litestar.FacadePlugin()], logging_config=None)
    return app, app.openapi_schema.to_schema()


def alternatives(schema):
    """Return the schemas that a value may follow, but for null, which no text is."""
    found = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [one for one in found if one.get("type") != "null"]


def kind_of(schema):
    return schema.get("format") if schema.get("format") in TAKEN else schema["type"]


def samples(schema):
    """Return texts that a schema takes, and texts that it refuses."""
    parts = alternatives(schema)
    if any("enum" in part or "const" in part for part in parts):
        known = [
            value for part in parts for value in part.get("enum", [part.get("const")]) if value is not None
        ]
        return [str(value) for value in known], ["nothing of it", ""]
    numeric = any(part.get("type") in ("integer", "number") for part in parts)
    (part, *_) = parts
    kind = kind_of(part)
    if kind == "array":
        return samples(part["items"])
    taken, refused = list(TAKEN[kind]), list(REFUSED.get(kind, ()))
    if "minimum" in part:
        taken = [str(part["minimum"]), str(part["maximum"])]
        refused += [str(part["minimum"] - 1), str(part["maximum"] + 1)]
    assert numeric or kind != "string" or "pattern" not in part
    return taken, refused


def sent(name, schema, value):
    """Return the query that gives a parameter this value; a range has two."""
    is_range = name.endswith("__range")
    return [(name, value)] * (2 if is_range else 1)


@pytest.mark.parametrize("made", [fastapi_app, litestar_app])
async def test_the_parameters_take_what_openapi_says(made):
    app, described = made()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        for path, pagination in (("/numbered", NUMBERED), ("/offset", OFFSET), ("/cursor", CURSOR)):
            found = {one["name"]: one for one in described["paths"][path]["get"]["parameters"]}
            assert found.keys() == {
                one.name for queried in (FILTERING, pagination) for one in queried.parameters
            }
            asked = (
                found if path == "/numbered" else {one.name: found[one.name] for one in pagination.parameters}
            )
            for name, parameter in asked.items():
                assert parameter["in"] == "query"
                assert not parameter.get("required")
                taken, refused = samples(parameter["schema"])
                if name == "cursor":
                    taken = []  # nobody can know one
                for value in taken:
                    answer = await client.get(path, params=sent(name, parameter["schema"], value))
                    assert answer.is_success, (name, value, answer.text)
                for value in refused:
                    answer = await client.get(path, params=sent(name, parameter["schema"], value))
                    assert answer.status_code in (400, 422), (name, value, answer.text)
