"""Tables that models know by name, views, and tables without a primary key."""

from __future__ import annotations

import asyncio
import threading

import pytest
import sqlalchemy as sa

import facade
from facade import models
from facade.db.connection import connections
from facade.exceptions import ImproperlyConfigured, SynchronousOnlyOperation, UnsupportedFeature
from facade.meta.registry import isolate_apps
from tests.test_existing_tables import made


def shop_tables():
    metadata = sa.MetaData()
    customers = sa.Table(
        "customers",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("Rest Of It", sa.Text),
        sa.Column("data", sa.JSON),
    )
    orders = sa.Table(
        "orders",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("customer_id", sa.ForeignKey("customers.id", ondelete="CASCADE"), nullable=False),
        sa.Column("total", sa.Numeric(8, 2)),
        sa.Column("at", sa.DateTime),
    )
    return customers, orders


@pytest.fixture
def shop(database):
    engine = made(database, *shop_tables())
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE VIEW big_orders AS SELECT id AS number, total FROM orders WHERE total > 10"
        )
    with isolate_apps():
        yield database
    engine.dispose()


def model(name, table, /, **attributes):
    meta = type("Meta", (), {"app_label": "shop", "table": table, **attributes.pop("meta", {})})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **attributes})


def test_a_table_is_looked_up_by_its_name(face, shop):
    customer, order = model("Customer", "customers"), model("Order", "orders")
    ada = face(customer.objects.create, name="Ada", data={"a": 1})
    assert [field.name for field in customer._meta.fields] == ["id", "name", "active", "Rest_Of_It", "data"]
    assert (ada.active, ada.Rest_Of_It) == (True, None)
    face(order.objects.create, customer=ada, total=5)
    found = face(order.objects.select_related("customer").get)
    assert (found.customer, found.customer.data, found.customer.active) == (ada, {"a": 1}, True)
    assert face.list(ada.order_set.all()) == [found]
    face(ada.delete)
    assert face(order.objects.count) == 0


def test_the_table_is_looked_up_once(face, shop, assert_queries):
    customer = model("Customer", "customers")
    face(facade.reflect)
    table = customer.__table__
    with assert_queries(1):
        face(customer.objects.count)
    assert customer.__table__ is table
    assert customer.name.field.max_length == 30


async def test_code_that_may_not_wait_is_told_to_look_before(shop):
    customer = model("Customer", "customers")
    with pytest.raises(
        SynchronousOnlyOperation,
        match=r"Looking up the table of shop\.Customer .* await facade\.areflect\(\) before",
    ):
        customer.objects.filter(name="Ada")
    assert await customer.objects.acount() == 0
    customer.objects.filter(name="Ada")
    order = model("Order", "orders")
    await facade.areflect([order])
    assert await order.objects.filter(customer__name="Ada").acount() == 0


def test_a_table_that_is_not_there(face, shop):
    nothing, customer = model("Nothing", "nothing"), model("Customer", "customers")
    assert face(customer.objects.count) == 0
    with pytest.raises(
        ImproperlyConfigured, match=r"shop\.Nothing stands on the table 'nothing' .* 'default' has none"
    ):
        face(nothing.objects.count)
    with pytest.raises(ImproperlyConfigured, match="'nothing'"):
        face(facade.reflect)


def test_declared_fields_stand_on_columns_by_name(face, shop):
    customer = model(
        "Customer",
        "customers",
        name=models.SlugField(max_length=5),
        notes=models.TextField(db_column="Rest Of It", default="-"),
    )
    ada = face(customer.objects.create, name="Ada")
    assert ada.notes == "-"
    assert face(customer.objects.get, notes="-").name == "Ada"


def test_ordinary_models_refer_to_reflected_ones(face, shop):
    customer = model("Customer", "customers")

    class Comment(models.Model):
        customer = models.ForeignKey("Customer", models.CASCADE, related_name="comments")

        class Meta:
            app_label = "shop"

    assert customer._meta.is_reflected is False
    face(facade.create_all, [Comment])
    ada = face(customer.objects.create, name="Ada")
    comment = face(Comment.objects.create, customer=ada)
    assert face.list(ada.comments.all()) == [comment]
    assert face(Comment.objects.select_related("customer").get).customer == ada


def test_the_inspector_looks_at_a_database(face, shop):
    names = face(connections["default"].inspect, lambda inspector: inspector.get_table_names())
    assert {"customers", "orders"} <= set(names)
    assert face(connections["default"].inspect, lambda inspector: inspector.get_view_names()) == [
        "big_orders"
    ]


@pytest.mark.vendors("postgres")
def test_tables_in_schemas(face, database):
    metadata = sa.MetaData()
    table = sa.Table(
        "things",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("n", sa.Integer),
        schema="store",
    )
    other = sa.Table(
        "things",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("thing_id", sa.ForeignKey("store.things.id")),
    )
    engine = sa.create_engine(
        sa.make_url(database.url).set(drivername="postgresql+psycopg"), poolclass=sa.NullPool
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA store")
        metadata.create_all(connection)
    with isolate_apps():
        reflected = model("Reflected", "store.things")
        face(reflected.objects.create, n=1)
    with isolate_apps():
        thing, part = model("Thing", table), model("Part", other)
        part_of = face(part.objects.create, thing=face(thing.objects.get))
        assert face(part.objects.filter(thing__n=1).get) == part_of
        assert face(thing.objects.filter(part=part_of).count) == 1


# -- no key ------------------------------------------------------------------------------------------


def test_a_view_is_read(face, shop):
    customer, order, big = (
        model("Customer", "customers"),
        model("Order", "orders"),
        model("Big", "big_orders"),
    )
    ada = face(customer.objects.create, name="Ada")
    for total in (5, 20, 30):
        face(order.objects.create, customer=ada, total=total)
    rows = face.list(big.objects.order_by("-total"))
    assert ([row.total for row in rows], rows[0].pk) == ([30, 20], None)
    assert face(big.objects.filter(total__gt=25).get).number == 3
    assert (face(big.objects.count), face(big.objects.filter(number=1).exists)) == (2, False)
    assert face.list(big.objects.order_by("total").values_list("total", flat=True)) == [20, 30]
    assert face(big.objects.order_by("total").first).total == 20
    assert face(big.objects.aggregate, models.Sum("total")) == {"total__sum": 50}
    assert rows[0] == rows[0]
    assert rows[0] != face(big.objects.get, number=rows[0].number)
    with pytest.raises(TypeError, match="unhashable"):
        hash(rows[0])


WRITES = {
    "save": lambda face, big: face(big(number=1).save),
    "create": lambda face, big: face(big.objects.create, number=1),
    "delete": lambda face, big: face(big.objects.get(number=1).delete),
    "update": lambda face, big: face(big.objects.update, number=1),
    "delete rows": lambda face, big: face(big.objects.filter(number=1).delete),
    "bulk_create": lambda face, big: face(big.objects.bulk_create, [big(number=1)]),
    "bulk_update": lambda face, big: face(big.objects.bulk_update, [big(number=1)], ["total"]),
    "get_or_create": lambda face, big: face(big.objects.get_or_create, number=7),
    "update_or_create": lambda face, big: face(big.objects.update_or_create, number=7),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_has_no_key_is_not_written(face, shop, write):
    customer, order, big = (
        model("Customer", "customers"),
        model("Order", "orders"),
        model("Big", "big_orders"),
    )
    face(order.objects.create, customer=face(customer.objects.create, name="Ada"), total=50)
    with pytest.raises(
        UnsupportedFeature, match=r"shop\.Big can only be read: the table 'big_orders' has no primary key"
    ):
        WRITES[write](face, big)


@pytest.mark.parametrize(
    "ask",
    [
        lambda rows: rows.first(),
        lambda rows: rows.get(pk=1),
        lambda rows: rows.in_bulk([1]),
        lambda rows: rows.order_by("pk")[0],
    ],
)
def test_rows_without_a_key_are_not_found_by_one(shop, ask):
    big = model("Big", "big_orders")
    with pytest.raises(
        UnsupportedFeature, match="has no primary key, by which this query would tell rows apart"
    ):
        ask(big.objects.all())


def test_a_declared_key_identifies_the_rows_of_a_view(face, shop):
    customer, order = model("Customer", "customers"), model("Order", "orders")
    big = model("Big", "big_orders", number=models.IntegerField(primary_key=True))
    made = face(order.objects.create, customer=face(customer.objects.create, name="Ada"), total=50)
    assert face(big.objects.get, pk=made.pk).total == 50
    assert face(big.objects.first) == face(big.objects.get)


def test_a_table_that_does_not_fit_is_no_fault_of_the_others(face, shop):
    customer, order = model("Customer", "customers"), model("Order", "orders", nothing=models.IntegerField())
    assert face(customer.objects.count) == 0
    for _ in range(2):
        with pytest.raises(ImproperlyConfigured, match="'orders' has no column 'nothing'"):
            face(order.objects.count)
    with pytest.raises(ImproperlyConfigured, match="'orders' has no column 'nothing'"):
        face(facade.reflect)


def test_models_are_first_used_by_many_at_once(shop):
    customer, order = model("Customer", "customers"), model("Order", "orders")
    counts = []

    def use():
        counts.append(
            order.objects.filter(customer__name="Ada").count()
            + customer.objects.filter(order__total=1).count()
        )

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [0] * 8


async def test_models_are_first_used_by_many_tasks_at_once(shop):
    customer, order = model("Customer", "customers"), model("Order", "orders")
    uses = [facade.run(lambda: order.objects.filter(customer__name="Ada").count()) for _ in range(8)]
    assert await asyncio.gather(*uses, customer.objects.acount()) == [0] * 9
