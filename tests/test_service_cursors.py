"""Cursors: any order, there and back, on every database; tokens that are changed, or of another list."""

from __future__ import annotations

import datetime as dt
import random
import re
from decimal import Decimal
from enum import Enum

import pytest

from facade import connection, models
from facade.configuration import override
from facade.contrib.service.errors import ParameterError
from facade.contrib.service.filtering import Filtering
from facade.contrib.service.pagination.cursors import CursorPagination
from facade.contrib.service.pagination.numbered import LimitOffsetPagination, PageNumberPagination, stable
from facade.contrib.service.pagination.tokens import BadToken, read, sign
from facade.exceptions import ImproperlyConfigured
from facade.models import Count, F, Window
from facade.models.functions import JSONObject, Lower, RowNumber
from facade.testing import CaptureQueriesContext

KEY = "sixteen or more characters"


class Rack(models.Model):
    name = models.CharField(max_length=9)

    class Meta:
        app_label = "tests"


class Flask(models.Model):
    rack = models.ForeignKey(Rack, models.CASCADE, null=True, related_name="flasks")
    amount = models.IntegerField(null=True)
    label = models.CharField(max_length=5)
    price = models.DecimalField(max_digits=6, decimal_places=2)
    filled = models.DateTimeField(null=True)

    class Meta:
        app_label = "tests"
        ordering = ["-amount", "label"]


class Cell(models.Model):
    pk = models.CompositePrimaryKey("row", "column")
    row = models.IntegerField()
    column = models.IntegerField()
    size = models.IntegerField(null=True)

    class Meta:
        app_label = "tests"


@pytest.fixture
def racks(database):
    database.create(Rack, Flask, Cell)
    chance = random.Random(7)
    moments = [None, *(dt.datetime(2024, 1, day, 1, 2, 3, 40 * day, tzinfo=dt.UTC) for day in (1, 2))]
    some = Rack.objects.bulk_create([Rack(name=f"r{number // 2}") for number in range(5)])
    Flask.objects.bulk_create(
        Flask(
            rack=chance.choice([None, *some]),
            amount=chance.choice([None, 1, 2]),
            label=chance.choice("abc"),
            price=Decimal(chance.choice(["1.10", "2"])),
            filled=chance.choice(moments),
        )
        for _ in range(25)
    )
    Cell.objects.bulk_create(
        Cell(row=row, column=column, size=chance.choice([None, 1])) for row in range(3) for column in range(3)
    )
    return database


ORDERS = [
    ["amount"], ["-amount"], ["rack__name", "-amount"], ["-rack__name"], ["filled", "price"], ["-filled"], ["price", "-label", "amount"],
    ["label", "price"], ["-label", "-price"],
    ["rack"], ["-pk"], [F("amount").desc(nulls_last=True)], [F("amount").asc(nulls_first=True), "label"],
    [F("amount").asc(nulls_last=True)], [F("filled").desc(nulls_first=True), "-amount"], [Lower("label").desc(), "amount"],
    [Lower("rack__name").asc()],
]  # fmt: skip


def walk(face, queryset, ordering, size):
    """Go through a list and back again; return the rows of both ways."""
    pagination = CursorPagination(ordering, size=size, key=KEY)

    def page_at(cursor):
        return face(pagination.bind({"cursor": cursor}).page, queryset)

    page = page_at(None)
    assert page.previous is None
    there = list(page.items)
    while page.next:
        page = page_at(page.next)
        there += page.items
    back = list(page.items)
    while page.previous:
        page = page_at(page.previous)
        assert page.next
        back = page.items + back
    return there, back


def test_a_cursor_goes_through_any_order_and_back(face, database, racks):
    for ordering in ORDERS:
        wanted = face.list(Flask.objects.order_by(*ordering, "pk" if ordering != ["-pk"] else "-pk"))
        assert walk(face, Flask.objects.all(), ordering, 4) == (wanted, wanted), ordering
    for ordering in (["size"], ["-size"], ["-pk"], ["-column", "size"]):
        wanted = face.list(Cell.objects.order_by(*ordering, "row", "column"))
        assert walk(face, Cell.objects.all(), ordering, 2) == (wanted, wanted), ordering
    wanted = face.list(Flask.objects.order_by("-amount", "label", "pk"))
    assert walk(face, Flask.objects.all(), None, 1) == (wanted, wanted)


def test_a_cursor_goes_through_dicts_and_groups(face, database, racks):
    there, back = walk(face, Flask.objects.values("label"), "-amount", 7)
    assert there == back == face.list(Flask.objects.order_by("-amount", "pk").values("label"))
    groups = Flask.objects.values("label").annotate(many=Count("pk"))
    there, back = walk(face, groups, ["many", "label"], 1)
    assert there == back == face.list(groups.order_by("many", "label"))
    counted = Rack.objects.annotate(many=Count("flasks"))
    there, back = walk(face, counted, "-many", 2)
    assert there == back == face.list(counted.order_by("-many", "pk"))


def test_what_a_cursor_goes_by_is_loaded_with_what_was_asked_for(face, database, racks):
    for rows, ordering, left_out in (
        (Flask.objects.only("label"), ["-filled", "amount"], {"rack_id", "price"}),
        (Flask.objects.only("label"), ["rack_id"], {"amount", "price", "filled"}),
        (Flask.objects.defer("label", "price"), ["price"], {"label"}),
        (Flask.objects.defer("price"), ["price"], set()),
        (Flask.objects.select_related("rack").only("label", "rack__name"), ["-price"], {"amount", "filled"}),
        (
            Flask.objects.select_related("rack").only("rack__name"),
            ["rack_id"],
            {"amount", "label", "filled", "price"},
        ),
        (Flask.objects.only("label", "price"), ["price"], {"rack_id", "amount", "filled"}),
    ):
        wanted = face.list(Flask.objects.order_by(*ordering, "pk"))
        there, back = walk(face, rows, ordering, 4)
        assert there == back == wanted
        assert {frozenset(row.get_deferred_fields()) for row in there} == {frozenset(left_out)}


def test_rows_of_values_that_are_one_stay_one(face, database, racks):
    """What is added to the order adds no column that would tell them apart, and leaves none in doubt."""
    labels = Flask.objects.values("label", "rack").distinct()
    wanted = face.list(labels.order_by("label", "rack"))
    for size in (1, 4):
        there, back = walk(face, labels, "label", size)
        assert there == back == wanted
    groups = Flask.objects.values("rack").annotate(many=Count("pk"))
    wanted = face.list(groups.order_by("many", "rack"))
    for ordering in ("many", ["many", "rack_id"]):
        assert walk(face, groups, ordering, 1) == (wanted, wanted)
    by_rack = face.list(groups.order_by("rack"))
    assert walk(face, groups, None, 2) == (by_rack, by_rack)  # the model's order is not one of groups
    for queryset, ordering in (
        (labels, "-amount"),
        (labels, Lower("rack__name")),
        (labels, None),
        (groups, F("price").desc()),
    ):
        with pytest.raises(ImproperlyConfigured, match="Name it there, or order by"):
            face(CursorPagination(ordering, key=KEY).bind({}).page, queryset)


def test_pages_by_number_leave_no_row_in_doubt(face, database, racks):
    for queryset in (
        Flask.objects.order_by(F("price").desc(nulls_last=True)),
        Flask.objects.order_by(Lower("label")),
        Flask.objects.annotate(twice=F("amount") * 2)
        .filter(price__gt=1)
        .order_by(F("twice") + 1, Lower("label")),
        Flask.objects.order_by("label").reverse(),
        Flask.objects.values("label", "price").order_by("price"),
        Flask.objects.values_list("pk").order_by("label"),
        Flask.objects.values("label").distinct(),
        Flask.objects.values("rack").annotate(many=Count("pk")).order_by("many"),
        Flask.objects.all(),
    ):
        rows = stable(queryset)
        assert stable(rows).query.order == rows.query.order or queryset._fields
        pages = [
            face(PageNumberPagination(size=4).bind({"page": page}).page, queryset) for page in range(1, 8)
        ]
        found = [row for page in pages for row in page.items]
        assert len(found) == pages[0].total == face(queryset.count)
        assert found == face.list(rows)
        assert sorted(map(str, found)) == sorted(map(str, face.list(queryset.order_by())))
    text = str(stable(Flask.objects.order_by(F("price").desc())).query)
    assert re.search(r'price["`]? DESC, .*id["`]? ASC$', text)


def test_a_client_has_the_order_that_it_asks_for(face, database, racks):
    allowed = Filtering(Flask, ordering=["price", "label"])
    pagination = CursorPagination("-amount", size=25, key=KEY)

    def labels(given):
        return face(pagination.bind({}).page, allowed.bind(given).apply(Flask.objects.all())).items

    assert labels({}) == face.list(Flask.objects.order_by("-amount", "pk"))
    asked = {"ordering": ["-label", "price"]}
    assert labels(asked) == face.list(Flask.objects.order_by("-label", "price", "pk"))
    changed = allowed.bind(asked).apply(Flask.objects.all()).order_by("pk")
    assert face(pagination.bind({}).page, changed).items == labels({})


def test_rows_that_come_and_go_shift_nothing(face, database, racks, assert_queries):
    pagination = CursorPagination("-amount", size=5, key=KEY)
    first = face(pagination.bind({}).page, Flask.objects.prefetch_related("rack"))
    face(Flask.objects.create, label="new", price=1, amount=9)
    face(first.items[0].delete)
    with assert_queries(2) as captured:
        second = face(pagination.bind({"cursor": first.next}).page, Flask.objects.prefetch_related("rack"))
    assert not {flask.pk for flask in first.items} & {flask.pk for flask in second.items}
    assert "OFFSET 0" in captured[0]["sql"] or "OFFSET" not in captured[0]["sql"]
    everything = face.list(Flask.objects.order_by("-amount", "pk"))
    place = everything.index(first.items[-1]) + 1
    assert second.items == everything[place : place + 5]


@pytest.mark.vendors("postgres")
@pytest.mark.faces("sync")
def test_an_index_finds_the_place_of_a_cursor(face, database, racks):
    """However far behind: what is before it is not read."""
    database.observe("CREATE INDEX tests_flask_place ON tests_flask (label, id)")
    database.observe(
        "INSERT INTO tests_flask (label, price) SELECT 'n' || n % 50, 1 FROM generate_series(1, 20000) n"
    )
    database.observe("ANALYZE tests_flask")
    pagination = CursorPagination("label", size=10, key=KEY)
    far = pagination.bind({}).page(Flask.objects.filter(label="n9"))
    with CaptureQueriesContext(connection) as captured:
        page = pagination.bind({"cursor": far.next}).page(Flask.objects.all())
    assert {flask.label for flask in page.items} == {"n9"}
    ((plan,),) = database.observe(f"EXPLAIN (ANALYZE, FORMAT JSON) {captured[0]['sql']}")
    scan = plan[0]["Plan"]["Plans"][0]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "tests_flask_place")
    assert (scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) == (11, 0)


def test_cursors_are_taken_only_by_the_list_that_made_them(face, database, racks):
    pagination = CursorPagination("-amount", size=5, key=KEY)
    cursor = face(pagination.bind({}).page, Flask.objects.all()).next

    def ask(asked, queryset, given):
        return face(asked.bind({"cursor": given}).page, queryset)

    for other in (CursorPagination("amount", key=KEY), CursorPagination("-amount", key=KEY[::-1])):
        with pytest.raises(ParameterError, match="was not made by this service for this list"):
            ask(other, Flask.objects.all(), cursor)
    with pytest.raises(ParameterError):
        ask(CursorPagination("pk", key=KEY), Rack.objects.all(), cursor)
    for place in range(0, len(cursor), 5):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(ParameterError):
            ask(pagination, Flask.objects.all(), changed)
    turned = CursorPagination("-amount", size=5, key=["a new key of many characters", KEY])
    assert len(ask(turned, Flask.objects.all(), cursor).items) == 5


@pytest.mark.vendors("sqlite")
@pytest.mark.faces("sync")
def test_what_a_cursor_cannot_do_is_told(face, database, racks):
    def page(queryset, ordering=None, **options):
        return CursorPagination(ordering, **options).bind({}).page(queryset)

    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY"):
        page(Flask.objects.all())
    with pytest.raises(ImproperlyConfigured, match="can be guessed"):
        page(Flask.objects.all(), key="short")
    with override(SECRET_KEY=KEY):
        assert page(Flask.objects.all()).next
    for queryset, ordering, words in (
        (Flask.objects.all()[:3], None, "slice"),
        (Flask.objects.order_by().union(Flask.objects.order_by()), "pk", "union"),
        (Flask.objects.values_list("pk"), None, "tuples"),
        (Flask.objects.annotate(place=Window(RowNumber(), order_by="pk")), "label", "Window"),
        (Flask.objects.all(), Window(RowNumber(), order_by="pk").asc(), "Window"),
    ):
        with pytest.raises(TypeError, match=words):
            page(queryset, ordering, key=KEY)
    for queryset, ordering, words in (
        (Flask.objects.all(), "?", "no order"),
        (Flask.objects.order_by(Lower("label")), None, "ordering="),
        (Flask.objects.all(), [3], "no order"),
        (Flask.objects.annotate(document=JSONObject(label="label")), "document", "no order"),
    ):
        with pytest.raises(ImproperlyConfigured, match=words):
            page(queryset, ordering, key=KEY)
    with pytest.raises(ImproperlyConfigured, match="max_size"):
        PageNumberPagination(size=200)
    for pagination in (PageNumberPagination(), LimitOffsetPagination()):
        with pytest.raises(TypeError, match="not from list"):
            pagination.bind({}).page([])


def test_signed_texts_keep_their_values():
    values = [None, True, 1, 1.5, "ä", Decimal("1.10"), dt.date(2024, 1, 2), dt.time(1, 2), dt.timedelta(1, 2, 3), b"\0x",
              dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC)]  # fmt: skip
    token = sign(values, "this", [b"key"])
    assert read(token, "this", [b"other", b"key"]) == values
    for token_, about, key in (
        (token, "that", b"key"),
        (token, "this", b"yek"),
        ("", "this", b"key"),
        ("ä", "this", b"key"),
    ):
        with pytest.raises(BadToken):
            read(token_, about, [key])
    for value in (object(), Unlike.ONE):
        with pytest.raises(TypeError, match="cannot be kept"):
            sign([value], "this", [b"key"])


class Unlike(Enum):
    """Databases compare its names, or places, and no values."""

    ONE = 1
