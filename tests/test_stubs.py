"""`facade stubs`: which attributes, keywords and signatures stand in the `.pyi` files, and when none is written."""

from __future__ import annotations

import ast
import importlib
import sys

import pytest
from typer.testing import CliRunner

from facade.apps import isolate_apps
from facade.cli.program import app
from facade.cli.stubs import HEADER, stub_of

SHELF = '''
"""Models of all kinds."""

from __future__ import annotations

import typing as t
from collections.abc import AsyncIterator

from facade import models

T = t.TypeVar("T")


class Colour(models.TextChoices):
    RED = "r", "Red"


class Dated(models.Model):
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class Money(models.Field[int]):
    def get_internal_type(self) -> str:
        return "IntegerField"


class Recent(models.Manager["Box"]):
    def late(self, *, days: int = 3) -> list[Box]:
        return list(self.all()[:days])


class Place(Dated):
    code = models.SlugField(primary_key=True)
    data = models.JSONField(null=True)


class Box(Dated):
    """A box."""

    SIZES = (1, 2)

    place: models.ForeignKey[t.Any] = models.ForeignKey("Place", models.CASCADE, null=True)
    colour = models.CharField(max_length=1, choices=Colour)
    price = Money(null=True)
    weight = models.DecimalField(max_digits=5, decimal_places=2)
    area = models.GeneratedField(expression=models.F("weight") * 2, output_field=models.FloatField(), db_persist=True)
    hidden = models.ForeignKey(Place, models.CASCADE, related_name="+")
    inside = models.ManyToManyField("self", symmetrical=False, related_name="outside")

    objects = models.Manager()
    recent = Recent()

    class Meta:
        ordering = ["colour"]

    class Size(models.IntegerChoices):
        BIG = 1

    @property
    def label(self) -> str:
        return "box"

    @label.setter
    def label(self, value: str) -> None: ...

    async def steps(self, count: int = 2) -> AsyncIterator[int]:
        for number in range(count):
            yield number


class Crate(Box):
    heavy = models.BooleanField()


def first(items: list[T], /, *rest: T, key: str = "x", **more: int) -> T | None:
    print("body")
    return items[0] if items else None


if t.TYPE_CHECKING:
    Boxes = list[Box]
else:
    Boxes = list

if __name__ == "__main__":
    first([1])
'''


SCHEMAS = """
from facade.contrib import msgspec as structs
from facade.contrib.pydantic import Schema, schema_for
from shelf_of_stubs.models import Box, Crate, Place

class PlaceOut(Schema, model=Place, fields=["code", "data"]):
    made: object

BoxOut = schema_for(Box, fields=["place__code", "colour", "weight", "inside"], computed=["label"])
Patch = structs.schema_for(Crate, fields=["heavy", "inside__colour"], optional=["heavy"])
"""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    package = folder / "shelf_of_stubs"
    package.mkdir()
    (package / "__init__.py").write_text("LIMIT = 3\n")
    (package / "models.py").write_text(SHELF)
    (package / "schemas.py").write_text(SCHEMAS)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    with isolate_apps("shelf_of_stubs"):
        importlib.import_module("shelf_of_stubs.models")
        yield package
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def stub(shelf):
    _, text = stub_of("shelf_of_stubs.models")
    return text


def body_of(stub, name):
    """Return the lines of one class of a stub."""
    tree = ast.parse(stub)
    (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return [ast.unparse(node) for node in found.body]


def test_it_is_python(stub):
    assert stub.startswith(HEADER)
    compile(stub, "models.pyi", "exec")


def test_the_attributes_of_a_model(stub):
    box = body_of(stub, "Box")
    for line in (
        "id: _models.DeferredAttribute[int | _Any]",
        "pk: int | _Any",
        "made: _models.DeferredAttribute[_dt.datetime]",
        "place: _models.ForeignKey[Place | None]",
        "place_id: _models.DeferredAttribute[str | None]",
        "price: Money",
        "weight: _models.DeferredAttribute[_decimal.Decimal]",
        "area: _models.DeferredAttribute[float]",
        "inside: _models.ManyToManyField[Box]",
        "outside: _BoxRelated",
        "crate: Crate",
        "objects: _ClassVar[_BoxObjects]",
        "recent: _ClassVar[_BoxObjects_recent]",
        "SIZES = (1, 2)",
    ):
        assert line in box
    assert any(line.startswith("def get_colour_display(self) -> str") for line in box)
    assert any(line.startswith("class Size(models.IntegerChoices)") for line in box)
    assert not any("Meta" in line for line in box)
    place = body_of(stub, "Place")
    assert "box_set: _BoxRelated" in place
    assert "code: _models.DeferredAttribute[str | _Any]" in place
    assert "data: _models.DeferredAttribute[_Any]" in place
    assert not any(line.startswith("id:") or "+" in line for line in place)


def test_an_abstract_model_has_neither_key_nor_keywords(stub):
    assert body_of(stub, "Dated") == ["made: _models.DeferredAttribute[_dt.datetime]"]
    assert "_DatedValues" not in stub


def test_the_keywords_of_the_constructor(stub):
    values = dict(line.split(": ") for line in body_of(stub, "_CrateValues"))
    assert values["heavy"] == "bool | _Expression"
    assert values["place"] == "Place | None | _Expression"
    assert values["place_id"] == "str | _Expression | None"
    assert values["weight"] == "_decimal.Decimal | float | str | _Expression"
    assert values["label"] == "_Any"
    assert "area" not in values
    assert "nonsense" not in values


def test_the_keywords_of_filter(stub):
    lookups = dict(line.split(": ") for line in body_of(stub, "_BoxLookups"))
    assert lookups["weight__gte"] == "_decimal.Decimal | float | str | _Expression"
    assert lookups["place__isnull"] == "bool"
    assert lookups["place__code__startswith"] == "str | _Expression"
    assert lookups["made__year__gte"] == "int | _Expression"
    assert lookups["colour__in"] == "_Iterable[str | _Expression | None] | _Expression"
    assert {"outside", "outside__weight", "crate__heavy", "pk__in"} <= lookups.keys()
    assert "place__box__weight" not in lookups
    _, deeper = stub_of("shelf_of_stubs.models", depth=2)
    assert any(line.startswith("place__box__weight: ") for line in body_of(deeper, "_BoxLookups"))


def test_the_names_of_an_order(stub):
    (order,) = [line for line in stub.splitlines() if line.startswith("_BoxOrder")]
    assert {"'?'", "'weight'", "'-weight'", "'place__code'", "'-place_id'"} <= set(
        order.partition("_Literal[")[2].rstrip("]").split(", ")
    )


def test_managers_of_ones_own_keep_their_methods(stub):
    assert "class _BoxObjects_recent(_BoxQuerySet, Recent, _models.Manager[Box]): ..." in stub
    assert "class _BoxObjects(_BoxQuerySet, _models.Manager[Box]): ..." in stub


def test_schemas_are_classes_with_their_fields(shelf):
    _, text = stub_of("shelf_of_stubs.schemas")
    assert body_of(text, "PlaceOut") == ["code: str", "data: _Any = ...", "made: object"]
    assert body_of(text, "BoxOut") == [
        "place: _BoxOut_place | None",
        "colour: _Literal['r']",
        "weight: _decimal.Decimal",
        "inside: list[int]",
        "label: str",
    ]
    assert body_of(text, "_BoxOut_place") == ["code: str"]
    assert body_of(text, "Patch") == ["heavy: bool | _msgspec.UnsetType = ...", "inside: list[_Patch_inside]"]
    assert "class Patch(_facade_contrib_msgspec.Schema):" in text


def test_functions_and_classes_keep_their_signatures(stub):
    lines = stub.splitlines()
    assert "def first(items: list[T], /, *rest: T, key: str='x', **more: int) -> T | None:" in lines
    assert "    def late(self, *, days: int=3) -> list[Box]:" in lines
    assert "    def steps(self, count: int=2) -> AsyncIterator[int]:" in lines, "an iterator is not awaited"
    assert "    Boxes = list[Box]" in lines
    assert "print" not in stub
    assert "__main__" not in stub


# -- the command --------------------------------------------------------------------------------------------


def run(*arguments):
    return CliRunner().invoke(app, ["stubs", *map(str, arguments)])


def test_stubs_are_written_and_found_to_be_stale(shelf, tmp_path):
    target = tmp_path / "shelf_of_stubs" / "models.pyi"
    assert run("shelf_of_stubs.models", "--out", tmp_path, "--check").exit_code == 1
    assert not target.exists()
    done = run("shelf_of_stubs", "shelf_of_stubs.models", "--out", tmp_path)
    assert done.exit_code == 0
    assert done.output.splitlines() == ["shelf_of_stubs: no models", f"{target}: written"]
    assert target.read_text().startswith(HEADER)
    assert run("shelf_of_stubs.models", "--out", tmp_path, "--check").output == f"{target}: up to date\n"
    target.write_text(f"{HEADER}\n")
    stale = run("shelf_of_stubs.models", "--out", tmp_path, "--check")
    assert (stale.exit_code, stale.output) == (1, f"{target}: not up to date\n")


def test_a_stub_of_somebody_else_stays(shelf, tmp_path):
    target = tmp_path / "shelf_of_stubs" / "models.pyi"
    target.parent.mkdir()
    target.write_text("x: int\n")
    done = run("shelf_of_stubs.models", "--out", tmp_path)
    assert done.exit_code == 1
    assert "is not from `facade stubs`: move it away" in done.output
    assert target.read_text() == "x: int\n"


def test_a_module_that_cannot_be_imported_is_named():
    done = run("shelf_of_nothing")
    assert (done.exit_code, done.output) == (1, "shelf_of_nothing: No module named 'shelf_of_nothing'\n")
