"""The benchmark's runner: what it compares, what it reports, and that every contender takes part."""

from __future__ import annotations

import functools
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from benchmarks import comparison, contenders, environments, operations, report, results, schema
from benchmarks.__main__ import app, servers
from benchmarks.comparing import Returned, digest
from benchmarks.operations import OPERATIONS
from benchmarks.results import Failed, Measurement, Outcome, Plan
from benchmarks.roads import ROADS, Place
from benchmarks.runner import other_types, run_imports, run_road
from benchmarks.storage import Unavailable, open_storage
from benchmarks.tables import duration, multiple
from benchmarks.worker import Timed

TINY = Plan(rounds=1, batch_seconds=0.0)
OURS = ["bare", "floor", "core", "orm", "facade"]
SOME = ["get", "page", "stream", "prefetch_many", "insert", "update_many", "transaction", "gets_10"]
COLUMNS = ("id", "price", "published", "created_at", "in_print", "editor_id")
STORED = (1, 12.5, "2013-01-02", "2013-01-02 03:04:05.000000", 1, None)
PYTHON = (1, Decimal("12.50"), date(2013, 1, 2), datetime(2013, 1, 2, 3, 4, 5, tzinfo=UTC), True, None)
SYNC = ROADS[0]
table_rows = functools.cache(schema.table_rows)


@pytest.fixture(autouse=True)
def few_events(monkeypatch):
    """A short stream: what is tested is that it is read, not how long it takes. All have the same rows."""
    monkeypatch.setattr(schema, "EVENTS", 3_000)
    monkeypatch.setattr(schema, "table_rows", table_rows)


def measured(road, entries, names=()):
    outcome = Outcome(TINY)
    with open_storage(road.vendor) as storage:
        run_road(road, entries, operations.find(names), storage, outcome, announce=str)
    return outcome


@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.name)
def test_every_contender_of_ours_does_every_operation_with_equal_values_and_types(road, monkeypatch, request):
    for vendor, variable in (("postgres", "FACADE_TEST_POSTGRES"), ("mariadb", "FACADE_TEST_MARIADB")):
        if road.vendor == vendor:
            monkeypatch.setenv(variable, request.getfixturevalue(f"{vendor}_server_url"))
    names = OURS if road == SYNC else ["bare", "floor", "facade"]
    few = road.name not in {"sqlite-sync-sqlite3", "postgres-async-asyncpg"}
    wanted = SOME if few else [operation.name for operation in OPERATIONS]
    outcome = measured(road, contenders.find(names), wanted)
    assert outcome.failures == []
    assert outcome.absent == {}
    done = {(found.contender, found.operation) for found in outcome.measurements}
    here = [operation for operation in OPERATIONS if operation.name in wanted]
    everywhere = {operation.name for operation in here if operation.kind in {"read", "write"}}
    at_once = {operation.name for operation in here if operation.kind == "concurrent"}
    assert done >= {(name, operation) for name in names for operation in everywhere}
    assert {("facade", name) in done for name in at_once} <= {road.face == "async"}
    assert (("facade", "build") in done) == (road.face == "sync" and "build" in wanted)
    assert all(found.best > 0 and found.cpu[0] >= 0 for found in outcome.measurements)
    assert {found.types for found in outcome.measurements if found.contender in {"floor", "facade"}} == {""}


def test_a_contender_that_cannot_be_installed_is_reported_with_the_reason(monkeypatch, tmp_path):
    monkeypatch.setenv(environments.VARIABLE, str(tmp_path))
    missing = contenders.Entry(
        "missing", "Missing", "benchmarks.contenders.bare", requires=("no-such-thing==0",)
    )
    outcome = measured(SYNC, (*contenders.find(["bare"]), missing), ["get"])
    assert [found.contender for found in outcome.measurements] == ["bare"]
    assert "cannot be installed" in outcome.absent[f"Missing, {SYNC.title}"]


def test_a_contender_without_its_module_is_absent():
    missing = contenders.Entry("missing", "Missing", "benchmarks.contenders.no_such_thing")
    outcome = measured(SYNC, (missing,), ["get"])
    assert "not installed" in outcome.absent[f"Missing, {SYNC.title}"]


def test_an_interpreter_that_has_what_is_needed_is_used():
    assert environments.interpreter([]) == sys.executable
    assert environments.interpreter(["sqlalchemy>=2"]) == sys.executable
    assert environments.versions(sys.executable, ["sqlalchemy", "no-such-thing"]).keys() == {"sqlalchemy"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wrong_values", "gives other values"),
        ("raises", "ValueError: no count"),
        ("ends", "its process ended"),
    ],
)
def test_what_goes_wrong_is_shown_and_the_others_are_measured(name, reason):
    odd = contenders.Entry(name, name, "tests.odd_contender", exact_types=False)
    outcome = measured(SYNC, (*contenders.find(["bare"]), odd), ["count", "exists"])
    assert {(found.contender, found.operation) for found in outcome.measurements} >= {
        ("bare", "count"),
        ("bare", "exists"),
    }
    assert Failed(SYNC, "count", name, reason) in outcome.failures


def test_stored_values_and_their_python_values_have_one_checksum():
    stored = digest([STORED], COLUMNS)
    python = digest([SimpleNamespace(**dict(zip(COLUMNS, PYTHON, strict=True)))], COLUMNS)
    listed = digest([dict(zip(COLUMNS, PYTHON, strict=True))], COLUMNS)
    assert stored.checksum == python.checksum == listed.checksum
    assert python.types == ("int", "Decimal", "date", "aware datetime", "bool", "NoneType")


@pytest.mark.parametrize("position", range(len(COLUMNS)))
def test_one_different_value_changes_the_checksum(position):
    other = (2, 12.51, "2013-01-03", "2013-01-02 03:04:05.000001", 0, 7)
    changed = (*STORED[:position], other[position], *STORED[position + 1 :])
    assert digest([changed], COLUMNS).checksum != digest([STORED], COLUMNS).checksum


def test_other_types_are_named():
    count = operations.find(["count"])[0]
    assert other_types(Returned(1, "", ("int",)), Returned(1, "", ("str",)), count) == "count: str for int"


def test_every_contender_has_a_copy_of_the_data_for_itself():
    with open_storage("sqlite") as storage:
        places = [storage.copy(name) for name in ("one", "other")]
        for place in places:
            with closing(sqlite3.connect(place.name)) as connection:
                assert connection.execute("SELECT count(*) FROM book").fetchone() == (schema.BOOKS,)
        assert places[0] != places[1]


_PRAGMAS = """
import sys
from benchmarks import contenders
from benchmarks.roads import ROADS, Place

for entry in contenders.find(["bare", "facade"]):
    one = entry.make(ROADS[0], Place("sqlite", sys.argv[1]))
    one.open()
    connection = one.connection if entry.name == "bare" else one.database.lend().raw
    print(*[connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("foreign_keys", "synchronous")])
"""


def test_facade_is_measured_with_the_pragmas_of_the_bare_driver(tmp_path):
    command = [sys.executable, "-c", _PRAGMAS, str(tmp_path / "pragmas.sqlite3")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")
    assert printed[:2] == ["1 1", "1 1"]


def test_a_server_that_nobody_names_is_unavailable(monkeypatch):
    monkeypatch.delenv("FACADE_TEST_MARIADB", raising=False)
    with pytest.raises(Unavailable, match="FACADE_TEST_MARIADB names a server"), open_storage("mariadb"):
        pass


def test_run_report_and_compare(tmp_path):
    target = tmp_path / "figures.json"
    arguments = [
        "run",
        "--quick",
        "--db=sqlite",
        "--faces=sync",
        "--ops=get,insert,imports",
        f"--json={target}",
    ]
    done = CliRunner().invoke(app, [*arguments, "--contenders=bare,core,facade"])
    assert done.exit_code == 0, done.output
    assert "SQLite, sync (sqlite3)" in done.output
    found = json.loads(target.read_text())
    assert found["versions"]["sqlalchemy"]
    assert {item["contender"] for item in found["measurements"]} == {"bare", "core", "facade"}
    assert all(item["to_bare"] > 0 and item["to_floor"] is None for item in found["measurements"])
    assert json.loads(json.dumps(results.as_json(results.read(target)))) == found
    done = CliRunner().invoke(app, ["report", str(target), f"--folder={tmp_path / 'pages'}"])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "pages" / "figures.md").read_text()
    assert "| get by pk |" in page
    assert "![Geometric means, SQLite, sync (sqlite3)](sqlite-sync-sqlite3.svg)" in page
    assert (tmp_path / "pages" / "sqlite-sync-sqlite3.svg").read_text().startswith("<?xml")
    done = CliRunner().invoke(app, ["compare", str(target), str(target)])
    assert done.exit_code == 0, done.output
    assert "2 of 2 rows changed by less than their noise." in done.output


def run_of(**rounds):
    made = [Measurement(SYNC, "get", name, list(wall), list(wall)) for name, wall in rounds.items()]
    return Outcome(TINY, made)


@pytest.mark.parametrize(
    ("after", "changed"),
    [((2.0, 2.0, 2.0), 1), ((1.0, 1.0, 1.0), -1), ((1.52, 1.52, 1.52), 0), ((1.6, 3.0, 5.0), 0)],
    ids=["slower", "quicker", "hardly", "noisy"],
)
def test_a_change_counts_when_it_is_more_than_the_noise(after, changed):
    before = run_of(bare=(1.0, 1.0, 1.0), facade=(1.5, 1.5, 1.5))
    (found,) = comparison.changes(before, run_of(bare=(1.0, 1.0, 1.0), facade=after), "facade")
    assert (found.is_regression(0.05), found.is_gain(0.05)) == (changed == 1, changed == -1)


def test_a_busier_machine_is_no_regression():
    before = run_of(bare=(1.0, 1.0), facade=(1.5, 1.5))
    (found,) = comparison.changes(before, run_of(bare=(2.0, 2.0), facade=(3.0, 3.0)), "facade")
    assert found.factor == 1


def test_the_first_of_a_row_has_right_types():
    outcome = run_of(bare=(1.0,), peewee=(1.5,), facade=(2.0,))
    assert outcome.first(SYNC, "get") == "peewee"
    outcome.measurements[1].types = "price: float for Decimal"
    assert outcome.first(SYNC, "get") == "facade"
    assert "peewee" in next(iter(row for row in report.markdown(SYNC, outcome))).lower()


def test_the_time_of_imports_is_that_of_a_new_process():
    outcome = Outcome(TINY)
    broken = contenders.Entry("broken", "Broken", "", "import no_such_thing")
    run_imports((*contenders.find(["core"]), broken), outcome, announce=str)
    assert outcome.imports["core"][0] > 0
    assert "no_such_thing" in outcome.absent["broken, import"]


@pytest.mark.parametrize(
    "wrong", ["--ops=fly", "--contenders=nobody", "--db=dbase", "--faces=left", "--drivers=none"]
)
def test_a_wrong_name_is_refused_with_the_names_there_are(wrong):
    done = CliRunner().invoke(app, ["run", wrong])
    assert done.exit_code == 2
    assert "There are:" in done.output


@pytest.mark.parametrize("command", [["report"], ["compare", __file__]])
def test_a_file_that_is_no_run_is_refused(command):
    done = CliRunner().invoke(app, [*command, __file__])
    assert done.exit_code == 2
    assert "is not what" in done.output


def test_databases_are_named_or_given_as_urls():
    assert servers("") == {"sqlite": "", "postgres": ""}
    assert servers("postgresql://u@h/b,mysql+pymysql://h/b") == {
        "postgres": "postgresql://u@h/b",
        "mariadb": "mysql+pymysql://h/b",
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(14.24e-6, "14.2 µs"), (420e-6, "420 µs"), (5.21e-3, "5.2 ms"), (2.5, "2.50 s")]
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


def test_multiples_are_short():
    assert [multiple(ratio) for ratio in (1.234, 12.34, 123.4)] == ["1.23", "12.3", "123"]


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (Place("sqlite", "/tmp/x.sqlite3"), "sqlite:////tmp/x.sqlite3"),
        (Place("postgres", "b", "h", 5433, "u", "p@"), "postgresql://u:p%40@h:5433/b"),
        (Place("postgres", "b", "/run/pg", 5432, "u"), "postgresql://u@/b?host=%2Frun%2Fpg"),
        (Place("mariadb", "b", "h", 3306, "u"), "mariadb://u@h:3306/b"),
    ],
)
def test_a_place_has_an_url(place, url):
    assert place.url() == url


def test_medians_and_quartiles():
    found = Measurement(SYNC, "get", "facade")
    for wall in (4.0, 1.0, 2.0, 3.0):
        found.add(Timed(wall, wall / 2))
    assert (found.best, found.median, found.quartiles) == (1.0, 2.5, (1.75, 3.25))
