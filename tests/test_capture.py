"""Watching statements: captured queries, the query log, wrappers."""

from __future__ import annotations

import asyncio
import threading

import pytest

from facade import bridge
from facade.db.channels.capture import CaptureQueriesContext, filled_in
from facade.db.channels.channel import Statement
from facade.db.connection import connection, connections
from facade.exceptions import IntegrityError
from facade.transaction import atomic
from tests.entries import Entries

NAMES = Statement("SELECT name FROM entry ORDER BY id", reads=True, returns=True)


@pytest.fixture
def entries(database):
    return Entries(database)


def texts(captured):
    return [query["sql"] for query in captured]


def test_captured_queries_have_their_values(face, entries):
    one = connections["default"]
    statement = Statement(f"INSERT INTO entry (name, n) VALUES ({one.placeholder(1)}, {one.placeholder(2)})")
    with CaptureQueriesContext(connection) as captured:
        one.execute(statement, ("O'Neil", 3))
        one.fetch(NAMES, ())
    assert texts(captured) == ["INSERT INTO entry (name, n) VALUES ('O''Neil', 3)", NAMES.sql]
    assert captured[0]["statement"] == statement.sql
    assert captured[0]["params"] == ("O'Neil", 3)
    assert float(captured[0]["time"]) < 5
    assert len(captured) == 2
    assert captured.captured_queries == list(captured)


def test_only_what_is_inside_is_captured(face, entries):
    entries.add("before")
    with CaptureQueriesContext(connection) as captured:
        entries.add("inside")
    entries.add("after")
    assert len(captured) == 1


def test_each_alias_has_its_own(face, entries):
    with CaptureQueriesContext(connections["other"]) as other, CaptureQueriesContext(connection) as default:
        entries.add("here")
        entries.add("there", "other")
        entries.add("there too", "other")
    assert (len(default), len(other)) == (1, 2)


def test_blocks_streams_and_failures_are_captured(face, entries):
    with CaptureQueriesContext(connection) as captured:
        with face.block(atomic()):
            with face.block(atomic()):
                entries.add("a")
            with pytest.raises(IntegrityError), face.block(atomic()):
                entries.add("a")
        list(entries.stream())
    words = [text.split()[0] for text in texts(captured)]
    assert words == [
        "BEGIN",
        "SAVEPOINT",
        "INSERT",
        "RELEASE",
        "SAVEPOINT",
        "INSERT",
        "ROLLBACK",
        "RELEASE",
        "COMMIT",
        "SELECT",
    ]


async def test_it_works_with_async_with_and_includes_child_tasks(entries):
    async with CaptureQueriesContext(connection) as captured:
        await asyncio.gather(entries.aadd("a"), asyncio.create_task(entries.aadd("b")))
    assert len(captured) == 2


async def test_another_task_is_not_captured(entries):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def other():
        started.set()
        await go_on.wait()
        await entries.aadd("other")

    task = asyncio.create_task(other())
    await started.wait()
    async with CaptureQueriesContext(connection) as captured:
        go_on.set()
        await task
        await entries.aadd("mine")
    assert len(captured) == 1


def test_another_thread_is_not_captured(entries):
    with CaptureQueriesContext(connection) as captured:
        thread = threading.Thread(target=entries.add, args=("other",))
        thread.start()
        thread.join()
    assert len(captured) == 0


def test_force_debug_cursor_fills_the_log(face, entries):
    entries.add("not logged")
    assert connection.queries == []
    connection.force_debug_cursor = True
    assert connection.force_debug_cursor
    entries.add("logged")
    connection.force_debug_cursor = False
    entries.add("not logged either")
    assert texts(connection.queries) == ["INSERT INTO entry (name) VALUES ('logged')"]
    connections["default"].queries_log.clear()
    assert connection.queries == []


def test_wrappers_see_change_and_stop_statements(face, entries):
    one = connections["default"]
    seen = []

    def note(execute, sql, params, many, context):
        seen.append((sql.split()[0], many, context["connection"] is one))
        return execute(sql, params, many, context)

    def block(execute, sql, params, many, context):
        raise ZeroDivisionError

    def rename(execute, sql, params, many, context):
        return execute(sql.replace("'old'", "'new'"), params, many, context)

    with one.execute_wrapper(note), one.execute_wrapper(rename):
        entries.add("old")
        one.execute_many(
            Statement(f"INSERT INTO entry (name) VALUES ({one.placeholder(1)})"), [("x",), ("y",)]
        )
        with pytest.raises(ZeroDivisionError), one.execute_wrapper(block):
            entries.read()
    entries.add("unseen")
    assert seen == [("INSERT", False, True), ("INSERT", True, True), ("SELECT", False, True)]
    assert entries.stored == ["new", "x", "y", "unseen"]


async def test_wrappers_work_with_async_with(entries):
    seen = []

    def note(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    async with connections["default"].execute_wrapper(note):
        await bridge.spawn(entries.add, "a")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("sql", "params", "expected"),
    [
        ("SELECT 1", (), "SELECT 1"),
        ("a = ? AND b = ?", (1, None), "a = 1 AND b = NULL"),
        ("a = %s AND b = %s", ("x'y", True), "a = 'x''y' AND b = TRUE"),
        ("a = $1 AND b = $11", tuple(range(11)), "a = 0 AND b = 10"),
        ("a = ? AND b = '?'", (1,), "a = ? AND b = '?' (1,)"),
        (
            "a = %(x)s OR b = %(x)s AND c %% %(y)s",
            {"x": "50%(y)s", "y": 2},
            "a = '50%(y)s' OR b = '50%(y)s' AND c % 2",
        ),
    ],
)
def test_values_are_filled_in_for_reading(sql, params, expected):
    assert filled_in(sql, params) == expected
