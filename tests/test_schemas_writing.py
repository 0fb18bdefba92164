"""Rows made and changed by schemas: everything is checked by the model, and errors are told by field."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from facade import models
from facade.contrib.pydantic import InvalidData, Schema, details, schema_for
from facade.exceptions import ValidationError
from facade.transaction import atomic
from tests.shelves import Subject, Volume, Writer, stocked
from tests.test_schemas import KITS, in_each_kit

NEW = '{"writer_id": 1, "title": "Diary", "price": "4.50", "subjects": [2]}'


def volume_in(kit, **options):
    return kit.schema_for(Volume, exclude=["id", "added"], name="VolumeIn", **options)


def refused(face, method, *args, **values):
    """Return what was wrong, as FastAPI tells it."""
    with pytest.raises(InvalidData) as caught:
        face(method, *args, **values)
    return [(*error["loc"][1:], error["type"]) for error in caught.value.errors()]


def test_a_row_is_made_with_its_relations(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        given = kit.read(volume_in(kit), NEW.replace("Diary", kit.name))
        made = face(given.create, cover="h")
        assert (made.pk is not None, made.cover, made.house_id) == (True, "h", None)
        again = face(Volume.objects.get, pk=made.pk)
        assert (again.title, again.price, again.writer_id) == (kit.name, Decimal("4.50"), 1)
        assert [subject.pk for subject in face.list(again.subjects.all())] == [2]


def test_what_is_wrong_is_told_by_field_and_nothing_is_saved(face, database):
    stocked(face, database)
    for kit in KITS:
        schema = volume_in(kit)
        given = kit.read(
            schema, '{"writer_id": 99, "title": "Diary", "price": "4.50", "subjects": [2, 77, 1, 78]}'
        )
        assert refused(face, given.create) == [
            ("writer_id", "invalid"),
            ("subjects", 1, "does_not_exist"),
            ("subjects", 3, "does_not_exist"),
        ]
        twice = kit.read(schema, '{"writer_id": 1, "title": "Notes", "price": "4.50"}')
        assert refused(face, twice.create) == [("unique_together",)]
        label = kit.read(kit.schema_for(Subject, exclude=["id"]), '{"label": "engines"}')
        assert refused(face, label.create) == [("label", "unique")]
    assert face(Volume.objects.count) == 2
    assert face(Subject.objects.count) == 2


def test_errors_have_the_form_of_fastapi(face, database):
    stocked(face, database)
    label = schema_for(Subject, exclude=["id"])(label="engines")
    with pytest.raises(InvalidData) as caught:
        face(label.create)
    told = {"loc": ("body", "label"), "msg": "Subject with this Label already exists.", "type": "unique"}
    assert caught.value.errors() == [told]
    assert caught.value.errors(prefix=("form",))[0]["loc"] == ("form", "label")
    assert details(ValidationError("No."), prefix=()) == [{"loc": (), "msg": "No.", "type": "invalid"}]


def test_only_what_was_given_is_changed(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        schema = volume_in(kit, optional=True)
        notes = face(Volume.objects.get, pk=1)
        face(Volume.objects.filter(pk=1).update, title="Elsewhere")
        face(kit.read(schema, '{"price": "1.25", "house_id": null}').update, notes)
        found = face(Volume.objects.get, pk=1)
        assert (found.price, found.house_id, found.title) == (Decimal("1.25"), None, "Elsewhere")
        assert face(found.subjects.count) == 2
        face(kit.read(schema, '{"subjects": []}').update, found)
        assert face(found.subjects.count) == 0
        face(found.subjects.set, [1, 2])
        with assert_queries(0):
            before = found.price
        face(kit.read(schema, "{}").update, found)
        assert found.price == before


def test_a_refused_change_leaves_the_instance_as_it_was(face, database):
    stocked(face, database)
    for kit in KITS:
        schema = volume_in(kit, optional=True)
        letters = face(Volume.objects.select_related("writer").get, pk=2)
        change = kit.read(schema, '{"title": "Notes", "writer_id": 1, "house_id": 50}')
        assert refused(face, change.update, letters) == [("house_id", "invalid"), ("unique_together",)]
        assert (letters.title, letters.house_id, letters.writer.name) == ("Letters", None, "Ada")
        assert refused(face, kit.read(schema, '{"subjects": [5]}').update, letters) == [
            ("subjects", 0, "does_not_exist")
        ]


def test_a_key_does_not_change(face, database):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(Subject)
        engines = face(Subject.objects.get, pk=1)
        face(kit.read(schema, '{"id": 1, "label": "machines"}').update, engines)
        assert refused(face, kit.read(schema, '{"id": 2, "label": "machines"}').update, engines) == [
            ("id", "key")
        ]
        assert refused(face, kit.read(schema, '{"id": 1, "label": "other"}').create) == [("id", "unique")]
        assert face(Subject.objects.get, pk=1).label == "machines"
        face(kit.read(schema, '{"id": 1, "label": "engines"}').update, engines)


class Guarded(models.Model):
    """What it checks itself, it checks in `clean`."""

    low = models.IntegerField()
    high = models.IntegerField(null=True, blank=True)
    seen = models.DateTimeField(null=True, blank=True)
    changed = models.DateTimeField(auto_now=True)
    double = models.GeneratedField(
        expression=models.F("low") * 2, output_field=models.IntegerField(), db_persist=True
    )
    file = models.FileField(blank=True)

    class Meta:
        app_label = "tests"
        constraints = [models.CheckConstraint(condition=models.Q(low__gte=0), name="guarded_low")]

    def clean(self):
        if self.high is not None and self.high < self.low:
            raise ValidationError({"high": ValidationError("Too low.", code="order")})


def test_the_model_checks_itself_as_a_whole(face, database):
    database.create(Guarded)
    for kit in KITS:
        schema = kit.schema_for(Guarded, fields=["low", "high", "seen"], optional=True)
        assert refused(face, kit.read(schema, '{"low": 3, "high": 1}').create) == [("high", "order")]
        made = face(kit.read(schema, '{"low": 3, "high": 5, "seen": "2020-01-02T03:04:05"}').create)
        assert made.seen.tzinfo is not None
        before = made.changed
        assert refused(face, kit.read(schema, '{"low": 7}').update, made) == [("high", "order")]
        assert (made.low, made.changed) == (3, before)
        assert refused(face, kit.read(schema, '{"low": -1}').update, made) == [("invalid",)]
        face(kit.read(schema, '{"low": 4}').update, made)
        assert face(Guarded.objects.get, pk=made.pk).changed > before


@in_each_kit
def test_what_can_only_be_read_is_not_written(kit):
    whole = kit.schema_for(Guarded, optional=True)
    for name, value in (("double", "4"), ("changed", '"2020-01-02T03:04:05Z"')):
        with pytest.raises(ValidationError) as refused:
            kit.read(whole, f'{{"{name}": {value}}}').create()
        (problem,) = refused.value.errors()
        assert (problem["loc"], problem["type"]) == (("body", name), "read_only")
    with pytest.raises(ValidationError, match="can only be read"):
        kit.read(whole, '{"file": "secret.txt"}').create()
    nested = kit.schema_for(Volume, fields=["title", "writer__name"])
    with pytest.raises(ValidationError, match="Take 'writer_id' in its place") as refused:
        kit.read(nested, '{"title": "a", "writer": {"name": "b"}}').create()
    (problem,) = refused.value.errors()
    assert (problem["loc"], problem["type"]) == (("body", "writer"), "read_only")
    with pytest.raises(TypeError, match="says no model"):

        class Anything(kit.Schema):
            name: str

        kit.read(Anything, '{"name": "a"}').create()
    with pytest.raises(TypeError, match="updates a Volume, not"):
        kit.read(nested, '{"title": "a", "writer": {"name": "b"}}').update(Writer(id=1))
    with pytest.raises(ValueError, match="is not saved yet"):
        kit.schema_for(Subject, fields=["label"]).from_instance(Subject(label="a")).update(Subject(label="b"))


class Rushed(models.Model):
    """At first it does not see who has its label already, as if that one were saved a moment later."""

    label = models.CharField(max_length=9, unique=True)
    looks = 0

    class Meta:
        app_label = "tests"

    def validate_unique(self, exclude=None):
        self.looks += 1
        if self.looks > 1:
            super().validate_unique(exclude)


def test_what_another_was_quicker_with_is_told_alike(face, database):
    database.create(Rushed)
    face(Rushed.objects.create, label="slow")
    assert refused(face, schema_for(Rushed, exclude=["id"])(label="slow").create) == [("label", "unique")]
    assert face(Rushed.objects.count) == 1


class Lenient(models.Model):
    """Its columns have defaults and take NULL, though nobody has said `blank`."""

    number = models.IntegerField(null=True)
    partner = models.OneToOneField("self", models.SET_NULL, null=True)
    data = models.JSONField(default=dict)
    rank = models.IntegerField(db_default=7)
    label = models.CharField(max_length=5)

    class Meta:
        app_label = "tests"


def test_what_needs_no_value_is_the_models_own(face, database):
    database.create(Lenient)
    for kit in KITS:
        schema = kit.schema_for(Lenient, exclude=["id"])
        made = face(kit.read(schema, '{"label": "a"}').create)
        assert (made.number, made.partner_id, made.data, made.rank) == (None, None, {}, 7)
        face(kit.read(schema, '{"label": "b", "number": null, "partner_id": null, "rank": 9}').create)
        patch = kit.schema_for(Lenient, exclude=["id"], optional=True)
        face(kit.read(patch, f'{{"partner_id": {made.pk}}}').update, made)
        assert face(face(kit.read(patch, '{"partner_id": null}').update, made).refresh_from_db) is None
        lacking = kit.schema_for(Lenient, fields=["number"])
        assert refused(face, kit.read(lacking, "{}").create) == [("label", "blank")]


class BookIn(Schema, model=Volume):
    title: str
    price: Decimal
    writer_id: int


def test_a_declared_class_writes_too(face, database):
    stocked(face, database)
    made = face(BookIn(title="Diary", price=Decimal("2.00"), writer_id=1).create)
    assert face(Volume.objects.get, pk=made.pk).title == "Diary"
    assert made.added <= dt.datetime.now(dt.UTC)
    with face.block(atomic()):
        assert refused(face, BookIn(title="Diary", price=Decimal("2.00"), writer_id=1).create) == [
            ("unique_together",)
        ]
        face(Subject.objects.create, label="after")
    assert face(Subject.objects.count) == 3
