"""The benchmark of a service: what is compared, what is reported, and that every contender takes part."""

from __future__ import annotations

import json
import math
import os
import re
from contextlib import nullcontext
from dataclasses import replace

import psycopg
import pytest
import typer
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from benchmarks.roads import Place
from benchmarks.service import command, contenders, kinds, report
from benchmarks.service.contenders import Entry
from benchmarks.service.load import Answer, Sample, quantile
from benchmarks.service.runner import (
    Measurement,
    Outcome,
    Plan,
    Run,
    ServiceFailed,
    WrongAnswer,
    compare,
    cores_apart,
)

TINY = Plan(clients=(3,), rounds=1, seconds=0.05, warm_up=0, pool_size=2, pin=False)
OURS = {"bare", "facade", "facade-psycopg", "core", "orm"}
PEERS = {"Tortoise", "Django", "django-async-backend"}


class EmptyStorage:
    """Databases without the tables of the other benchmarks."""

    def __init__(self, url):
        self.url, self.made = url, []

    def copy(self, name):
        self.made.append(f"facade_{name}_{os.getpid()}".replace("-", "_"))
        self._run(f'CREATE DATABASE "{self.made[-1]}"')
        parts = conninfo_to_dict(self.url)
        where = {key: parts.get(key, "") for key in ("host", "user", "password")}
        return Place("postgres", self.made[-1], port=int(parts.get("port") or 5432), **where)

    def version(self):
        return "PostgreSQL of the tests"

    def drop(self):
        for name in self.made:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, statement):
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture
def storage(postgres_server_url):
    made = EmptyStorage(postgres_server_url)
    yield made
    made.drop()


def test_every_contender_answers_equally_and_those_not_installed_are_told(storage):
    outcome = Outcome()
    missing = Entry("missing", "Missing", "none", "benchmarks.service.contenders.no_such_thing")
    few = [replace(kind, targets=kind.targets[:3]) for kind in kinds.KINDS]
    Run(TINY, outcome, str).run((*contenders.CONTENDERS, missing), few, storage, frozenset())
    served = {found.contender for found in outcome.measurements}
    assert served >= OURS
    assert set(outcome.absent) - PEERS == {"Missing"}
    assert len(served) + len(outcome.absent) == len(contenders.CONTENDERS) + 1
    assert all("not installed" in reason for reason in outcome.absent.values())
    assert {found.kind for found in outcome.measurements} == {kind.name for kind in kinds.KINDS}
    assert [found.samples[0].complaint for found in outcome.measurements if found.errors] == []
    assert all(
        found.samples[0].requests >= 3 and found.p99 >= found.p50 > 0 for found in outcome.measurements
    )


def test_the_command_prints_tables_and_writes_json_and_markdown(tmp_path, storage, monkeypatch):
    monkeypatch.setattr(command, "open_storage", lambda vendor: nullcontext(storage))
    monkeypatch.setattr(command, "QUICK", TINY)
    figures, page = tmp_path / "figures.json", tmp_path / "page.md"
    app = typer.Typer()
    app.command()(command.service)
    arguments = [
        "--quick",
        "--kinds=db",
        "--contenders=bare,facade",
        f"--json={figures}",
        f"--markdown={page}",
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "one query" in done.output
    found = json.loads(figures.read_text())
    assert [one["contender"] for one in found["measurements"]] == ["bare", "facade"]
    assert all(one["errors"] == 0 and one["rounds"][0]["requests"] >= 3 for one in found["measurements"])
    assert found["versions"]["PostgreSQL"]
    assert re.search(r"^\| facade \| \*\*[\d,.]+\*\* · ", page.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("wrong", ["--kinds=fly", "--contenders=nobody", "--clients=many", "--clients=0"])
def test_a_wrong_word_is_refused(wrong):
    app = typer.Typer()
    app.command()(command.service)
    done = CliRunner().invoke(app, [wrong])
    assert done.exit_code == 2
    assert wrong.partition("=")[2] in done.output


def answered(*bodies, status=200):
    return [Answer(status, "application/json", body) for body in bodies]


def test_contenders_that_disagree_stop_the_run():
    compare(["/db"], {"one": answered(b"1"), "other": answered(b"1")})
    with pytest.raises(WrongAnswer, match=r"disagree on /queries:\n  one: .* b'2'\n  other: .* b'3'"):
        compare(["/db", "/queries"], {"one": answered(b"1", b"2"), "other": answered(b"1", b"3")})


def test_a_contender_that_answers_with_an_error_stops_the_run_and_tells_it():
    with pytest.raises(ServiceFailed, match="other answered /db with 500: Traceback"):
        compare(["/db", "/db"], {"one": answered(b"1", b"1"), "other": answered(b"Traceback", status=500)})


def sample(rate, p99, errors=0):
    complaint = "Traceback\nDeadlockDetected: two waited" if errors else ""
    return Sample(100, rate, p50=p99 / 2, p99=p99, errors=errors, cpu=1e-4, complaint=complaint)


def outcome_of(**samples):
    measurements = [Measurement("db", 32, name, found) for name, found in samples.items()]
    return Outcome(measurements, memory={"facade": (50_000_000, 60_000_000)})


def test_where_facade_is_not_first_is_told_and_the_bare_driver_is_not_in_the_race():
    outcome = outcome_of(
        bare=[sample(900, 0.001)], facade=[sample(500, 0.010)], tortoise=[sample(400, 0.009)]
    )
    assert report.behind(outcome) == ["one query, 32 clients: p99: Tortoise 9.0 ms, facade 10.0 ms"]
    lines = report.as_markdown(outcome, TINY).splitlines()
    assert "| bare driver | 900 · 0.5 · 1.0 | 100 µs |" in lines
    assert "| facade | **500** · 5.0 · 10.0 | 100 µs |" in lines
    assert "| Tortoise | 400 · 4.5 · **9.0** | 100 µs |" in lines
    assert "| facade | asyncpg | 50 MB | 60 MB |" in lines


def test_medians_of_the_rounds_count_and_all_errors():
    outcome = outcome_of(facade=[sample(1, 0.3, errors=1), sample(3, 0.1), sample(2, 0.2, errors=1)])
    (found,) = outcome.measurements
    assert (found.rate, found.p99, found.errors) == (2, 0.2, 2)
    assert "(2 errors)" in report.as_markdown(outcome, TINY)
    assert report.troubles(outcome) == ["facade, db, 32 clients: 2 errors: DeadlockDetected: two waited"]


@pytest.mark.parametrize(
    ("durations", "share", "expected"), [([1, 2, 3, 4], 0.5, 2), (range(1, 101), 0.99, 99), ([7], 0.99, 7)]
)
def test_a_quantile_is_one_of_the_durations(durations, share, expected):
    assert quantile(durations, share) == expected


def test_a_quantile_of_nothing_is_worse_than_any():
    assert math.isinf(quantile([], 0.5))


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot bind a process to cores")
def test_servers_get_a_core_of_their_own_and_this_process_gets_it_back():
    before = os.sched_getaffinity(0)
    with cores_apart(pin=True) as cores:
        if len(before) == 1:
            assert not cores
        else:
            assert len(cores) == 1
            assert os.sched_getaffinity(0) == before - cores
    assert os.sched_getaffinity(0) == before
    with cores_apart(pin=False) as cores:
        assert not cores
