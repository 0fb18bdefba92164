"""Looking at a queryset, and completing names, in prompts, debuggers, log lines and notebooks (S105)."""

from __future__ import annotations

import pytest

import facade
from facade import models
from facade.models import F


class Postcard(models.Model):
    place = models.CharField(max_length=300)
    stamps = models.IntegerField(default=1)

    class Meta:
        app_label = "tests_display"
        ordering = ["pk"]

    def __str__(self):
        return self.place


@pytest.fixture
def postcards(database):
    database.create(Postcard)
    Postcard.objects.bulk_create([Postcard(place="<b>Rome</b>"), Postcard(place="Oslo", stamps=2)])


@pytest.mark.vendors("sqlite")
async def test_looking_at_what_is_not_loaded_asks_nothing_in_an_event_loop(database, assert_queries):
    await facade.acreate_all(models=[Postcard])
    await Postcard.objects.acreate(place="Oslo")
    queryset = Postcard.objects.filter(stamps=1)
    with assert_queries(0):
        assert repr(queryset) == f"{queryset}" == "<QuerySet of Postcard, not loaded: await it>"
        assert queryset._repr_html_() == "<code>&lt;QuerySet of Postcard, not loaded: await it&gt;</code>"
    await queryset
    with assert_queries(0):
        assert repr(queryset) == "<QuerySet [<Postcard: Oslo>]>"
        assert "<td>Oslo</td>" in queryset._repr_html_()


@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
def test_a_notebook_shows_what_is_loaded_as_a_table_of_escaped_texts(face, postcards, assert_queries):
    rows = Postcard.objects.annotate(more=F("stamps") + 1)
    with assert_queries(1):
        both = rows._repr_mimebundle_()
    assert both["text/plain"] == "<QuerySet [<Postcard: <b>Rome</b>>, <Postcard: Oslo>]>"
    assert both["text/html"] == (
        "<table><thead><tr><th>id</th><th>place</th><th>stamps</th><th>more</th></tr></thead><tbody>"
        "<tr><td>1</td><td>&lt;b&gt;Rome&lt;/b&gt;</td><td>1</td><td>2</td></tr>"
        "<tr><td>2</td><td>Oslo</td><td>2</td><td>3</td></tr></tbody></table>"
    )
    assert Postcard.objects.none()._repr_html_() == "<code>&lt;QuerySet []&gt;</code>"


@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (Postcard.objects.values("stamps", "place"), ["stamps", "place"]),
        (Postcard.objects.values_list("place", "stamps"), ["place", "stamps"]),
        (Postcard.objects.values_list("place", "stamps", named=True), ["place", "stamps"]),
        (Postcard.objects.values_list("place", flat=True), ["place"]),
        (Postcard.objects.only("place"), ["id", "place"]),
    ],
    ids=["dicts", "tuples", "named", "flat", "deferred"],
)
def test_a_table_has_the_values_that_were_asked_for(face, postcards, rows, names, assert_queries):
    with assert_queries(1):
        shown = rows._repr_html_()
    assert "".join(f"<th>{name}</th>" for name in names) + "</tr>" in shown
    assert "<td>Oslo</td>" in shown


@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
def test_long_lists_and_texts_are_cut(face, postcards):
    Postcard.objects.bulk_create([Postcard(place="x" * 300) for _ in range(30)])
    shown = Postcard.objects.all()._repr_html_()
    assert shown.count("<tr>") == 1 + 20
    assert "x" * 200 + "…" in shown
    assert "x" * 201 not in shown
    assert shown.endswith("<p>...(remaining elements truncated)...</p>")


def test_prompts_complete_public_names_and_nothing_else():
    assert {name for name in dir(models) if not name.startswith("__")} == set(models.__all__)
    assert {"configure", "models", "exceptions", "timezone"} <= set(dir(facade))
    assert {"orm", "sql", "foundation", "annotations"} & set(dir(facade)) == set()
    assert [name for name in dir(facade) if not hasattr(facade, name)] == []
