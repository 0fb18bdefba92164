"""``facade demo``: it runs to its end on every database, tells the truth, and refuses in one line."""

from __future__ import annotations

import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facade import cli
from facade.cli import pages, tour
from facade.cli.flights import data
from facade.cli.program import app

STOPS = (*tour.STOPS, tour.TRANSACTION, tour.STREAM)


@pytest.fixture(scope="module")
def printed():
    """What one run prints; its file is kept until the end of these tests."""
    done = CliRunner().invoke(app, ["demo", "--keep"], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    yield done.output
    shutil.rmtree(kept_file(done.output).parent)


def kept_file(printed):
    return Path(printed.rpartition("sqlite:///")[2].replace("\n", "").strip())


def test_it_shows_every_stop_on_both_faces(printed):
    sync, _, other = printed.partition("The same under asyncio")
    asynchronous, _, summary = other.partition("Summary")
    for stop in STOPS:
        assert stop.title in sync
        assert stop.title in asynchronous
        assert summary.count(f" {stop.title} ") == 1
    assert "50 concurrent readers" in summary


def test_it_shows_the_real_figures(printed):
    assert printed.count("flights: 27004, cancelled: 521") == 2
    assert printed.count("'departures': 4637") == 2
    assert printed.count("flights: 27004, miles: 27188805") == 2


def test_it_shows_sql_and_statement_counts(printed):
    assert (
        'LEFT OUTER JOIN "nycflights_airport"' in printed or "LEFT OUTER JOIN nycflights_airport" in printed
    )
    assert "2 statements" in printed


def test_the_failed_savepoint_leaves_the_outer_work(printed):
    assert printed.count("→ AA American Airlines Inc.\n") >= 2
    assert printed.count("→ ZZ Zigzag Air") == 2


def test_the_stream_needs_little_memory(printed):
    notes = [line for line in printed.splitlines() if "; peak memory" in line]
    assert len(notes) == 2
    for note in notes:
        peak, whole = (float(part.split(" MB")[0].split()[-1]) for part in note.split(";")[1:])
        assert peak < whole / 10


@pytest.mark.vendors("postgres")
def test_it_runs_on_the_database_of_an_url_and_leaves_nothing(database):
    done = CliRunner().invoke(app, ["demo", "--database", database.url])
    assert done.exit_code == 0, done.output
    assert "Summary" in done.output
    tables = database.observe("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert not [name for (name,) in tables if name.startswith("nycflights")]


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://nobody:secret@127.0.0.1:1/none", "cannot be reached"),
        ("oracle+oracledb://127.0.0.1/none", "is not installed: pip install oracledb"),
        ("no url at all", "is no database that facade can use"),
        ("dbase:///x", "is no database that facade can use"),
    ],
)
def test_what_cannot_be_used_gets_one_clear_line_and_exit_code_1(url, text):
    done = CliRunner().invoke(app, ["demo", "--database", url])
    assert done.exit_code == 1
    assert text in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.output


def test_the_file_can_be_kept(printed):
    assert kept_file(printed).stat().st_size > 1_000_000


def test_without_typer_the_command_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.delitem(sys.modules, "facade.cli.program")
    with pytest.raises(SystemExit, match=r"pip install 'sqlalchemy-facade\[cli\]'"):
        cli.main()
    import_module("facade.cli")


def test_the_data_are_those_of_january():
    assert [len(data.rows(name)) for _, name, _ in data.SOURCES] == [16, 1_458, 3_322, 2_226, 27_004]


@pytest.mark.parametrize("awaited", [False, True])
def test_the_shown_code_is_the_code_that_runs(awaited):
    shown = pages.source(tour.busiest, awaited=awaited)
    assert shown.startswith("await Flight.objects" if awaited else "Flight.objects")
    assert shown.endswith('.order_by("-departures")[:5]')


def test_awaited_functions_are_shown_as_they_are():
    assert pages.source(tour.amonth, awaited=True).startswith("await Flight.objects.aaggregate(")
    assert pages.source(tour.asavepoint, awaited=True).startswith("async with transaction.atomic():")


def test_long_statements_are_shortened_in_their_column_list_only():
    columns = ", ".join(f"column_number_{number}" for number in range(30))
    shown = pages.short(f"SELECT {columns} FROM t WHERE id = 1")
    assert shown.startswith("SELECT column_number_0")
    assert shown.endswith(", … FROM t WHERE id = 1")
    assert pages.short("SELECT a, b FROM t") == "SELECT a, b FROM t"
