"""A database for the run, emptied after each test, and a client of the service."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

import facade

_folder = tempfile.TemporaryDirectory()
os.environ["TICKETS_DATABASE"] = os.environ.get(
    "TICKETS_TEST_DATABASE", f"sqlite:///{_folder.name}/test.sqlite3"
)
os.environ["TICKETS_ADMIN_PASSWORD"] = "open sesame"

from tickets.app import app  # noqa: E402 - it reads the variables
from tickets.models import Account, Event, Tag, Venue  # noqa: E402


@pytest.fixture(scope="session")
def tables() -> Iterator[None]:
    facade.create_all()
    yield
    facade.drop_all()
    facade.close_all()


@pytest.fixture
def database(tables: None) -> Iterator[None]:
    yield
    for table in reversed(facade.metadata().sorted_tables):
        with facade.connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM "{table.name}"')


@pytest.fixture
def client(database: None) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


@pytest.fixture
def hall(database: None) -> Venue:
    return Venue.objects.create(name="Old Hall", city="Lodz")


@pytest.fixture
def show(hall: Venue) -> Event:
    """Three seats at 7.35."""
    return event(hall, "Show", price="7.35", seats=3)


@pytest.fixture
def ann(database: None) -> Account:
    return Account.objects.create(name="Ann", email="ann@example.org", balance="20.00")


def event(venue: Venue, title: str, day: int = 1, tags: tuple[str, ...] = (), **values: Any) -> Event:
    values = {"price": "10.00", "seats": 100, **values}
    made = Event.objects.create(
        venue=venue, title=title, starts=datetime(2030, 1, day, 20, tzinfo=UTC), **values
    )
    made.tags.set(Tag.objects.get_or_create(label=label)[0] for label in tags)
    return made
