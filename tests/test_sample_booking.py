"""The sample service under fire: two processes of uvicorn, a hundred clients at once, and failures of every kind."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import make_url

from tests.fix_databases import free_port, wait_for
from tests.http_load import Answer, Client, Cut, Left, drive

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "docs" / "samples" / "booking"
ACCOUNTS, EVENTS, SEATS, PRICE = 60, 40, 25, Decimal("7.35")
START = Decimal("500.10")
UNKNOWN = (0, 500)
"""What a client is told where nobody knows whether its transaction was committed: nothing, or just that."""


def environment(database):
    return {
        **os.environ,
        "TICKETS_DATABASE": database.url,
        "TICKETS_SECRET_KEY": "one that both processes have",
        "PYTHONPATH": os.pathsep.join([str(PROJECT), str(ROOT)]),
    }


@contextmanager
def serving(database, folder):
    """Run the service in two processes; yields its port. It ends by itself within seconds of a SIGTERM."""
    port = free_port()
    command = ["--factory", "tests.booking_under_fire:create_app", "--workers", "2", "--port", str(port)]
    with (folder / "log").open("w+") as log:
        # A busy machine may take longer to import the service than uvicorn waits for a sign of life.
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "uvicorn",
                *command,
                "--log-level=error",
                "--timeout-worker-healthcheck=60",
            ],
            cwd=PROJECT,
            env=environment(database),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(port, process)
            asyncio.run(asyncio.wait_for(both_answer(port), 60))
            yield port
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) in (0, -signal.SIGTERM)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def both_answer(port):
    """Wait until both processes have answered; a new connection may meet either."""
    pids = set()
    while len(pids) < 2:
        client = Client(port)
        pids.add((await client.ask("GET", "/process")).json()["pid"])
        client.close()
    return pids


@pytest.fixture
def migrated(database, commands, tmp_path):
    """The tables that the history of the sample makes, which are those of its models."""
    command = ["--config", {"sqlite": "alembic.ini", "postgresql": "postgresql.ini"}[database.vendor]]
    for arguments, told in ((["migrate"], "0002"), (["makemigrations", "--check"], "No changes detected")):
        order = {
            "arguments": [*arguments, *command],
            "folder": str(PROJECT),
            "environment": environment(database),
            "out": str(tmp_path / "out"),
            "err": str(tmp_path / "err"),
        }
        commands.stdin.write(json.dumps(order) + "\n")
        commands.stdin.flush()
        assert commands.stdout.readline() == "0\n", (tmp_path / "err").read_text()
        assert told in (tmp_path / "out").read_text()
    fill(database)
    return database


def fill(database):
    run = database.observe
    run("INSERT INTO tickets_venue (id, name, city) VALUES (1, 'Hall', 'Lodz')")
    values = ", ".join(
        f"({key}, 'Account {key}', 'a{key}@example.org', {START})" for key in range(1, ACCOUNTS + 1)
    )
    run(f"INSERT INTO tickets_account (id, name, email, balance) VALUES {values}")
    values = ", ".join(
        f"({key}, 1, 'Event {key:03}', '2030-01-{key % 28 + 1:02} 19:00:00+00:00', {PRICE}, {SEATS}, 0)"
        for key in range(1, EVENTS + 1)
    )
    run(f"INSERT INTO tickets_event (id, venue_id, title, starts, price, seats, sold) VALUES {values}")


class Fire:
    """What the clients do, and what they were told."""

    MIX: ClassVar = {
        "read_account": 76,
        "read_events": 3,
        "read_in_a_thread": 1.5,
        "check_health": 6,
        "read_board": 0.5,
        "leave_a_stream": 0.5,
        "transfer": 5,
        "book": 3,
        "cancel": 1.5,
        "leave": 1.5,
        "cross": 1,
        "crash": 1,
        "crash_in_a_thread": 0.5,
    }

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.told = Counter()
        self.moved = {}  # by what entries say of it: payer, payee, amount, and whether it was done; None: nobody told
        self.booked = {}  # by reference: whether it stands; None: nobody told
        self.wrong = []

    def works(self, count):
        return [
            getattr(self, kind)(number)
            for number, kind in enumerate(self.random.choices([*self.MIX], [*self.MIX.values()], k=count))
        ]

    async def ask(self, client, kind, method, path, body=None, expected=(200,)):
        """Ask, and look whether the status is one of those expected, or tells of a database that was away."""
        try:
            answer = await client.ask(method, path, body)
        except Cut:
            self.told[kind, "cut"] += 1
            return Answer(0, {}, b"")
        self.told[kind, answer.status] += 1
        if answer.status not in (*expected, 503) and b"is unknown" not in answer.body:
            self.wrong.append((kind, path, answer.status, answer.body[:300]))
        return answer

    def two(self):
        return self.random.sample(range(1, ACCOUNTS + 1), 2)

    def read_account(self, number):
        key = number % (ACCOUNTS + 1)

        async def work(client):
            answer = await self.ask(
                client, "account", "GET", f"/accounts/{key}", expected=[200 if key else 404]
            )
            if answer.status == 200 and answer.json()["name"] != f"Account {key}":
                self.wrong.append(answer.body)

        return work

    def read_events(self, number):
        page = number % 14 + 1

        async def work(client):
            answer = await self.ask(client, "events", "GET", f"/events?size=3&page={page}&ordering=title")
            if answer.status == 200:
                found = answer.json()
                titles = [f"Event {key:03}" for key in range(page * 3 - 2, page * 3 + 1) if key <= EVENTS]
                seen = [event["title"] for event in found["items"]]
                if (found["total"], seen) != (EVENTS, titles) or "city" not in found["items"][0]["venue"]:
                    self.wrong.append(found)

        return work

    def read_in_a_thread(self, number):
        async def work(client):
            await self.ask(client, "in a thread", "GET", f"/bookings-in-a-thread/{number % ACCOUNTS + 1}")

        return work

    def read_board(self, number):
        async def work(client):
            answer = await self.ask(client, "board", "GET", "/board")
            if answer.status == 200 and len(answer.json()) != EVENTS:
                self.wrong.append(answer.body)

        return work

    def leave_a_stream(self, number):
        """Ask for all bookings, and go away while they are read."""
        after = self.random.uniform(0, 0.03)

        async def work(client):
            self.told["stream", "left"] += 1
            with suppress(Left, Cut):
                await client.ask("GET", "/bookings.ndjson", leave=after)

        return work

    def check_health(self, number):
        async def work(client):
            await self.ask(client, "health", "GET", "/healthz")

        return work

    def _moving(self, number, kind, path, payer, payee, amount):
        body = {"payer": payer, "payee": payee, "amount": amount, "reason": f"op {number}"}
        what = [payer, payee, Decimal(amount), None]

        async def work(client):
            self.moved[body["reason"]] = what
            query = (
                "" if kind == "transfer" else f"?payer={payer}&payee={payee}&reason={quote(body['reason'])}"
            )
            answer = await self.ask(client, kind, "POST", f"{path}{query}", body, expected=(200, 409))
            if answer.status not in UNKNOWN:
                what[3] = answer.status == 200

        return work

    def transfer(self, number):
        return self._moving(number, "transfer", "/transfers", *self.two(), "0.07")

    def cross(self, number):
        """Have two requests lock the same accounts, in either order."""
        one = self._moving(f"{number} there", "cross", "/cross", 1, 2, "0.01")
        other = self._moving(f"{number} back", "cross", "/cross", 2, 1, "0.01")

        async def work(client):
            beside = Client(client.port)
            await asyncio.gather(one(client), other(beside))
            beside.close()

        return work

    def leave(self, number):
        """Ask for a transfer, and go away before it is answered."""
        payer, payee = self.two()
        body = {"payer": payer, "payee": payee, "amount": "0.07", "reason": f"op {number}"}
        after = self.random.uniform(0, 0.03)

        async def work(client):
            self.moved[body["reason"]] = [payer, payee, Decimal(body["amount"]), None]
            self.told["leave", "left"] += 1
            with suppress(Left, Cut):
                await client.ask("POST", "/transfers", body, leave=after)

        return work

    def crash(self, number):
        payer, payee = self.two()

        async def work(client):
            await self.ask(client, "crash", "POST", f"/crash?payer={payer}&payee={payee}", expected=[418])

        return work

    def crash_in_a_thread(self, number):
        path = f"/crash-in-a-thread?account={number % ACCOUNTS + 1}"

        async def work(client):
            await self.ask(client, "crash in a thread", "POST", path, expected=[418])

        return work

    def book(self, number):
        body = {"account": self.random.randint(1, ACCOUNTS), "event": self.random.randint(1, 9), "tickets": 1}

        async def work(client):
            answer = await self.ask(client, "book", "POST", "/bookings", body, expected=(201, 409))
            if answer.status == 201:
                self.booked[answer.json()["reference"]] = True

        return work

    def cancel(self, number):
        async def work(client):
            reference = next((key for key, stands in self.booked.items() if stands), None)
            if reference is None:
                return
            self.booked[reference] = None  # and no other client cancels it
            answer = await self.ask(client, "cancel", "DELETE", f"/bookings/{reference}")
            if answer.status not in UNKNOWN:
                self.booked[reference] = answer.status != 200

        return work


@contextmanager
def killing(database, killed, every, at_most):
    """Cut connections of the service at the server, one after the other."""

    def run():
        with closing(database.home.connect("default")) as connection:
            while len(killed) < at_most and not done.wait(every):
                cut = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
                ).fetchall()
                killed.append(len(cut))

    done = threading.Event()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def check_books(database, fire):
    """Compare what is stored with what the clients were told, to the cent."""

    def money(value):
        return round(Decimal(value), 2)  # a number on SQLite

    entries = {}
    for account, amount, reason in database.observe("SELECT account_id, amount, reason FROM tickets_entry"):
        entries.setdefault(reason, []).append((account, money(amount)))
    assert "crash" not in entries
    for reason, (payer, payee, amount, done) in fire.moved.items():
        found, both = sorted(entries.get(reason, [])), sorted([(payer, -amount), (payee, amount)])
        assert found in ([both] if done else [[]] if done is False else [[], both]), (reason, done, found)
    sums = Counter()
    for account, amount in itertools.chain(*entries.values()):
        sums[account] += amount
    for key, balance in database.observe("SELECT id, balance FROM tickets_account"):
        assert money(balance) == START + sums[key], key
    bookings = database.observe("SELECT reference, event_id, tickets, paid FROM tickets_booking")
    sold = Counter()
    for _, event, tickets, _ in bookings:
        sold[event] += tickets
    for event, taken in database.observe("SELECT id, sold FROM tickets_event"):
        assert taken == sold[event] <= SEATS
    paid = sum(money(row[3]) for row in bookings)
    assert sum(sums.values()) == -paid
    there = {uuid.UUID(str(row[0])) for row in bookings}
    for reference, stands in fire.booked.items():
        assert stands is None or (uuid.UUID(reference) in there) is stands


async def check_pools(port):
    """Nothing is lent in either process; a client that has left is forgotten after a moment."""
    seen = {}
    for _ in range(400):
        client = Client(port)
        told = (await client.ask("GET", "/process")).json()
        client.close()
        seen[told["pid"]] = sum(figures["in_use"] for figures in told["pools"].values())
        if len(seen) == 2 and not any(seen.values()):
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"connections that are lent, by process: {seen}")


OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def check_server(database):
    """No transaction is open at the server, and nobody waits for a lock."""
    states = database.observe(f"SELECT state {OTHERS} AND backend_type = 'client backend'")
    assert {state for (state,) in states} <= {"idle", None}


def check_that_nobody_is_connected(database):
    """The service has closed what it had opened; the server takes a moment to notice."""
    for _ in range(200):
        left = database.observe(
            f"SELECT application_name, state, query {OTHERS} AND backend_type = 'client backend'"
        )
        if not left:
            return
        time.sleep(0.02)
    pytest.fail(f"connections that are still open: {left}")


@contextmanager
def soon_noticed_deadlocks(database):
    """Have the server look for deadlocks sooner than after a second, where we may say so."""
    name = make_url(database.url).database
    with suppress(psycopg.errors.InsufficientPrivilege):
        database.observe(f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '50ms'")
    yield
    database.observe(f'ALTER DATABASE "{name}" RESET deadlock_timeout')


@pytest.mark.slow
@pytest.mark.vendors("postgres")
def test_the_books_are_right_after_ten_thousand_requests_with_failures(migrated, tmp_path):
    fire, killed = Fire(seed=1), []
    with soon_noticed_deadlocks(migrated), serving(migrated, tmp_path) as port:
        with killing(migrated, killed, every=0.15, at_most=80):
            asyncio.run(drive(port, fire.works(10_000), clients=100))
        asyncio.run(check_pools(port))
        check_server(migrated)
    assert fire.wrong == []
    check_books(migrated, fire)
    check_that_nobody_is_connected(migrated)
    # The failures did happen, and most requests did not meet one.
    assert sum(killed) > 10
    counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert migrated.observe(counted)[0][0] > 0
    assert fire.told["cross", 200] > 10
    assert sum(count for (_, status), count in fire.told.items() if status in (500, 503, "cut")) < 500


@pytest.mark.slow
@pytest.mark.vendors("sqlite")
def test_the_books_are_right_on_sqlite(migrated, tmp_path):
    fire = Fire(seed=2)
    with serving(migrated, tmp_path) as port:
        asyncio.run(drive(port, fire.works(500), clients=100))
        asyncio.run(check_pools(port))
    assert fire.wrong == []
    check_books(migrated, fire)


@pytest.mark.slow
@pytest.mark.vendors("postgres")
def test_its_own_tests_pass(database):
    """They are run as its developers run them: `python -m pytest` in the project's folder."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=PROJECT,
        env={
            **environment(database),
            "TICKETS_TEST_DATABASE": database.url,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
