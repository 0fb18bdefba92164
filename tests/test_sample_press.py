"""The sample application: what SQLAlchemy's ORM and facade answer on the same tables is the same, and so is what they leave behind."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import sqlalchemy as sa
from press import tables
from press.app import create_app
from sqlalchemy.orm import Session

from tests.serving import serving

pytestmark = pytest.mark.vendors("postgres")

WAYS = ["sqlalchemy/sync", "sqlalchemy/async", "facade/sync", "facade/async"]
LONG_AGO = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
SEA, OWL, TEA, FOG = (uuid.UUID(int=number) for number in (1, 2, 3, 4))
FAIR = dt.datetime(2026, 3, 19, 10, 30)  # noqa: DTZ001 - the clock of the fair's town
UNKNOWN = uuid.UUID(int=99)


def fill(session):
    """Store what every test finds."""
    session.add_all(
        [
            tables.ImprintORM(code="N", name="North"),
            tables.ImprintORM(code="S", name="South"),
            tables.ImprintORM(code="E", name="Empty"),
        ]
    )
    ann, bea, cem = [
        tables.AuthorORM(email="Ann@example.org", given_name="Ann", family_name="Zabel", born=dt.date(1970, 5, 1)),
        tables.AuthorORM(email="bea@example.org", given_name="Bea", family_name="Young", profile={"site": "bea.example"}),
        tables.AuthorORM(email="cem@example.org", given_name="Cem", family_name="Xu"),
    ]  # fmt: skip
    session.add_all([ann, bea, cem])
    session.flush()
    nature, night = tables.TagORM(label="Nature"), tables.TagORM(label="Night")
    session.add_all([nature, night])
    session.flush()

    def title(key, imprint, name, price, **values):
        return tables.TitleORM(
            id=key,
            imprint_code=imprint,
            name=name,
            price=decimal.Decimal(price),
            created=LONG_AGO,
            changed=LONG_AGO + dt.timedelta(days=key.int),
            **values,
        )

    def edition(number, binding, isbn, printed, sold):
        return tables.EditionORM(
            number=number, binding=binding, isbn=isbn, printed=printed, sold=sold, released=dt.date(2024, 3, number)
        )  # fmt: skip

    out, hardback, ebook = tables.Status.OUT, tables.Binding.HARDBACK, tables.Binding.EBOOK
    session.add_all([
        title(SEA, "N", "The Sea", "20.00", status=out, pages=320, authors=[ann, bea], tags=[nature],
              features={"maps": 3, "cover": {"colour": "blue"}},
              editions=[edition(1, hardback, "9780000000011", 100, 90), edition(2, ebook, "9780000000012", 500, 10)]),
        title(OWL, "N", "Owls at 50% of light", "12.50", status=out, authors=[bea], tags=[nature, night],
              editions=[edition(1, hardback, "9780000000021", 50, 50)]),
        title(TEA, "S", "A Tea", "8.00", authors=[cem], features={"recipes": 12}),
        title(FOG, "S", "Fog", "9.90", status=tables.Status.ANNOUNCED, announced_for=FAIR),
    ])  # fmt: skip
    session.flush()
    session.add_all([
        tables.OrderORM(title_id=SEA, number=1, shop="Corner", copies=4, amount=80, placed=LONG_AGO),
        tables.OrderORM(title_id=SEA, number=2, shop="Corner", copies=1, amount=20, placed=LONG_AGO),
        tables.OrderORM(title_id=OWL, number=1, shop="Dot", copies=8, amount=100, placed=LONG_AGO + dt.timedelta(days=1)),
    ])  # fmt: skip


class House:
    """The application, and its database seen from outside."""

    def __init__(self, client, engine):
        self.client, self.engine = client, engine

    def refill(self):
        names = ", ".join(
            table.fullname.replace("order", '"order"') for table in tables.Base.metadata.sorted_tables
        )
        with Session(self.engine) as session, session.begin():
            session.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
            fill(session)

    def ask(self, way, method, path, **options):
        """Return the status and the body of an answer."""
        answer = self.client.request(method, f"/{way}{path}", **options)
        return answer.status_code, answer.json() if answer.content else None

    def contents(self):
        """Return all rows of all tables."""
        with self.engine.connect() as connection:
            return {
                table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
                for table in tables.Base.metadata.sorted_tables
            }  # fmt: skip

    def read(self, path):
        """Check that all ways answer the same; return the body."""
        found = {way: self.ask(way, "GET", path) for way in WAYS}
        for way, answer in found.items():
            assert answer == found[WAYS[0]], way
        status, body = found[WAYS[0]]
        assert status == 200, body
        return body

    def write(self, work):
        """Check that all ways, each on the same rows, answer the same and leave the same rows; return answers and rows."""
        found = {}
        for way in WAYS:
            self.refill()
            answers = work(lambda *args, way=way, **options: self.ask(way, *args, **options))
            found[way] = plain(answers), plain(self.contents())
            assert found[way] == found[WAYS[0]], way
        return found[WAYS[0]]


RECENT = re.compile(r"20[2-9]\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


def plain(value):
    """Return the value with "new" for each random key and each moment of today."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, uuid.UUID):
        value = str(value)
    if isinstance(value, dt.datetime) and value.tzinfo:
        value = value.astimezone(dt.UTC).isoformat(sep=" ")
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f-]{17}", value):
        return "new key"
    if isinstance(value, str) and RECENT.fullmatch(value) and not value.startswith("2020-"):
        return "new moment"
    return value


@pytest.fixture
def engine(database):
    made = sa.create_engine(sa.make_url(database.url).set(drivername="postgresql+psycopg"))
    tables.create(made)
    yield made
    made.dispose()


@pytest.fixture
def house(database, engine) -> Iterator[House]:
    """The application behind a socket."""
    with (
        serving(create_app(database.url)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        made = House(client, engine)
        made.refill()
        yield made


# -- reading -------------------------------------------------------------------------------------------------------------

LISTS = {
    "": ["Fog", "Owls at 50% of light", "The Sea", "A Tea"],
    "order=-price": ["The Sea", "Owls at 50% of light", "Fog", "A Tea"],
    "order=-changed": ["Fog", "A Tea", "Owls at 50% of light", "The Sea"],
    "status=out": ["Owls at 50% of light", "The Sea"],
    "status=draft&status=announced": ["Fog", "A Tea"],
    "status=out of print": [],
    "imprint=S": ["Fog", "A Tea"],
    "tag=NATURE": ["Owls at 50% of light", "The Sea"],
    "tag=night&status=out": ["Owls at 50% of light"],
    "author=ann@EXAMPLE.org": ["The Sea"],
    "q=50%25": ["Owls at 50% of light"],
    "q=bea young": ["Owls at 50% of light", "The Sea"],
    "q=_": [],
    "feature=maps": ["The Sea"],
    "cheaper_than=9.90": ["A Tea"],
    "announced_until=2026-03-19T10:30:00": ["Fog"],
    "announced_until=2026-03-19T10:29:59": [],
    "page=2&size=3": ["A Tea"],
    "page=5": [],
}


def test_lists_are_the_same(house):
    for query, names in LISTS.items():
        page = house.read(f"/titles?{query}")
        assert [title["name"] for title in page["titles"]] == names, query


def test_a_line_counts_what_belongs_to_it(house):
    assert house.read("/titles?imprint=N&order=name") == {
        "total": 2,
        "titles": [
            {
                "id": str(OWL),
                "name": "Owls at 50% of light",
                "imprint": "North",
                "status": "out",
                "price": "12.50",
                "authors": 1,
                "copies_left": 0,
            },
            {
                "id": str(SEA),
                "name": "The Sea",
                "imprint": "North",
                "status": "out",
                "price": "20.00",
                "authors": 2,
                "copies_left": 500,
            },
        ],
    }


def test_details_are_the_same(house):
    title = house.read(f"/titles/{SEA}")
    assert (title["imprint"], title["shelf_name"], title["is_for_sale"]) == (
        {"code": "N", "name": "North"},
        "sea",
        True,
    )
    assert [author["full_name"] for author in title["authors"]] == ["Bea Young", "Ann Zabel"]
    assert title["authors"][0]["profile"] == {"site": "bea.example"}
    assert title["tags"] == [{"id": 1, "label": "Nature"}]
    assert [edition["left"] for edition in title["editions"]] == [10, 490]
    assert title["features"] == {"maps": 3, "cover": {"colour": "blue"}}


def test_a_naive_moment_stays_one(house):
    title = house.read(f"/titles/{FOG}")
    assert title["announced_for"] == "2026-03-19T10:30:00"
    assert title["created"] == "2020-01-01T12:00:00Z"


def test_statistics_are_the_same(house):
    found = house.read("/statistics")
    assert found["imprints"] == [
        {"imprint": "North", "titles": 2, "copies": 13, "revenue": "200.00", "mean_price": "16.25"},
        {"imprint": "Empty", "titles": 0, "copies": 0, "revenue": "0.00", "mean_price": None},
        {"imprint": "South", "titles": 2, "copies": 0, "revenue": "0.00", "mean_price": "8.95"},
    ]
    assert found["ranking"] == [
        {"name": "Owls at 50% of light", "imprint": "North", "revenue": "100.00", "place": 1},
        {"name": "The Sea", "imprint": "North", "revenue": "100.00", "place": 1},
    ]
    assert found["days"] == [
        {"day": "2020-01-01", "copies": 5, "copies_so_far": 5},
        {"day": "2020-01-02", "copies": 8, "copies_so_far": 13},
    ]


# -- writing -------------------------------------------------------------------------------------------------------------

NEW = {
    "name": "An Atlas of Rain",
    "imprint": "N",
    "authors": [1, 3],
    "tags": ["nature", "Rain", "rain"],
    "features": {"maps": 40},
    "announced_for": "2027-01-02T09:00:00",
    "editions": [
        {"number": 1, "binding": "paperback", "isbn": "9780000000099", "printed": 30},
        {"number": 2, "binding": "ebook", "isbn": "9780000000098", "released": "2027-02-03"},
    ],
}


def test_what_is_created_is_the_same(house):
    ((status, title),), rows = house.write(lambda ask: [ask("POST", "/titles", json=NEW)])
    assert status == 201
    assert (title["id"], title["changed"], title["created"]) == ("new key", "new moment", "new moment")
    assert (title["status"], title["price"], title["pages"]) == ("draft", "0.00", 0), "the columns' defaults"
    assert title["shelf_name"] == "atlas of rain"
    assert [tag["label"] for tag in title["tags"]] == ["Nature", "Rain"]
    assert [(edition["printed"], edition["left"]) for edition in title["editions"]] == [(30, 30), (0, 0)]
    assert [author["full_name"] for author in title["authors"]] == ["Cem Xu", "Ann Zabel"]
    assert len(rows["tag"]) == 3


def test_what_is_changed_is_the_same(house):
    changes = {"status": "out", "price": "11.00", "tags": ["NIGHT", "Drinks"], "features": {"recipes": 13}}

    def work(ask):
        return [
            ask("PATCH", f"/titles/{TEA}", json=changes),
            ask("PATCH", f"/titles/{SEA}", json={"tags": []}),
        ]

    ((status, tea), (_, sea)), rows = house.write(work)
    assert status == 200
    assert (tea["status"], tea["price"], tea["features"]) == ("out", "11.00", {"recipes": 13})
    assert (tea["changed"], tea["created"]) == ("new moment", "2020-01-01T12:00:00Z"), "by onupdate"
    assert [tag["label"] for tag in tea["tags"]] == ["Drinks", "Night"]
    assert sea["tags"] == []
    assert [row[1] for row in rows["tag"]] == ["Nature", "Night", "Drinks"]


def test_what_is_deleted_is_gone(house):
    answers, rows = house.write(lambda ask: [ask("DELETE", f"/titles/{SEA}"), ask("GET", f"/titles/{SEA}")])
    assert answers == [[204, None], [404, {"detail": f"There is no title {SEA}."}]]
    assert len(rows["title"]) == 3
    assert len(rows["edition"]) == len(rows["order"]) == 1
    assert len(rows["author"]) == 3


def test_orders_are_the_same(house):
    order = {
        "shop": "Corner",
        "lines": [
            {"title": str(SEA), "number": 1, "copies": 10},
            {"title": str(SEA), "number": 2, "copies": 1},
        ],
    }
    ((status, receipt),), rows = house.write(lambda ask: [ask("POST", "/orders", json=order)])
    assert (status, receipt) == (201, {"orders": 2, "amount": "220.00"})
    assert [row[5:7] for row in rows["edition"][:2]] == [[100, 0], [11, 489]]
    assert len(rows["order"]) == 5


# -- requests that fail ------------------------------------------------------------------------------------------------------

FAILURES = {
    "an order of more than there is": (
        "POST",
        "/orders",
        {"shop": "Dot", "lines": [{"title": str(SEA), "number": 1, "copies": 3}, {"title": str(OWL), "number": 1, "copies": 1}]},
        409,
    ),
    "an order of what there is not": (
        "POST",
        "/orders",
        {"shop": "Dot", "lines": [{"title": str(SEA), "number": 1, "copies": 3}, {"title": str(SEA), "number": 7, "copies": 1}]},
        404,
    ),
    "a title that is there": ("POST", "/titles", NEW | {"name": "The Sea"}, 409),
    "an edition that is there": (
        "POST",
        "/titles",
        NEW | {"editions": [NEW["editions"][0] | {"isbn": "9780000000011"}]},
        409,
    ),
    "a moment with a zone": ("POST", "/titles", NEW | {"announced_for": "2027-01-02T09:00:00Z"}, 422),
    "an author who is not there": ("POST", "/titles", NEW | {"authors": [1, 7]}, 404),
    "an imprint that is not there": ("POST", "/titles", NEW | {"imprint": "X"}, 409),
    "a price that cannot be": ("PATCH", f"/titles/{TEA}", {"price": "-1.00", "tags": ["Drinks"]}, 409),
    "a title that is not there": ("PATCH", f"/titles/{UNKNOWN}", {"price": "1.00"}, 404),
    "nothing to delete": ("DELETE", f"/titles/{UNKNOWN}", None, 404),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_a_request_that_fails_leaves_nothing(house, case):
    method, path, body, wanted = FAILURES[case]
    before = plain(house.contents())

    def work(ask):
        return [ask(method, path, json=body), ask("GET", "/titles?order=price")]

    ((status, _), (_, page)), rows = house.write(work)
    assert status == wanted
    assert rows == before
    assert page["total"] == 4


def test_one_request_after_another(house):
    order = {"shop": "Dot", "lines": [{"title": str(OWL), "number": 1, "copies": 1}]}

    def work(ask):
        return [
            ask("POST", "/titles", json=NEW),
            ask("GET", "/titles?tag=rain"),
            ask("POST", "/orders", json=order),
            ask("PATCH", f"/titles/{FOG}", json={"status": "out"}),
            ask("GET", "/statistics"),
            ask("DELETE", f"/titles/{FOG}"),
            ask("GET", "/titles"),
        ]

    answers, _ = house.write(work)
    assert [status for status, _ in answers] == [201, 200, 409, 200, 200, 204, 200]
    assert answers[-1][1]["total"] == 4


def test_requests_of_all_ways_at_once_keep_apart(house):
    def order(number):
        """Order one copy of an edition of which there are enough, and every third time of one that is sold out, too."""
        lines = [{"title": str(SEA), "number": 2, "copies": 1}]
        if number % 3 == 0:
            lines.append({"title": str(OWL), "number": 1, "copies": 1})
        return house.ask(
            WAYS[number % 4], "POST", "/orders", json={"shop": f"Shop {number}", "lines": lines}
        )[0]

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(order, range(48)))
    assert statuses == [409 if number % 3 == 0 else 201 for number in range(48)]
    rows = house.contents()
    assert [row[5] for row in rows["edition"]] == [90, 10 + 32, 50]
    assert sorted(row[3] for row in rows["order"] if row[3].startswith("Shop")) == sorted(
        f"Shop {number}" for number in range(48) if number % 3
    )
