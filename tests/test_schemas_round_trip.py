"""An instance becomes a schema, JSON, and the same schema again: for fields of every kind, and over HTTP."""

from __future__ import annotations

import datetime as dt
import string
import uuid
from decimal import Decimal
from enum import Enum
from typing import Annotated

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator

import facade
from facade import fields, models
from facade.apps import isolate_apps
from facade.contrib.pydantic import InvalidData, Prefetched, Schema, schema_for
from facade.exceptions import FieldFetchBlocked
from facade.validators import MaxValueValidator, MinLengthValidator, MinValueValidator, RegexValidator
from tests.shelves import Subject, Volume, Writer, stocked
from tests.test_schemas import KITS


class Mood(Enum):
    good = "g"
    bad = "b"


with isolate_apps("tests"):  # whoever makes all tables could not make its array on SQLite

    class Everything(models.Model):
        """A field of each kind."""

        class Size(models.IntegerChoices):
            S = 1
            L = 3

        key = models.UUIDField(primary_key=True, default=uuid.uuid4)
        big = models.BigIntegerField()
        binary = models.BinaryField(editable=True, max_length=20)
        truth = models.BooleanField(null=True)
        char = models.CharField(max_length=10, blank=True)
        code = models.CharField(
            max_length=6, validators=[RegexValidator(r"\A[a-f]+\Z"), MinLengthValidator(2)]
        )
        commas = models.CommaSeparatedIntegerField(max_length=10)
        day = models.DateField()
        moment = models.DateTimeField(null=True, blank=True)
        decimal = models.DecimalField(max_digits=8, decimal_places=3)
        length = models.DurationField()
        email = models.EmailField()
        file = models.FileField(blank=True)
        path = models.FilePathField(path="/tmp")
        real = models.FloatField(validators=[MinValueValidator(-1e12), MaxValueValidator(1e12)])
        address = models.GenericIPAddressField(null=True, blank=True)
        number = models.IntegerField()
        document = models.JSONField(default=dict, blank=True)
        positive = models.PositiveIntegerField()
        positive_big = models.PositiveBigIntegerField()
        positive_small = models.PositiveSmallIntegerField()
        slug = models.SlugField()
        small = models.SmallIntegerField(choices=Size)
        text = models.TextField(blank=True)
        time = models.TimeField()
        url = models.URLField()
        typed = models.TypedField(sa.String(20))
        mood = models.TypedField(sa.Enum(Mood))
        parts = models.TypedField(sa.ARRAY(sa.Integer))
        anything = models.TypedField(sa.PickleType(), null=True)

        class Meta:
            app_label = "tests"


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=10)
LETTERS = st.text(string.ascii_lowercase, min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
)


def whole(bits, low=None):
    return st.integers(-(2**bits) if low is None else low, 2**bits - 1)


VALUES = {
    "key": st.uuids(),
    "big": whole(63),
    "binary": st.binary(max_size=20),
    "truth": st.none() | st.booleans(),
    "char": WORDS,
    "code": st.text("abcdef", min_size=2, max_size=6),
    "commas": st.just("1,23,4"),
    "day": st.dates(),
    "moment": st.none() | st.datetimes(timezones=st.just(dt.UTC)),
    "decimal": st.decimals(-99999, 99999, places=3),
    "length": st.timedeltas(-dt.timedelta(10**6), dt.timedelta(10**6)),
    "email": LETTERS.map("{}@example.org".format),
    "file": WORDS,
    "path": LETTERS,
    "real": st.floats(-1e12, 1e12),
    "address": st.none() | st.ip_addresses().map(str),
    "number": whole(31),
    "document": JSON,
    "positive": whole(31, 0),
    "positive_big": whole(63, 0),
    "positive_small": whole(15, 0),
    "slug": LETTERS,
    "small": st.sampled_from([1, 3]),
    "text": WORDS,
    "time": st.times(),
    "url": LETTERS.map("https://example.org/{}".format),
    "typed": WORDS,
    "mood": st.sampled_from(Mood),
    "parts": st.lists(whole(31), max_size=4),
    "anything": st.none() | WORDS,
}
SCHEMAS = {kit.name: kit.schema_for(Everything) for kit in KITS}


def test_there_is_a_field_of_each_kind():
    kinds = {type(field) for field in Everything._meta.fields}
    shown_elsewhere = {
        "AutoField",
        "BigAutoField",
        "SmallAutoField",
        "CompositePrimaryKey",
        "GeneratedField",
        "Field",
        "ImageField",
    }
    there = {
        kind
        for name in fields.__all__
        if isinstance(kind := getattr(fields, name), type)
        and issubclass(kind, fields.Field)
        and name not in shown_elsewhere
    }
    assert there - kinds == set()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(st.fixed_dictionaries(VALUES))
def test_every_instance_comes_back_as_it_was(values):
    for kit in KITS:
        schema = SCHEMAS[kit.name]
        shown = schema.from_instance(Everything(**values))
        text = kit.write(shown)
        assert kit.read(schema, text) == shown
        assert {name: getattr(shown, name) for name in values} == values


class Kept(models.Model):
    binary = models.BinaryField(editable=True)
    moment = models.DateTimeField()
    decimal = models.DecimalField(max_digits=8, decimal_places=3)
    length = models.DurationField()
    key = models.UUIDField()
    document = models.JSONField()
    truth = models.BooleanField()
    address = models.GenericIPAddressField()
    time = models.TimeField()
    file = models.FileField()
    mood = models.TypedField(sa.Enum(Mood))
    double = models.GeneratedField(
        expression=models.F("decimal") * 2, output_field=models.FloatField(), db_persist=True
    )

    class Meta:
        app_label = "tests"


KEPT = {
    "binary": b"\0\xff",
    "moment": dt.datetime(2020, 2, 29, 23, 59, 59, 999999, dt.UTC),
    "decimal": Decimal("-12345.678"),
    "length": dt.timedelta(days=-1, microseconds=1),
    "key": uuid.UUID(int=7),
    "document": {"a": [None, 1.5, "ä"]},
    "truth": False,
    "address": "2001:db8::1",
    "time": dt.time(1, 2, 3, 4),
    "file": "notes.txt",
    "mood": Mood.bad,
}


def test_what_databases_give_comes_back_too(face, database):
    database.create(Kept)
    face(Kept.objects.create, **KEPT)
    row = face(Kept.objects.get)
    for kit in KITS:
        shown = kit.schema_for(Kept).from_instance(row)
        assert kit.read(type(shown), kit.write(shown)) == shown
        assert {name: getattr(shown, name) for name in KEPT} == KEPT
        assert shown.double == -24691.356


def test_a_row_that_breaks_a_limit_is_shown_as_it_is():
    row = Volume(
        title="a title of more than twenty characters", cover="x", price=Decimal("0.001"), writer_id=1
    )
    for kit in KITS:
        shown = kit.schema_for(Volume, fields=["title", "cover", "price"]).from_instance(row)
        assert (shown.title, shown.cover, shown.price) == (row.title, "x", row.price)


# -- over HTTP ---------------------------------------------------------------------------------------------------------


VolumeOut = schema_for(Volume, depth=1, exclude=["added"], name="VolumeOut")
VolumeIn = schema_for(Volume, exclude=["id", "added"], name="VolumeIn")


def application():
    app = FastAPI()

    @app.get("/volumes", response_model=list[VolumeOut])
    async def listed():
        return await VolumeOut.prefetched(Volume.objects.all())

    @app.get("/bare", response_model=list[VolumeOut])
    async def bare():
        return await Volume.objects.all()

    @app.post("/volumes", response_model=VolumeOut, status_code=201)
    async def added(given: VolumeIn):
        made = await given.acreate()
        return await VolumeOut.prefetched(Volume.objects.all()).aget(pk=made.pk)

    @app.exception_handler(InvalidData)
    async def refused(request, error):
        return JSONResponse({"detail": error.errors()}, 422)

    return app


async def test_fastapi_sends_and_takes_schemas(database):
    await facade.run(stocked, Direct(), database)
    transport = httpx.ASGITransport(application())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        volumes = (await client.get("/volumes")).json()
        assert [volume["writer"]["name"] for volume in volumes] == ["Ada", "Ada"]
        assert volumes[0]["subjects"] == [{"id": 1, "label": "engines"}, {"id": 2, "label": "numbers"}]
        made = await client.post(
            "/volumes", json={"writer_id": 1, "title": "Diary", "price": "1.50", "subjects": [1]}
        )
        assert (made.status_code, made.json()["subjects"]) == (201, [{"id": 1, "label": "engines"}])
        wrong = await client.post("/volumes", json={"writer_id": 5, "title": "Diary", "price": "1.50"})
        assert (wrong.status_code, wrong.json()["detail"][0]["loc"]) == (422, ["body", "writer_id"])
        long = await client.post("/volumes", json={"writer_id": 1, "title": "Diary" * 9, "price": "1.50"})
        assert (long.status_code, long.json()["detail"][0]["loc"]) == (422, ["body", "title"])
        with pytest.raises(FieldFetchBlocked, match=r"Volume\.objects\.select_related\('writer', 'house'\)"):
            await client.get("/bare")
        described = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert described["VolumeOut"]["properties"]["house"] == {
        "anyOf": [{"$ref": "#/components/schemas/VolumeOutHouse"}, {"type": "null"}]
    }
    assert described["VolumeIn"]["required"] == ["writer_id", "title", "price"]


class Direct:
    """What `face` is in the tests of both faces, for a test of one."""

    def __call__(self, method, *args, **values):
        return method(*args, **values)


# -- models of pydantic that are written by hand -----------------------------------------------------------------------


class Plain(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PlainSubject(Plain):
    label: str


class PlainVolume(Plain):
    title: str
    subjects: Prefetched[PlainSubject]


class PlainWriter(Plain):
    name: str
    volumes: Prefetched[PlainVolume]


def test_prefetched_objects_go_into_models_of_pydantic(face, database, assert_queries):
    stocked(face, database)
    (ada,) = face.list(Writer.objects.prefetch_related("volumes__subjects"))
    with assert_queries(0):
        shown = PlainWriter.model_validate(ada).model_dump()
    assert shown["volumes"][0] == {"title": "Notes", "subjects": [{"label": "engines"}, {"label": "numbers"}]}
    assert PlainWriter.model_validate(shown).model_dump() == shown
    (subject,) = face.list(Subject.objects.filter(pk=1).prefetch_related("volumes__subjects"))

    class Reverse(Plain):
        volumes: Prefetched[PlainVolume]

    assert Reverse.model_validate(subject).volumes[0].title == "Notes"
    bare = face(Writer.objects.get, pk=ada.pk)
    with (
        assert_queries(0),
        pytest.raises(FieldFetchBlocked, match=r"Writer\.objects\.prefetch_related\('volumes'\)"),
    ):
        PlainWriter.model_validate(bare)


def test_a_schema_takes_models_of_pydantic_and_validators_of_its_own(face, database):
    stocked(face, database)

    class Shouted(Schema, model=Writer):
        name: str
        volumes: list[PlainVolume]

        @field_validator("name")
        @classmethod
        def loud(cls, name):
            return name.upper()

    class Short(Schema, model=Volume):
        title: Annotated[str, AfterValidator(lambda title: title[:2])]
        writer: Shouted

    (ada,) = face.list(Writer.objects.prefetch_related("volumes__subjects"))
    assert Shouted.from_instance(ada).name == "ADA"
    notes = face.list(Volume.objects.prefetch_related("writer__volumes__subjects"))[0]
    assert Short.from_instance(notes).model_dump(exclude={"writer": {"volumes"}}) == {
        "title": "No",
        "writer": {"name": "ADA"},
    }
    assert Short.model_validate(notes) == Short.from_instance(notes)


class PlainHouse(Plain):
    name: str
    city: str


class VolumeBeside(Schema, model=Volume):
    """It reads related objects into models that read whole objects in their own way."""

    house: PlainHouse | None
    subjects: list[PlainSubject]


def test_what_others_read_is_loaded_whole(face, database, assert_queries):
    stocked(face, database)
    with assert_queries(2):
        notes, letters = face.list(VolumeBeside.prefetched(Volume.objects.all()))
    with assert_queries(0):
        shown = VolumeBeside.from_instance(notes)
        assert VolumeBeside.from_instance(letters).house is None
    assert (shown.house.city, [subject.label for subject in shown.subjects]) == (
        "London",
        ["engines", "numbers"],
    )
