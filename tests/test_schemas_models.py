"""Schemas of models on existing tables, with keys of all kinds; names for others; threads; and what reading costs."""

from __future__ import annotations

import enum
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
import sqlalchemy as sa
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

import benchmarks.schemas
import facade.contrib.msgspec
import facade.contrib.pydantic
from benchmarks.roads import Place
from facade import models
from facade.apps import isolate_apps
from facade.exceptions import FieldError
from tests.fix_calls import calls
from tests.shelves import Volume, Writer, stocked
from tests.test_existing_tables import made
from tests.test_schemas import KITS, MSGSPEC, PYDANTIC, in_each_kit, keys_of


class State(enum.Enum):
    open = 1
    shut = 2


def existing():
    """Return a model on tables that are there already, and their MetaData."""
    metadata = sa.MetaData()
    owner = sa.Table("shop_owner", metadata, sa.Column("code", sa.String(5), primary_key=True))
    shop = sa.Table(
        "shop",
        metadata,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("branch", sa.String(3), primary_key=True),
        sa.Column("owner_id", sa.ForeignKey("shop_owner.code"), nullable=False),
        sa.Column("state", sa.Enum(State), nullable=False),
        sa.Column("from", sa.Date),
    )

    class Owner(models.Model):
        class Meta:
            table = owner
            app_label = "tests"

    class Shop(models.Model):
        class Meta:
            table = shop
            app_label = "tests"

    return metadata, Owner, Shop


def test_models_on_existing_tables_have_schemas(face, database, assert_queries):
    with isolate_apps("tests"):
        metadata, owner, shop = existing()
        made(database, *metadata.tables.values())
        face(owner.objects.create, code="ada")
        face(shop.objects.create, number=1, branch="b", owner_id="ada", state=State.shut)
        for kit in KITS:
            schema = kit.schema_for(shop, depth=1)
            with assert_queries(1):
                (row,) = face.list(schema.prefetched(shop.objects.all()))
            shown = schema.from_instance(row)
            assert kit.shown(shown) == {
                "number": 1,
                "branch": "b",
                "owner": {"code": "ada"},
                "state": 2,
                "from_field": None,
            }
            assert kit.read(schema, kit.write(shown)) == shown
            flat = kit.schema_for(shop)
            assert keys_of(flat) == ["number", "branch", "owner_id", "state", "from_field"]
            given = kit.read(
                flat, f'{{"number": {len(kit.name)}, "branch": "c", "owner_id": "ada", "state": 1}}'
            )
            assert face(given.create).pk == (len(kit.name), "c")
            back = kit.schema_for(owner, fields=["code", "shop_set"])
            (row,) = face.list(back.prefetched(owner.objects.all()))
            assert [1, "b"] in kit.shown(back.from_instance(row))["shop_set"]
            assert kit.read(back, kit.write(back.from_instance(row))) == back.from_instance(row)
            face(shop.objects.filter(branch="c").delete)


@in_each_kit
def test_a_relation_to_a_model_that_is_not_there_yet_is_named(kit):
    with isolate_apps("tests"):

        class Part(models.Model):
            whole = models.ForeignKey("Whole", models.CASCADE)

            class Meta:
                app_label = "tests"

        with pytest.raises(
            FieldError, match=r"Part\.whole leads to the model '.*Whole', which is not defined yet"
        ):
            kit.schema_for(Part)


class Crown(models.Model):
    code = models.CharField(max_length=5, unique=True)
    note = models.CharField(max_length=5, default="x")

    class Meta:
        app_label = "tests"


class Gem(models.Model):
    crown = models.ForeignKey(Crown, models.CASCADE, to_field="code", related_name="gems")

    class Meta:
        app_label = "tests"


def test_keys_that_are_not_shown_are_loaded_where_relations_need_them(face, database, assert_queries):
    database.create(Crown, Gem)
    crown = face(Crown.objects.create, code="c1")
    face(Gem.objects.create, crown=crown)
    for kit in KITS:
        schema = kit.schema_for(Crown, fields=["gems__id", "gems__crown"])
        with assert_queries(2):
            (found,) = face.list(schema.prefetched(Crown.objects.all()))
        with assert_queries(0):
            assert kit.shown(schema.from_instance(found)) == {"gems": [{"id": 1, "crown_id": "c1"}]}
        assert found.get_deferred_fields() == {"note"}


class Camel(facade.contrib.pydantic.Schema):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class CamelStruct(facade.contrib.msgspec.Schema, rename="camel", forbid_unknown_fields=True):
    pass


def test_a_base_gives_its_schemas_other_names(face, database):
    stocked(face, database)
    for kit, base in ((PYDANTIC, Camel), (MSGSPEC, CamelStruct)):
        schema = kit.schema_for(Volume, fields=["writer_id", "title", "price", "house__name"], base=base)
        (notes, _) = face.list(schema.prefetched(Volume.objects.all()))
        assert kit.shown(schema.from_instance(notes)) == {
            "writerId": 1,
            "title": "Notes",
            "price": "9.50",
            "house": {"name": "Taylor"},
        }
        flat = kit.schema_for(Volume, fields=["writer_id", "title", "price"], base=base)
        with pytest.raises(kit.Wrong):
            kit.read(flat, '{"writerId": 1, "titel": "x", "price": 1}')
        given = kit.read(flat, '{"writerId": 9, "title": "x", "price": "1"}')
        with pytest.raises(facade.contrib.pydantic.InvalidData) as caught:
            face(given.create)
        assert caught.value.errors()[0]["loc"] == ("body", "writerId")


def test_threads_may_read_a_new_schema_at_once():
    writers = [Writer(id=number, name=f"w{number}") for number in range(20)]
    for kit in KITS:
        for _ in range(10):
            schema = kit.schema_for(Writer, fields=["id", "name"])
            start = Barrier(4)

            def read(schema=schema, start=start):
                start.wait()
                return [schema.from_instance(writer).id for writer in writers]

            with ThreadPoolExecutor(4) as threads:
                assert [found.result() for found in [threads.submit(read) for _ in range(4)]] == [
                    [*range(20)]
                ] * 4


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_the_ways_that_are_measured_give_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks.schemas, "WRITERS", 3)
    found = benchmarks.schemas.measure(Place("sqlite", str(tmp_path / "x.sqlite3")), rounds=1)
    assert all(len(way.seconds) == 1 for way in found)
    assert benchmarks.schemas.ratio(found[-1], found) > 0


@pytest.mark.without("mariadb", reason="what is counted is the same everywhere")
@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
def test_reading_an_instance_is_one_call_for_each_object(face, database, fast):
    stocked(face, database)
    for kit in KITS:
        schema = kit.schema_for(
            Volume, fields=["id", "title", "price", "writer__name", "house__name", "subjects__label"]
        )
        (notes, _) = schema.prefetched(Volume.objects.all())
        # Itself, and the volume, the writer, the house and two subjects; before Python 3.12 their list is a call, too.
        assert calls(partial(schema.from_instances, [notes])) <= 2 + 5 + 1
        assert calls(partial(schema.from_instances, [notes] * 100)) <= 2 + 500 + 100
