"""The sample service under fire: two processes of uvicorn, a hundred clients at once, and failures of every kind."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from tests.fix_databases import free_port, wait_for
from tests.http_load import Client, Cut, Left, drive

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "docs" / "samples" / "booking"
ACCOUNTS, EVENTS, SEATS, PRICE = 60, 40, 25, Decimal("7.35")
START = Decimal("500.10")


def environment(database):
    return {
        **os.environ,
        "TICKETS_DATABASE": database.url,
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
            [sys.executable, "-m", "uvicorn", *command, "--log-level=error", "--timeout-worker-healthcheck=60"],
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


def migrate(database):
    config = {"sqlite": "alembic.ini", "postgresql": "postgresql.ini"}[database.vendor]
    command = [sys.executable, "-m", "facade.cli", "migrate", "--config", config]
    subprocess.run(command, cwd=PROJECT, env=environment(database), check=True, capture_output=True)


def fill(database):
    run = database.observe
    run("INSERT INTO tickets_venue (id, name, city) VALUES (1, 'Hall', 'Lodz')")
    values = ", ".join(f"({key}, 'Account {key}', 'a{key}@example.org', {START})" for key in range(1, ACCOUNTS + 1))
    run(f"INSERT INTO tickets_account (id, name, email, balance) VALUES {values}")
    values = ", ".join(
        f"({key}, 1, 'Event {key:03}', '2030-01-{key % 28 + 1:02} 19:00:00+00:00', {PRICE}, {SEATS}, 0)"
        for key in range(1, EVENTS + 1)
    )
    run(f"INSERT INTO tickets_event (id, venue_id, title, starts, price, seats, sold) VALUES {values}")


class Fire:
    """What the clients do, and what they were told."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.told = Counter()
        self.transfers = {}  # by reason: what its client knows
        self.bookings = []

    def works(self, count):
        kinds = [self.read_events, self.read_account, self.transfer, self.book, self.cancel, self.crash, self.leave]
        chosen = self.random.choices(kinds, [45, 20, 15, 8, 4, 4, 4], k=count)
        return [kind(number) for number, kind in enumerate(chosen)]

    def told_of(self, kind, answer):
        self.told[kind, answer.status] += 1
        return answer

    def read_events(self, number):
        offset = number % EVENTS

        async def work(client):
            answer = self.told_of("events", await client.ask("GET", f"/events?offset={offset}&limit=5"))
            if answer.status == 200:
                titles = [event["title"] for event in answer.json()]
                assert len(titles) == min(5, EVENTS - offset), titles

        return work

    def read_account(self, number):
        key = number % (ACCOUNTS + 1)

        async def work(client):
            answer = self.told_of("account", await client.ask("GET", f"/accounts/{key}"))
            assert (answer.status == 404) is (key == 0) or answer.status >= 500

        return work

    def _transfer(self, number):
        payer, payee = self.random.sample(range(1, ACCOUNTS + 1), 2)
        return {"payer": payer, "payee": payee, "amount": "0.07", "reason": f"op {number}"}

    def transfer(self, number):
        body = self._transfer(number)

        async def work(client):
            try:
                answer = self.told_of("transfer", await client.ask("POST", "/transfers", body))
                self.transfers[body["reason"]] = {200: True}.get(answer.status, False)
            except Cut:
                self.transfers[body["reason"]] = None

        return work

    def leave(self, number):
        body, after = self._transfer(number), self.random.uniform(0, 0.02)

        async def work(client):
            self.transfers[body["reason"]] = None
            try:
                await client.ask("POST", "/transfers", body, leave=after)
            except (Left, Cut):
                self.told["left", 0] += 1

        return work

    def crash(self, number):
        payer, payee = self.random.sample(range(1, ACCOUNTS + 1), 2)

        async def work(client):
            path = f"/crash?payer={payer}&payee={payee}&reason=crash"
            answer = self.told_of("crash", await client.ask("POST", path))
            assert answer.status >= 500

        return work

    def book(self, number):
        body = {"account": self.random.randint(1, ACCOUNTS), "event": self.random.randint(1, 9), "tickets": 1}

        async def work(client):
            answer = self.told_of("book", await client.ask("POST", "/bookings", body))
            if answer.status == 201:
                self.bookings.append(answer.json()["reference"])

        return work

    def cancel(self, number):
        async def work(client):
            if self.bookings:
                reference = self.bookings.pop()
                answer = self.told_of("cancel", await client.ask("DELETE", f"/bookings/{reference}"))
                if answer.status >= 500:
                    self.bookings.append(reference)

        return work


@contextmanager
def killing(database, killed):
    """Cut connections of the service at the server, again and again."""

    def run():
        with closing(database.home.connect("default")) as connection:
            while not done.is_set():
                cut = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
                ).fetchall()
                killed.append(len(cut))
                done.wait(0.1)

    import threading

    done = threading.Event()
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.slow
@pytest.mark.vendors("sqlite", "postgres")
def test_the_books_are_right_after_ten_thousand_requests(database, tmp_path):
    migrate(database)
    fill(database)
    fire, killed = Fire(1), []
    requests = 10_000 if database.vendor == "postgresql" else 1_500
    with serving(database, tmp_path) as port:
        begun = time.time()
        if database.vendor == "postgresql":
            with killing(database, killed):
                asyncio.run(asyncio.wait_for(drive(port, fire.works(requests), 100), 120))
        else:
            asyncio.run(asyncio.wait_for(drive(port, fire.works(requests), 100), 120))
        print(requests, time.time() - begun, sum(killed), fire.told)
