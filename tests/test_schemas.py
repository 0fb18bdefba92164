"""Schemas of pydantic and of msgspec: what they show of instances, and what they refuse."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import pydantic
import pytest

import facade.contrib.msgspec
import facade.contrib.pydantic
from facade import models
from facade.exceptions import FieldError, FieldFetchBlocked
from facade.models import CompositePrimaryKey, Count, F, Prefetch, prefetch_related_objects
from tests.shelves import Imprint, Subject, Volume, Writer, stocked


class Kit(SimpleNamespace):
    """One package's way to make, write and read schemas."""

    def __repr__(self):
        return self.name

    def shown(self, schema):
        """Return what is seen outside."""
        return json.loads(self.write(schema))


PYDANTIC = Kit(
    name="pydantic",
    Schema=facade.contrib.pydantic.Schema,
    schema_for=facade.contrib.pydantic.schema_for,
    write=lambda schema: schema.model_dump_json(),
    read=lambda kind, text: kind.model_validate_json(text),
    describe=lambda kind: kind.model_json_schema(),
    Wrong=pydantic.ValidationError,
)
MSGSPEC = Kit(
    name="msgspec",
    Schema=facade.contrib.msgspec.Schema,
    schema_for=facade.contrib.msgspec.schema_for,
    write=msgspec.json.encode,
    read=lambda kind, text: msgspec.json.decode(text, type=kind),
    describe=lambda kind: msgspec.json.schema(kind)["$defs"][kind.__name__],
    Wrong=msgspec.ValidationError,
)


KITS = (PYDANTIC, MSGSPEC)
in_each_kit = pytest.mark.parametrize("kit", KITS, ids=repr)


def keys_of(schema):
    return [*getattr(schema, "model_fields", ())] or [*schema.__struct_fields__]


# -- relations ---------------------------------------------------------------------------------------------------------


def test_related_objects_are_shown_as_deep_as_asked(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(Volume, depth=1, exclude=["added"])
        with assert_queries(2):
            notes, letters = face.list(schema.prefetched(Volume.objects.order_by("pk")))
        with assert_queries(0):
            first, second = map(kit.shown, schema.from_instances([notes, letters]))
        assert first == {
            "id": notes.pk,
            "writer": {"id": notes.writer_id, "name": "Ada", "born": "1815-12-10"},
            "house": {"id": notes.house_id, "name": "Taylor", "city": "London"},
            "title": "Notes",
            "cover": "s",
            "price": "9.50",
            "subjects": [{"id": 1, "label": "engines"}, {"id": 2, "label": "numbers"}],
        }
        assert (second["house"], second["subjects"]) == (None, [])
        assert kit.read(schema, kit.write(schema.from_instance(notes))) == schema.from_instance(notes)


def test_without_depth_relations_are_keys(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(Volume, fields=["writer", "house_id", "subjects", "jacket"])
        with assert_queries(2):
            notes, letters = face.list(schema.prefetched(Volume.objects.order_by("pk")))
        assert kit.shown(schema.from_instance(notes)) == {
            "writer_id": 1,
            "house_id": 1,
            "subjects": [1, 2],
            "jacket": 1,
        }
        assert schema.from_instance(letters).jacket is None


def test_what_points_at_a_model_is_shown_where_it_is_named(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(
            Writer, fields=["name", "volumes__title", "volumes__jacket__colour", "volumes__subjects"]
        )
        with assert_queries(3):
            (ada,) = face.list(schema.prefetched(Writer.objects.all()))
        with assert_queries(0):
            assert kit.shown(schema.from_instance(ada)) == {
                "name": "Ada",
                "volumes": [
                    {"title": "Notes", "jacket": {"colour": "blue"}, "subjects": [1, 2]},
                    {"title": "Letters", "jacket": None, "subjects": []},
                ],
            }
        reverse = kit.schema_for(Subject, fields=["volumes"], depth=1, exclude=["volumes__added"])
        (engines,) = face.list(
            Subject.objects.filter(label="engines").prefetch_related("volumes__writer", "volumes__house")
        )
        assert [volume["title"] for volume in kit.shown(reverse.from_instance(engines))["volumes"]] == [
            "Notes"
        ]


def test_a_relation_back_is_shown_by_its_key(face, database):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(Writer, fields=["volumes"], depth=3, exclude=["volumes__added"])
        (ada,) = face.list(schema.prefetched(Writer.objects.all()))
        volume = kit.shown(schema.from_instance(ada))["volumes"][0]
        assert volume["writer_id"] == ada.pk
        assert volume["house"]["name"] == "Taylor"


def test_what_is_not_loaded_is_refused_with_the_query_to_write(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(Volume, depth=1, name="VolumeOut")
        plain = face(Volume.objects.get, pk=1)
        with assert_queries(0), pytest.raises(FieldFetchBlocked) as caught:
            schema.from_instance(plain)
        assert str(caught.value) == (
            "VolumeOut shows Volume.writer, which is not loaded. Load it with the query: "
            "Volume.objects.select_related('writer', 'house').prefetch_related('subjects'), or "
            "VolumeOut.prefetched(Volume.objects.all()); for objects at hand: "
            "prefetch_related_objects(objects, 'writer', 'house', 'subjects')."
        )
        joined = face(Volume.objects.select_related("writer", "house").get, pk=1)
        with assert_queries(0), pytest.raises(FieldFetchBlocked, match=r"shows Volume\.subjects"):
            schema.from_instance(joined)
        face(prefetch_related_objects, [joined], "subjects")
        assert len(schema.from_instance(joined).subjects) == 2
        half = face(Volume.objects.defer("title").select_related("writer", "house").get, pk=1)
        with (
            assert_queries(0),
            pytest.raises(FieldFetchBlocked, match=r"Volume\.title.*only\(\) or defer\(\)"),
        ):
            schema.from_instance(half)


def test_what_lies_deeper_is_named_by_its_whole_path(face, database):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(
            Writer, fields=["volumes__house__name", "volumes__subjects__label"], name="Out"
        )
        (ada,) = face.list(Writer.objects.prefetch_related("volumes"))
        with pytest.raises(FieldFetchBlocked, match="'volumes__house', 'volumes__subjects'") as caught:
            schema.from_instance(ada)
        assert "select_related" not in str(caught.value)


def test_a_null_needs_no_query_to_be_known(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(Volume, fields=["title", "house__name"])
        letters = face(Volume.objects.get, pk=2)
        with assert_queries(0):
            assert schema.from_instance(letters).house is None


def test_objects_that_were_just_made_show_what_they_were_made_of(face, database, assert_queries):
    writer = stocked(face, database).writer
    for kit in KITS:
        schema = kit.schema_for(Volume, fields=["title", "price", "writer__name", "house__name"])
        made = face(Volume.objects.create, writer=writer, title=kit.name, price="4.50")
        with assert_queries(0):
            assert kit.shown(schema.from_instance(made)) == {
                "title": kit.name,
                "price": "4.50",
                "writer": {"name": "Ada"},
                "house": None,
            }
        assert kit.schema_for(Writer, fields=["volumes"]).from_instance(Writer(name="new")).volumes == []


# -- what is computed --------------------------------------------------------------------------------------------------


def test_properties_methods_and_annotations_are_shown(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        types = {"initial": None, "greeting": None, "titles": int}
        schema = kit.schema_for(Writer, fields=["name"], computed=types)
        rows = Writer.objects.annotate(titles=Count("volumes"))
        with assert_queries(1):
            (ada,) = face.list(schema.prefetched(rows))
        with assert_queries(0):
            shown = kit.shown(schema.from_instance(ada))
        assert shown == {"name": "Ada", "initial": "A", "greeting": "Dear Ada", "titles": 2}
        bare = face(Writer.objects.get, pk=ada.pk)
        with pytest.raises(FieldFetchBlocked, match=r"titles.*annotate\(\)"):
            schema.from_instance(bare)


def test_a_property_loads_nothing_either(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(Volume, fields=["title"], computed=["writers_name"])
        plain = face(Volume.objects.get, pk=1)
        with assert_queries(0), pytest.raises(FieldFetchBlocked, match="writer"):
            schema.from_instance(plain)
        joined = face(Volume.objects.select_related("writer").get, pk=1)
        with assert_queries(0):
            assert schema.from_instance(joined).writers_name == "Ada"
        assert joined._state.fetch_mode is not None


# -- what is asked for -------------------------------------------------------------------------------------------------


@in_each_kit
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (
            {"fields": ["titel"]},
            FieldError,
            "Volume has no field 'titel' for a schema. Did you mean 'title'?",
        ),
        ({"exclude": ["nothing"]}, FieldError, "has no field 'nothing'"),
        (
            {"fields": ["writer__nmae"]},
            FieldError,
            "Writer has no field 'nmae' for a schema. Did you mean 'name'?",
        ),
        ({"fields": ["writers_name"]}, FieldError, "computed=['writers_name']"),
        ({"exclude": ["writer__born"]}, FieldError, "shows the key alone"),
        ({"computed": ["title"]}, FieldError, "Volume.title is a field, and not computed"),
        ({"fields": "title"}, TypeError, "a list of names, not the text 'title'"),
        ({"fields": [Volume.title]}, TypeError, "a list of names"),
        ({"optional": ["titel"]}, FieldError, "Did you mean 'title'?"),
        ({"optional": "title"}, TypeError, "a list of names"),
        ({"depth": -1}, ValueError, "depth is how many relations are followed"),
        ({"depth": True}, ValueError, "depth is how many relations are followed"),
        ({"fields": []}, FieldError, "no fields at all"),
    ],
)
def test_what_a_model_has_not_is_refused(kit, options, error, words):
    with pytest.raises(error) as caught:
        kit.schema_for(Volume, **options)
    assert words in str(caught.value)


@in_each_kit
def test_what_is_no_model_has_no_schema(kit):
    for wrong in (int, "Volume", Volume()):
        with pytest.raises(TypeError, match="A schema is of a model"):
            kit.schema_for(wrong)


@in_each_kit
def test_an_instance_of_another_model_is_refused(kit):
    schema = kit.schema_for(Writer, name="Out")
    with pytest.raises(TypeError, match="Out is a schema of Writer, not of Imprint"):
        schema.from_instance(Imprint())
    with pytest.raises(TypeError, match="reads instances of models, not 3"):
        schema.from_instances([3])


# -- values ------------------------------------------------------------------------------------------------------------


@in_each_kit
def test_values_that_an_attribute_was_given_become_those_of_the_field(kit):
    schema = kit.schema_for(Volume, fields=["title", "price", "cover", "writer_id"])
    volume = Volume(title="Notes", price="3.5", cover=Volume.Cover.HARD, writer_id="7")
    found = schema.from_instance(volume)
    assert (found.price, found.cover, type(found.cover), found.writer_id) == (Decimal("3.5"), "h", str, 7)
    with pytest.raises(ValueError, match=r"Volume\.title of Volume None is None"):
        schema.from_instance(Volume(title=None, price=1, writer_id=1))
    with pytest.raises(ValueError, match="is an expression"):
        schema.from_instance(Volume(title="x", price=F("price") + 1, writer_id=1))


@in_each_kit
def test_limits_are_those_of_the_fields(kit):
    shown = kit.describe(kit.schema_for(Volume, exclude=["id", "added", "subjects", "house"]))
    assert shown["properties"]["title"] | {"title": ""} == {
        "title": "",
        "type": "string",
        "maxLength": 20,
        "minLength": 1,
        "description": "As on the spine.",
    }
    assert shown["properties"]["cover"]["enum"] == ["h", "s"]
    assert shown["properties"]["cover"]["default"] == "s"
    assert shown["required"] == ["writer_id", "title", "price"]
    schema = kit.schema_for(Volume, fields=["title"])
    for text in ('{"title": ""}', '{"title": "a title of more than twenty"}', "{}", '{"title": null}'):
        with pytest.raises(kit.Wrong):
            kit.read(schema, text)


@in_each_kit
def test_what_may_be_missing_is_no_null(kit):
    schema = kit.schema_for(Volume, fields=["title", "house_id"], optional=True)
    assert kit.read(schema, "{}")._given() == {}
    assert kit.read(schema, '{"house_id": null}')._given() == {"house_id": None}
    with pytest.raises(kit.Wrong):
        kit.read(schema, '{"title": null}')
    assert "required" not in kit.describe(schema) or kit.describe(schema)["required"] == []
    some = kit.schema_for(Volume, fields=["title", "price"], optional=["title"])
    assert kit.describe(some)["required"] == ["price"]


class Named(models.Model):
    """Its fields have names that schemas have uses for."""

    json = models.CharField(max_length=5)
    create = models.IntegerField()
    model_dump = models.IntegerField(default=1)
    copy = models.BooleanField(default=False)

    class Meta:
        app_label = "tests"


@in_each_kit
def test_names_that_schemas_have_uses_for_are_the_same_outside(kit):
    schema = kit.schema_for(Named, exclude=["id"])
    text = '{"json":"a","create":2,"model_dump":3,"copy":true}'
    found = schema.from_instance(Named(json="a", create=2, model_dump=3, copy=True))
    assert json.loads(kit.write(found)) == json.loads(text)
    assert kit.read(schema, text) == found
    assert found.create_ == 2
    assert callable(found.create)


# -- models of every kind ----------------------------------------------------------------------------------------------


class Spot(models.Model):
    name = models.CharField(max_length=20)
    friends = models.ManyToManyField("self")

    class Meta:
        app_label = "tests"


class Diner(Spot):
    stars = models.IntegerField(default=0)

    class Meta:
        app_label = "tests"


class DinerProxy(Diner):
    class Meta:
        app_label = "tests"
        proxy = True


class BookCase(models.Model):
    pk = CompositePrimaryKey("row", "place")
    row = models.IntegerField()
    place = models.CharField(max_length=2)
    spot = models.ForeignKey(Spot, models.CASCADE, related_name="shelves")

    class Meta:
        app_label = "tests"


class Branch(models.Model):
    name = models.CharField(max_length=20)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")

    class Meta:
        app_label = "tests"
        ordering = ["pk"]


def test_inherited_fields_and_composite_keys_are_shown(face, database, assert_queries):
    database.create(Spot, Diner, BookCase)
    diner = face(Diner.objects.create, name="Joe's", stars=3)
    face(diner.friends.add, diner)
    face(BookCase.objects.create, row=1, place="a", spot=diner)
    for kit in KITS:
        schema = kit.schema_for(Diner, fields=["id", "name", "stars", "friends", "shelves"])
        with assert_queries(3):
            (found,) = face.list(schema.prefetched(DinerProxy.objects.all()))
        with assert_queries(0):
            shown = kit.shown(schema.from_instance(found))
        assert shown == {"id": 1, "name": "Joe's", "stars": 3, "friends": [1], "shelves": [[1, "a"]]}
        assert keys_of(kit.schema_for(Diner)) == ["id", "name", "stars", "friends"]
        whole = kit.schema_for(BookCase, depth=1, exclude=["spot__friends"])
        (shelf,) = face.list(whole.prefetched(BookCase.objects.all()))
        assert kit.shown(whole.from_instance(shelf)) == {
            "row": 1,
            "place": "a",
            "spot": {"id": 1, "name": "Joe's"},
        }


def test_circles_end_where_the_depth_does(face, database):
    database.create(Branch)
    root = face(Branch.objects.create, name="root")
    face(Branch.objects.create, name="leaf", parent=root)
    for kit in KITS:
        schema = kit.schema_for(Branch, fields=["name", "parent"], depth=2)
        (leaf,) = face.list(schema.prefetched(Branch.objects.filter(name="leaf")))
        assert kit.shown(schema.from_instance(leaf)) == {
            "name": "leaf",
            "parent": {"id": root.pk, "name": "root", "parent": None},
        }


# -- classes that are written by hand ----------------------------------------------------------------------------------


def test_a_class_shows_what_it_declares(face, database, assert_queries):
    stocked(face, database)
    for kit in KITS:

        class WriterOut(kit.Schema, model=Writer):
            name: str
            born: dt.date | None

        class SubjectOut(kit.Schema):
            label: str

        class VolumeOut(kit.Schema, model=Volume):
            title: str
            price: float
            writer: WriterOut
            house: int | None
            subjects: list[SubjectOut]
            writers_name: str

        with assert_queries(2):
            notes = face.list(VolumeOut.prefetched(Volume.objects.all()))[0]
        with assert_queries(0):
            assert kit.shown(VolumeOut.from_instance(notes)) == {
                "title": "Notes",
                "price": 9.5,
                "writer": {"name": "Ada", "born": "1815-12-10"},
                "house": 1,
                "subjects": [{"label": "engines"}, {"label": "numbers"}],
                "writers_name": "Ada",
            }
        assert kit.describe(WriterOut)["properties"]["name"]["maxLength"] == 40

        TitleOut = title_schema(kit)

        class Cheap(kit.Schema, model=Writer, computed=["cheap"]):
            cheap: list[TitleOut]

        rows = Writer.objects.prefetch_related(
            Prefetch("volumes", Volume.objects.filter(price__lt=5), to_attr="cheap")
        )
        (ada,) = face.list(rows)
        assert kit.shown(Cheap.from_instance(ada)) == {"cheap": [{"title": "Letters"}]}


def title_schema(kit):
    class Title(kit.Schema, model=Volume):
        title: str

    return Title


@in_each_kit
@pytest.mark.parametrize(
    ("name", "annotation", "words"),
    [
        ("born", dt.date, "Out.born is declared as date, but Writer.born may be None"),
        ("name", int, "Out.name is declared as int, but the values of Writer.name are of type str"),
        ("name", "bytes | None", "the values of Writer.name are of type str"),
        ("nmae", str, "Did you mean 'name'?"),
        ("volumes", "WriterOut", "leads to a list of them"),
    ],
)
def test_annotations_that_the_model_does_not_agree_with_are_refused(kit, name, annotation, words):
    kinds = {"WriterOut": title_schema(kit), "bytes | None": bytes | None}
    space = {"__annotations__": {name: kinds.get(annotation, annotation)}, "__module__": __name__}
    with pytest.raises((TypeError, FieldError)) as caught:
        type(kit.Schema)("Out", (kit.Schema,), space, model=Writer)
    assert words in str(caught.value)


@in_each_kit
def test_the_keywords_of_a_class_add_fields(kit):
    class VolumeOut(kit.Schema, model=Volume, fields=["id", "title", "price"], optional=["title"]):
        title: str

    class More(VolumeOut):
        cover: str

    more = More.from_instance(Volume(id=1, title="Notes", price=Decimal(3), writer_id=1))
    assert kit.shown(more) == {"id": 1, "title": "Notes", "price": "3", "cover": "s"}
    assert kit.describe(More)["properties"]["cover"]["enum"] == ["h", "s"]
    assert kit.read(VolumeOut, '{"id": 1, "price": "2.50"}')._given() == {"id": 1, "price": Decimal("2.50")}


class BranchLine(facade.contrib.pydantic.Schema, model=Branch):
    name: str
    parent: BranchLine | None


def test_the_end_of_a_line_of_parents_is_known_without_a_query(face, database, assert_queries):
    database.create(Branch)
    root = face(Branch.objects.create, name="root")
    face(Branch.objects.create, name="leaf", parent=root)
    with assert_queries(1):
        (found,) = face.list(BranchLine.prefetched(Branch.objects.filter(name="root")))
    with assert_queries(0):
        assert BranchLine.from_instance(found).parent is None


class BranchOut(facade.contrib.pydantic.Schema, model=Branch):
    name: str
    children: list[BranchOut]


class BranchUp(facade.contrib.msgspec.Schema, model=Branch):
    name: str
    children: list[BranchUp]


def test_classes_may_lead_back_to_themselves(face, database):
    database.create(Branch)
    root = face(Branch.objects.create, name="root")
    face(Branch.objects.create, name="leaf", parent=root)
    for kit, schema in ((PYDANTIC, BranchOut), (MSGSPEC, BranchUp)):
        (root,) = face.list(Branch.objects.filter(name="root").prefetch_related("children__children"))
        shown = kit.shown(schema.from_instance(root))
        assert shown == {"name": "root", "children": [{"name": "leaf", "children": []}]}
        (root,) = face.list(Branch.objects.filter(name="root").prefetch_related("children"))
        with pytest.raises(FieldFetchBlocked, match=r"Branch\.children"):
            schema.from_instance(root)
        (leaf,) = face.list(
            kit.schema_for(Branch, fields=["name"]).prefetched(Branch.objects.filter(name="leaf"))
        )
        assert leaf.get_deferred_fields() == {"parent_id"}
        root._prefetched_objects_cache["children"]._result_cache[:] = [root]
        with pytest.raises(RecursionError, match="does not end"):
            schema.from_instance(root)
