"""Health checks: they say no instead of raising (S45)."""

from __future__ import annotations

import json
import socket
import time

import pytest

from facade.configuration import configure
from facade.db import health
from facade.db.connection import ahealth_check, connections, health_check
from facade.transaction import atomic
from tests.entries import Entries

DOWN = "postgresql://postgres@127.0.0.1:1/nowhere"


def test_each_alias_has_status_latency_and_pool(face, database):
    found = face(health_check)
    assert set(found) == {"default", "other"}
    for one in found.values():
        assert one["ok"] is True
        assert one["error"] is None
        assert 0 < one["latency"] < 5
        assert one["pool"]["in_use"] == 0
        assert one["pool"]["idle"] >= 1
    json.dumps(found)


def test_deep_asks_for_the_version(face, database):
    assert face(health_check)["default"]["version"] is None
    found = face(health_check, "default", deep=True)
    assert set(found) == {"default"}
    assert found["default"]["version"][0].isdigit()
    assert Entries(database).open_transactions() == 0


def test_a_server_that_is_down_is_said_to_be(face, database):
    configure(DATABASES={"default": DOWN, "other": database.other_url})
    found = face(health_check, deep=True)
    assert found["default"]["ok"] is False
    assert found["default"]["error"].startswith("OperationalError")
    assert found["other"]["ok"] is True


def test_a_wrong_configuration_is_a_no_too(face):
    configure(DATABASES={"default": {"ENGINE": "sqlite", "NAMEE": "x"}})
    found = face(health_check)
    assert found["default"]["ok"] is False
    assert "NAMEE" in found["default"]["error"]
    assert found["default"]["pool"] is None


def test_it_is_no_part_of_the_block_around_it(face, database):
    entries = Entries(database)
    with pytest.raises(ZeroDivisionError), face.block(atomic()):
        entries.add("gone")
        assert face(health_check)["default"]["pool"]["in_use"] == 1
        raise ZeroDivisionError
    assert entries.stored == []


@pytest.mark.vendors("postgres")
async def test_databases_are_asked_at_once_and_in_limited_time(database, monkeypatch):
    monkeypatch.setattr(health, "TIMEOUT", 0.3)
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections and never says a word
    url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/x"
    configure(DATABASES={"default": url, "other": url, "third": database.url})
    start = time.monotonic()
    found = await ahealth_check()
    assert time.monotonic() - start < 2
    assert [found[alias]["ok"] for alias in ("default", "other", "third")] == [False, False, True]
    assert "TimeoutError" in found["default"]["error"]
    assert connections["default"].async_engine.pool.checkedout() == 0
    silent.close()
