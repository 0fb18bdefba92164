"""The benchmark's runner: what it compares, what it reports, and that every contender takes part."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from benchmarks import contenders, operations, schema
from benchmarks.__main__ import app
from benchmarks.operations import OPERATIONS, digest
from benchmarks.report import as_json, duration
from benchmarks.roads import ROADS, Place
from benchmarks.runner import Outcome, Plan, WrongResult, _check, run_road
from benchmarks.storage import open_storage

TINY = Plan(rounds=1, batch_seconds=0.0)
OURS = {"bare", "floor", "core", "orm", "facade"}
COLUMNS = ("id", "price", "published", "created_at", "in_print", "editor_id")
STORED = (1, 12.5, "2013-01-02", "2013-01-02 03:04:05.000000", 1, None)
PYTHON = (1, Decimal("12.50"), date(2013, 1, 2), datetime(2013, 1, 2, 3, 4, 5, tzinfo=UTC), True, None)


def measured(road, entries=contenders.CONTENDERS, names=()):
    outcome = Outcome()
    with open_storage(road.vendor) as storage:
        run_road(road, entries, operations.find(names), storage, TINY, outcome, announce=str)
    return outcome


@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.name)
def test_every_contender_does_every_operation_with_equal_results(road, monkeypatch, request):
    if road.vendor == "postgres":
        monkeypatch.setenv("FACADE_TEST_POSTGRES", request.getfixturevalue("postgres_server_url"))
    outcome = measured(road)
    done = {(found.contender, found.operation) for found in outcome.measurements}
    assert done >= {
        (name, operation.name) for name in OURS for operation in OPERATIONS if operation.kind != "build"
    }
    assert (("facade", "build") in done) == (road.face == "sync")
    assert all(found.median > 0 for found in outcome.measurements)
    assert not set(outcome.absent) - {"Django"}


def test_a_contender_that_is_not_installed_is_reported_as_absent():
    missing = contenders.Entry("missing", "Missing", "benchmarks.contenders.no_such_thing")
    outcome = measured(ROADS[0], (*contenders.find(["bare"]), missing), ["get"])
    assert [found.contender for found in outcome.measurements] == ["bare"]
    assert "not installed" in outcome.absent["Missing"]


def test_stored_values_and_their_python_values_have_one_checksum():
    stored = digest([STORED], COLUMNS)
    python = digest([SimpleNamespace(**dict(zip(COLUMNS, PYTHON, strict=True)))], COLUMNS)
    assert stored.checksum == python.checksum
    assert python.types == ("int", "Decimal", "date", "aware datetime", "bool", "NoneType")


@pytest.mark.parametrize("position", range(len(COLUMNS)))
def test_one_different_value_changes_the_checksum(position):
    other = (2, 12.51, "2013-01-03", "2013-01-02 03:04:05.000001", 0, 7)
    changed = (*STORED[:position], other[position], *STORED[position + 1 :])
    assert digest([changed], COLUMNS).checksum != digest([STORED], COLUMNS).checksum


class Answering:
    """A contender's process that always answers the same."""

    def __init__(self, name, record):
        self.entry = contenders.find([name])[0]
        self.answer = digest([record], COLUMNS)

    def ask(self, method, operation):
        return self.answer


@pytest.mark.parametrize(
    ("name", "record"),
    [("facade", (*PYTHON[:1], Decimal("12.51"), *PYTHON[2:])), ("facade", STORED)],
    ids=["another value", "other types"],
)
def test_contenders_that_disagree_stop_the_run(name, record):
    with pytest.raises(WrongResult, match="disagree on 'get by pk'"):
        _check(OPERATIONS[0], [Answering("floor", PYTHON), Answering(name, record)])


def test_the_bare_driver_need_not_convert():
    _check(OPERATIONS[0], [Answering("bare", STORED), Answering("floor", PYTHON)])


def test_every_contender_has_a_copy_of_the_data_for_itself():
    with open_storage("sqlite") as storage:
        places = [storage.copy(name) for name in ("one", "other")]
        for place in places:
            with closing(sqlite3.connect(place.name)) as connection:
                assert connection.execute("SELECT count(*) FROM book").fetchone() == (schema.BOOKS,)
        assert places[0] != places[1]


def test_the_command_prints_a_table_and_writes_json(tmp_path):
    target = tmp_path / "figures.json"
    arguments = [
        "--quick",
        "--databases=sqlite",
        "--faces=sync",
        "--operations=get,insert",
        f"--json={target}",
    ]
    done = CliRunner().invoke(app, [*arguments, "--contenders=bare,floor,core"])
    assert done.exit_code == 0, done.output
    assert "SQLite, sync (sqlite3)" in done.output
    found = json.loads(target.read_text())
    assert found["versions"]["sqlalchemy"]
    assert {item["contender"] for item in found["measurements"]} == {"bare", "floor", "core"}
    assert all(item["to_bare"] > 0 and item["to_floor"] > 0 for item in found["measurements"])


@pytest.mark.parametrize(
    "wrong",
    ["--operations=fly", "--contenders=nobody", "--databases=dbase", "--faces=left", "--drivers=none"],
)
def test_a_wrong_name_is_refused_with_the_names_there_are(wrong):
    done = CliRunner().invoke(app, [wrong])
    assert done.exit_code == 2
    assert "There are:" in done.output


def test_ratios_need_the_contender_they_refer_to():
    outcome = measured(ROADS[0], contenders.find(["core"]), ["get"])
    (found,) = as_json(outcome, TINY)["measurements"]
    assert found["to_bare"] is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(14.24e-6, "14.2 µs"), (420e-6, "420 µs"), (5.21e-3, "5.2 ms"), (2.5, "2.50 s")]
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (Place("sqlite", "/tmp/x.sqlite3"), "sqlite:////tmp/x.sqlite3"),
        (Place("postgres", "b", "h", 5433, "u", "p@"), "postgresql://u:p%40@h:5433/b"),
        (Place("postgres", "b", "/run/pg", 5432, "u"), "postgresql://u@/b?host=%2Frun%2Fpg"),
    ],
)
def test_a_place_has_an_url(place, url):
    assert place.url() == url
