"""Alembic's autogenerate on models: what a script makes is what the models say, from nothing and from what was before."""

from __future__ import annotations

import datetime as dt
import decimal

import pytest
import sqlalchemy as sa

from tests import migrated
from tests.migrated import project, tables


@pytest.fixture
def alembic(database, tmp_path):
    with project(tmp_path / "alembic", database.url) as made:
        yield made


@pytest.fixture(params=migrated.STATES, ids=lambda state: state.__name__)
def state(request):
    return request.param


def left_over(alembic):
    """Return the tables and types that a database has, without Alembic's own."""
    inspector = sa.inspect(alembic.engine)
    types = inspector.get_enums() if alembic.engine.dialect.name == "postgresql" else ()
    return {*inspector.get_table_names(), *(one["name"] for one in types)} - {"alembic_version"}


def test_a_script_makes_all_that_models_have_and_takes_it_back(alembic, state, database):
    metadata = tables(state(database.vendor))
    alembic.write(metadata)
    alembic.upgrade()
    assert alembic.differences(metadata) == []
    alembic.downgrade()
    assert left_over(alembic) == set()
    alembic.upgrade()
    assert alembic.differences(metadata) == []


def test_a_script_leads_from_what_was_before_and_back(alembic, state, database):
    before, after = (tables(made(database.vendor)) for made in (migrated.EARLIER[state], state))
    alembic.write(before)
    alembic.upgrade()
    rows = ROWS[state](before)
    with alembic.engine.begin() as connection:
        for table, values in rows:
            connection.execute(table.insert(), values)
    alembic.write(after)
    alembic.upgrade()
    assert alembic.differences(after) == []
    assert alembic.rows(KEPT[state][0]) == KEPT[state][1]
    alembic.downgrade()
    assert alembic.differences(before) == []
    alembic.upgrade()
    assert alembic.differences(after) == []
    assert alembic.rows(KEPT[state][0]) == KEPT[state][1]


NOON = dt.datetime(2020, 2, 29, 12, tzinfo=dt.UTC)


def rows_of_fields(metadata):
    kind = {
        "big": 2**30,
        "binary": b"\0",
        "path": "/tmp/a",
        "flag": 1,
        "char": "a",
        "listed": "1,2",
        "day": NOON,
        "moment": NOON.date(),
        "decimal": 7,
        "email": "a@example.org",
        "file": "f",
        "real": decimal.Decimal("1.50"),
        "integer": "12",
        "document": '{"a": 1}',
        "slug": "s",
        "a small One": 3,
        "text": "it's",
        "time": "12:30:00",
        "uuid": "12345678123456781234567812345678",
        "url": "u",
        "enumerated": "red",
    }
    yield metadata.tables["press_kinds"], kind


def rows_of_defaults(metadata):
    day = {
        "off": True,
        "moment": NOON,
        "document": {},
        "binary": b"\0",
        "collated": "A",
        "empty": "e",
        "negative": 3,
    }
    yield metadata.tables["press_defaults"], day
    yield metadata.tables["press_generated"], {"width": 3, "height": 4, "name": "Ada"}


def rows_of_constraints(metadata):
    yield metadata.tables["press_constrained"], {"name": "A_1", "kind": "a", "price": 5, "flag": True}


def rows_of_relations(metadata):
    yield metadata.tables["press_place"], {"name": "here"}
    yield metadata.tables["press_guest"], {"home_id": 1}


ROWS = {
    migrated.every_field: rows_of_fields,
    migrated.every_default: rows_of_defaults,
    migrated.every_constraint: rows_of_constraints,
    migrated.every_relation: rows_of_relations,
}
KEPT = {
    migrated.every_field: (
        "SELECT big, integer, text, enumerated FROM press_kinds",
        [(2**30, 12, "it's", "red")],
    ),
    migrated.every_default: ("SELECT width, height, area, upper FROM press_generated", [(3, 4, 12, "ADA")]),
    migrated.every_constraint: ("SELECT name, kind FROM press_constrained", [("A_1", "a")]),
    migrated.every_relation: (
        "SELECT p.name FROM press_place p JOIN press_guest g ON g.home_id = p.id",
        [("here",)],
    ),
}
