"""Deadlocks, provoked one after the other: of each block all is stored, or nothing.

MariaDB rolls back the whole transaction of a deadlock's victim, and runs what comes next, alone. FACADE_DEADLOCKS says
how many are provoked for each way to meet one; 200 make a thousand on each face.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from facade import bridge
from facade.db.channels.channel import Statement
from facade.db.connection import connections
from facade.exceptions import DeadlockDetected, TransactionManagementError
from facade.transaction import atomic
from tests.fix_face import Face

pytestmark = pytest.mark.vendors("mariadb")  # PostgreSQL lets a second go by before it looks for one

ROUNDS = int(os.environ.get("FACADE_DEADLOCKS", "15"))
BOTH_WAYS = ((1, 2), (2, 1))


class Rivals:
    """Two workers, threads or tasks, whose blocks change the same two rows in opposite order at the same time."""

    def __init__(self, face):
        self.face = face
        self.deadlocks = 0
        self.victims = set()
        self.ended_well = set()
        self._tickets = itertools.count(1)
        self._barrier = asyncio.Barrier(2) if face.is_async else threading.Barrier(2, timeout=20)

    def run(self, way, order):
        """Be one of the two."""
        for _ in range(ROUNDS):
            ticket = next(self._tickets)
            try:
                way(self, ticket, *order)
                self.ended_well.add(ticket)
            except (DeadlockDetected, TransactionManagementError):
                if ticket not in self.victims:
                    raise
            self.meet()  # the next round's locks would stand in the way of who tries again

    def meet(self):
        waited = self._barrier.wait()
        if self.face.is_async:
            self.face.wait(waited)

    def block(self):
        return self.face.block(atomic())

    def note(self, ticket, step):
        connections["default"].execute(Statement(f"INSERT INTO step VALUES ({ticket}, '{step}')"), ())

    def change(self, ticket, row):
        """Change a row and say so; the statement that waits for the rival's lock may end in a deadlock."""
        try:
            connections["default"].execute(Statement(f"UPDATE account SET n = n + 1 WHERE id = {row}"), ())
        except DeadlockDetected:
            self.deadlocks += 1
            self.victims.add(ticket)
            raise
        self.note(ticket, f"changed {row}")


def that_lets_it_out(rivals, ticket, first, second):
    with rivals.block():
        rivals.change(ticket, first)
        rivals.meet()
        rivals.change(ticket, second)
        rivals.note(ticket, "after")


def that_catches_it_and_goes_on(rivals, ticket, first, second):
    with rivals.block():
        rivals.change(ticket, first)
        rivals.meet()
        with suppress(DeadlockDetected):
            rivals.change(ticket, second)
        rivals.note(ticket, "after")


def that_catches_it_and_ends(rivals, ticket, first, second):
    with rivals.block():
        rivals.change(ticket, first)
        rivals.note(ticket, "after")
        rivals.meet()
        with suppress(DeadlockDetected):
            rivals.change(ticket, second)


def that_catches_it_around_an_inner_block(rivals, ticket, first, second):
    with rivals.block():
        rivals.change(ticket, first)
        rivals.meet()
        with suppress(DeadlockDetected), rivals.block():
            rivals.change(ticket, second)
        with suppress(TransactionManagementError):
            rivals.note(ticket, "after")


def that_is_tried_again(rivals, ticket, first, second):
    met = []

    @atomic(retries=5)
    def work():
        rivals.change(ticket, first)
        if not met:
            met.append(rivals.meet())
        rivals.change(ticket, second)
        rivals.note(ticket, "after")

    work()


@pytest.fixture(
    params=[
        that_lets_it_out,
        that_catches_it_and_goes_on,
        that_catches_it_and_ends,
        that_catches_it_around_an_inner_block,
        that_is_tried_again,
    ],
    ids=lambda way: way.__name__,
)
def way(request, database):
    database.observe("CREATE TABLE account (id integer PRIMARY KEY, n integer NOT NULL)")
    database.observe("CREATE TABLE step (ticket integer NOT NULL, name varchar(20) NOT NULL)")
    database.observe("INSERT INTO account VALUES (1, 0), (2, 0)")
    return request.param


def test_a_deadlock_of_threads_never_leaves_half_a_block(database, way):
    rivals = Rivals(Face("sync"))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda order: rivals.run(way, order), BOTH_WAYS))
    assert_all_or_nothing(database, rivals, way)


async def test_a_deadlock_of_tasks_never_leaves_half_a_block(database, way):
    rivals = Rivals(Face("async"))

    async def run(order):
        await bridge.spawn(rivals.run, way, order)

    async with asyncio.timeout(30 + ROUNDS):
        await asyncio.gather(*map(run, BOTH_WAYS))
    assert_all_or_nothing(database, rivals, way)


def assert_all_or_nothing(database, rivals, way):
    stored = defaultdict(list)
    for ticket, step in database.observe("SELECT ticket, name FROM step"):
        stored[ticket].append(step)
    assert rivals.deadlocks >= ROUNDS
    assert set(stored) == rivals.ended_well
    assert {tuple(sorted(steps)) for steps in stored.values()} == {("after", "changed 1", "changed 2")}
    assert len(stored) == (2 * ROUNDS if way is that_is_tried_again else 2 * ROUNDS - rivals.deadlocks)
    assert database.observe("SELECT n FROM account") == [(len(stored),), (len(stored),)]
