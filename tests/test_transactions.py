"""Blocks: what they keep, what they undo, and what they refuse."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import sqlite3
import threading
from contextlib import closing, nullcontext, suppress

import pytest
from sqlalchemy import make_url

from facade import transaction
from facade.configuration import configure
from facade.db.channels.capture import CaptureQueriesContext
from facade.db.connection import connections
from facade.exceptions import (
    CommitOutcomeUnknown,
    DatabaseError,
    DeadlockDetected,
    DetachedOperation,
    Error,
    IntegrityError,
    OperationalError,
    SerializationFailure,
    SynchronousOnlyOperation,
    TransactionManagementError,
)
from facade.transaction import aatomic, atomic
from tests.entries import Entries

BROKEN = "An error occurred in the current transaction. You can't execute queries until the end of the 'atomic' block."


class Oops(Exception):
    """Raised by tests."""


@pytest.fixture
def entries(database):
    return Entries(database)


# every form


def test_block_commits(face, entries):
    with face.block(atomic()):
        entries.add("kept")
        assert entries.stored == []
    assert entries.stored == ["kept"]


def test_block_rolls_back(face, entries):
    with pytest.raises(Oops), face.block(atomic()):
        entries.add("lost")
        raise Oops
    assert entries.stored == []


def test_lone_statement_commits_at_once(face, entries):
    entries.add("kept")
    assert entries.stored == ["kept"]


@pytest.mark.parametrize(
    "decorator", [atomic, atomic(), atomic("default"), atomic(using="default", durable=True)]
)
def test_decorated_function_commits_and_rolls_back(face, entries, decorator):
    @decorator
    def add(name, fail=False):
        entries.add(name)
        if fail:
            raise Oops
        return name

    assert add("kept") == "kept"
    with pytest.raises(Oops):
        add("lost", fail=True)
    assert entries.stored == ["kept"]


@pytest.mark.parametrize("decorator", [atomic, aatomic, atomic(), atomic("default")])
async def test_decorated_coroutine_function_stays_one(entries, decorator):
    @decorator
    async def add(name, fail=False):
        """Add."""
        await entries.aadd(name)
        if fail:
            raise Oops
        return name

    assert inspect.iscoroutinefunction(add)
    assert (add.__name__, add.__doc__) == ("add", "Add.")
    assert await add("kept") == "kept"
    with pytest.raises(Oops):
        await add("lost", fail=True)
    assert entries.stored == ["kept"]


def test_block_of_another_alias(face, entries):
    with face.block(atomic("other")):
        entries.add("there", using="other")
        entries.add("here")
        assert (entries.stored, entries.stored_on("other")) == (["here"], [])
    assert entries.stored_on("other") == ["there"]


def test_blocks_of_two_aliases_are_independent(face, entries):
    with face.block(atomic()):
        entries.add("here")
        with pytest.raises(Oops), face.block(atomic("other")):
            entries.add("there", using="other")
            raise Oops
    assert (entries.stored, entries.stored_on("other")) == (["here"], [])


def test_aatomic_is_atomic():
    assert aatomic is atomic


@pytest.mark.parametrize("form", [atomic, atomic()])
def test_generator_functions_are_refused(form):
    def rows():
        yield 1

    async def arows():
        yield 1

    for function in (rows, arows):
        with pytest.raises(TypeError, match="generator function"):
            form(function)


def test_objects_with_call_are_decorated(face, entries):
    class Add:
        def __call__(self, name):
            entries.add(name)
            raise Oops

    with pytest.raises(Oops):
        atomic(Add())("lost")
    with pytest.raises(Oops):
        atomic(functools.partial(Add(), "lost"))()
    assert entries.stored == []


async def test_objects_with_async_call_are_decorated(entries):
    class Add:
        async def __call__(self, name):
            await entries.aadd(name)
            raise Oops

    for call in (atomic(Add()), atomic(entries.aadd)):
        assert inspect.iscoroutinefunction(call)
    with pytest.raises(Oops):
        await atomic(Add())("lost")
    assert entries.stored == []


async def test_sync_block_in_an_event_loop_is_refused(entries):
    with pytest.raises(SynchronousOnlyOperation, match="async with atomic"):
        atomic().__enter__()
    with pytest.raises(SynchronousOnlyOperation):
        atomic(entries.add)("lost")


async def test_sync_block_in_an_event_loop_can_be_allowed(entries):
    configure(DATABASES={"default": {"URL": entries.database.url, "ALLOW_BLOCKING": True}})
    with atomic():
        entries.add("kept")
        with atomic():
            entries.add("kept, too")
        with pytest.raises(DetachedOperation, match="its connection cannot be used in"):
            await entries.aadd("refused")
    connections["default"].sync_lender.close()
    assert entries.stored == ["kept", "kept, too"]


def test_unknown_isolation_level_is_refused():
    with pytest.raises(ValueError, match="'AUTOCOMMIT' is no isolation level: choose one of READ COMMITTED"):
        atomic(isolation_level="AUTOCOMMIT")


# nested blocks


@pytest.mark.parametrize("error", [Oops, asyncio.CancelledError, TimeoutError, KeyboardInterrupt, SystemExit])
def test_inner_failure_keeps_the_outer_work(face, entries, error):
    with face.block(atomic()):
        entries.add("before")
        with pytest.raises(error), face.block(atomic()):
            entries.add("lost")
            raise error
        entries.add("after")
    assert entries.stored == ["before", "after"]


@pytest.mark.parametrize("error", [Oops, asyncio.CancelledError, TimeoutError, KeyboardInterrupt, SystemExit])
def test_any_exception_rolls_back_at_every_level(face, entries, error):
    with pytest.raises(error), face.block(atomic()):
        entries.add("one")
        with face.block(atomic()):
            entries.add("two")
            with face.block(atomic(savepoint=False)):
                entries.add("three")
                raise error
    assert entries.stored == []


def test_outer_failure_undoes_the_inner_work(face, entries):
    with pytest.raises(Oops), face.block(atomic()):
        with face.block(atomic()):
            entries.add("lost")
        raise Oops
    assert entries.stored == []


def test_failing_block_without_savepoint_breaks_the_block_around(face, entries):
    with face.block(atomic()):
        entries.add("kept")
        with face.block(atomic()):
            entries.add("lost")
            with pytest.raises(Oops), face.block(atomic(savepoint=False)):
                raise Oops
            with pytest.raises(TransactionManagementError, match="You can't execute queries") as caught:
                entries.add("refused")
            assert isinstance(caught.value.__cause__, Oops)
        entries.add("after")
    assert entries.stored == ["kept", "after"]


def test_one_object_can_be_entered_again_inside_itself(face, entries):
    again = atomic()
    with face.block(again):
        entries.add("before")
        with pytest.raises(Oops), face.block(again):
            entries.add("lost")
            raise Oops
        with face.block(again):
            entries.add("after")
    assert entries.stored == ["before", "after"]
    with pytest.raises(TransactionManagementError, match="not entered"):
        again.__exit__(None, None, None) if not face.is_async else face.wait(
            again.__aexit__(None, None, None)
        )


def test_savepoints_are_unique_and_last_in_first_out(face, entries):
    connection = connections["default"]
    with CaptureQueriesContext(connection) as captured, face.block(atomic()):
        with face.block(atomic()), face.block(atomic()):
            entries.add("one")
        transaction.clean_savepoints()
        with pytest.raises(Oops), face.block(atomic()):
            transaction.clean_savepoints()
            with face.block(atomic()):
                entries.add("two")
            raise Oops
    commands = [query["sql"].split() for query in captured.captured_queries if "SAVEPOINT" in query["sql"]]
    open_names, seen = [], set()
    for command in commands:
        if command[0] == "SAVEPOINT":
            assert command[-1] not in open_names
            open_names.append(command[-1])
            seen.add(command[-1])
        elif command[0] == "RELEASE":
            assert open_names.pop() == command[-1]
        else:
            assert open_names[-1] == command[-1]
    assert (open_names, len(seen)) == ([], 4)


def test_savepoint_ids_follow_the_nested_blocks(face, entries):
    connection = connections["default"]
    assert (connection.in_atomic_block, connection.savepoint_ids) == (False, [])
    with face.block(atomic()):
        assert (connection.in_atomic_block, connection.savepoint_ids) == (True, [])
        with face.block(atomic()), face.block(atomic(savepoint=False)):
            assert [sid is None for sid in connection.savepoint_ids] == [False, True]
    assert (connection.in_atomic_block, connection.savepoint_ids) == (False, [])


def test_savepoints_changed_by_others_break_the_block(face, entries):
    connection = connections["default"]
    with face.block(atomic()):
        entries.add("lost")
        with pytest.raises(DatabaseError), face.block(atomic()):
            entries.add("lost, too")
            connection.savepoint_ids.append("12")
        assert connection.needs_rollback
        with pytest.raises(TransactionManagementError):
            entries.read()
    assert entries.stored == []


def test_blocks_that_end_in_the_wrong_order_lose_their_work(entries):
    outer, inner = atomic(), atomic()
    outer.__enter__()
    inner.__enter__()
    entries.add("lost")
    with pytest.raises(TransactionManagementError, match="Blocks end in reverse order"):
        outer.__exit__(None, None, None)
    with pytest.raises(
        TransactionManagementError, match="rolled back, because a block around it ended first"
    ):
        inner.__exit__(None, None, None)
    entries.add("kept")
    assert entries.stored == ["kept"]


def test_abandoned_generator_in_a_failing_block(entries):
    def rows():
        with atomic():
            entries.add("lost")
            yield 1

    generator = rows()
    with pytest.raises(Oops), atomic():
        next(generator)
        raise Oops
    generator.close()
    assert not connections["default"].in_atomic_block
    entries.add("kept")
    assert entries.stored == ["kept"]


async def test_abandoned_async_generator_is_waited_for(entries):
    async def rows():
        async with atomic():
            await entries.aadd("lost")
            yield 1

    async with atomic():
        await entries.aadd("kept")
        async for _ in rows():
            break
    assert entries.stored == ["kept"]


async def test_block_can_end_in_another_task_and_context(entries):
    """It is undone, and says so: what was done in between was not in it."""
    block = atomic()
    await asyncio.create_task(block.__aenter__())
    with pytest.raises(TransactionManagementError, match="left in another context"):
        await asyncio.create_task(block.__aexit__(None, None, None))
    with pytest.raises(TransactionManagementError):
        await block.__aexit__(None, None, None)
    assert connections["default"].async_engine.pool.checkedout() == 0


# errors that were swallowed


def test_error_that_was_marked_forbids_queries_and_commit(face, entries):
    with face.block(atomic()):
        entries.add("lost")
        with pytest.raises(IntegrityError), transaction.mark_for_rollback_on_error():
            entries.add("lost")
        assert transaction.get_rollback()
        with pytest.raises(TransactionManagementError) as caught:
            entries.add("refused")
        assert str(caught.value) == BROKEN
        assert isinstance(caught.value.__cause__, IntegrityError)
        with pytest.raises(TransactionManagementError):
            list(entries.stream())
    assert entries.stored == []
    assert not connections["default"].needs_rollback


def test_marking_outside_of_a_block_changes_nothing(face, entries):
    with pytest.raises(Oops), transaction.mark_for_rollback_on_error():
        raise Oops
    assert not connections["default"].needs_rollback
    entries.add("kept")
    assert entries.stored == ["kept"]


@pytest.mark.vendors("postgres")
def test_aborted_transaction_cannot_be_committed_unnoticed(face, entries):
    with pytest.raises(Error), face.block(atomic()):
        entries.add("lost")
        with pytest.raises(DatabaseError):
            entries.run("SELECT no_such_column")
    assert entries.stored == []


@pytest.mark.vendors("sqlite")
@pytest.mark.parametrize("nested", [False, True])
def test_error_that_rolls_the_whole_transaction_back(face, entries, nested):
    """Statements after it would run, and be kept, outside of any transaction."""
    told = pytest.raises(TransactionManagementError, match="nothing of the block is stored")
    with told, face.block(atomic()):
        entries.add("lost")
        with face.block(atomic()) if nested else nullcontext():
            with pytest.raises(IntegrityError):
                entries.run("INSERT OR ROLLBACK INTO entry (name) VALUES ('lost')")
            with pytest.raises(TransactionManagementError):
                entries.add("refused")
        with pytest.raises(TransactionManagementError):
            entries.add("refused")
    assert entries.stored == []
    entries.add("kept")
    assert entries.stored == ["kept"]


def test_set_rollback_undoes_without_an_exception(face, entries):
    with face.block(atomic()):
        entries.add("kept")
        with face.block(atomic()):
            entries.add("lost")
            assert not transaction.get_rollback()
            transaction.set_rollback(True)
            assert transaction.get_rollback()
        assert not transaction.get_rollback()
    assert entries.stored == ["kept"]


def test_set_rollback_can_be_taken_back(face, entries):
    with face.block(atomic()):
        entries.add("kept")
        with pytest.raises(Oops), face.block(atomic(savepoint=False)):
            raise Oops
        transaction.set_rollback(False)
        entries.add("kept, too")
    assert entries.stored == ["kept", "kept, too"]


def test_rollback_flag_needs_a_block(face, database):
    for use in (transaction.get_rollback, lambda: transaction.set_rollback(True)):
        with pytest.raises(TransactionManagementError, match="doesn't work outside of an 'atomic' block"):
            use()


# savepoints by hand


def test_manual_savepoints(face, entries):
    with face.block(atomic()):
        entries.add("kept")
        sid = face(transaction.savepoint)
        entries.add("lost")
        face(transaction.savepoint_rollback, sid)
        entries.add("lost, too")
        face(transaction.savepoint_rollback, sid)
        entries.add("after")
        face(transaction.savepoint_commit, sid)
    assert entries.stored == ["kept", "after"]


def test_manual_savepoint_recovers_from_an_error(face, entries):
    with face.block(atomic()):
        entries.add("kept")
        sid = face(transaction.savepoint_create)
        with pytest.raises(DatabaseError), face.block(atomic(savepoint=False)):
            entries.run("INSERT INTO entry (no_such_column) VALUES (1)")
        with pytest.raises(TransactionManagementError):
            face(transaction.savepoint_rollback, sid)
        transaction.set_rollback(False)
        face(transaction.savepoint_rollback, sid)
        entries.add("after")
    assert entries.stored == ["kept", "after"]


def test_manual_savepoints_do_nothing_outside_of_a_transaction(face, database):
    assert face(transaction.savepoint) is None
    face(transaction.savepoint_commit, None)
    face(transaction.savepoint_rollback, "anything")


@pytest.mark.parametrize("sid", ["12", "x; DROP TABLE entry", 'x"', None])
def test_unknown_savepoints_are_refused_before_any_sql(face, entries, assert_queries, sid):
    with face.block(atomic()):
        entries.add("kept")
        with assert_queries(0):
            for use in (transaction.savepoint_commit, transaction.savepoint_rollback):
                with pytest.raises(
                    TransactionManagementError, match="is no savepoint of the innermost block"
                ):
                    face(use, sid)
    assert entries.stored == ["kept"]


def test_savepoint_of_a_block_around_is_refused(face, entries):
    with face.block(atomic()):
        sid = face(transaction.savepoint)
        with (
            face.block(atomic()),
            pytest.raises(TransactionManagementError, match="belongs to a block around"),
        ):
            face(transaction.savepoint_commit, sid)


# durable blocks


def test_durable_block_cannot_be_nested(face, entries):
    with face.block(atomic(durable=True)), face.block(atomic()):
        entries.add("kept")
        with pytest.raises(RuntimeError) as caught, face.block(atomic(durable=True)):
            pytest.fail("must not be entered")
        assert str(caught.value) == "A durable atomic block cannot be nested within another atomic block."
    assert entries.stored == ["kept"]


def test_durable_survives_the_decorator_form(face, entries):
    @atomic(durable=True)
    def add(name):
        entries.add(name)

    add("kept")
    with pytest.raises(RuntimeError), face.block(atomic()):
        add("refused")
    assert entries.stored == ["kept"]


def test_durable_blocks_ignore_the_block_of_a_test_case(face, entries):
    outer = atomic()
    outer._from_testcase = True
    with pytest.raises(Oops), face.block(outer):
        with face.block(atomic(durable=True)):
            entries.add("lost")
        raise Oops
    assert entries.stored == []


def test_durable_blocks_of_two_aliases(face, entries):
    with face.block(atomic(durable=True)), face.block(atomic("other", durable=True)):
        entries.add("kept")
    assert entries.stored == ["kept"]


# isolation


LEVEL_IN_FORCE = {
    "postgresql": "SELECT upper(current_setting('transaction_isolation'))",
    "mysql": "SELECT trx_isolation_level FROM information_schema.innodb_trx"
    " WHERE trx_mysql_thread_id = connection_id()",
    "sqlite": "SELECT 'SERIALIZABLE'",
}


def isolation_in_force(entries):
    entries.read()  # MariaDB's transaction begins with its first read of a table
    if connections["default"].vendor == "mysql":
        entries.pause(0.11)  # it tells of the transactions of a moment ago
    return entries.read(LEVEL_IN_FORCE[connections["default"].vendor])


@pytest.mark.vendors("postgres", "mariadb")
def test_isolation_level_holds_for_its_block_only(face, entries):
    with face.block(atomic()):
        before = isolation_in_force(entries)
    assert before != ["SERIALIZABLE"]
    with face.block(atomic(isolation_level="serializable")):
        assert isolation_in_force(entries) == ["SERIALIZABLE"]
        with face.block(atomic()):
            assert isolation_in_force(entries) == ["SERIALIZABLE"]
    with face.block(atomic()):
        assert isolation_in_force(entries) == before


def test_isolation_level_survives_the_decorator_form(face, entries):
    @atomic(isolation_level="SERIALIZABLE", read_only=True)
    def read():
        return isolation_in_force(entries)

    assert read() == ["SERIALIZABLE"]


def test_read_only_block_refuses_writes(face, entries):
    entries.add("kept")
    with pytest.raises(DatabaseError), face.block(atomic(read_only=True)):
        assert entries.read() == ["kept"]
        entries.add("refused")
    entries.add("kept, too")
    assert entries.stored == ["kept", "kept, too"]


@pytest.mark.parametrize("options", [{"isolation_level": "SERIALIZABLE"}, {"read_only": True}])
def test_inner_block_cannot_choose_the_isolation(face, entries, options):
    with face.block(atomic()):
        with pytest.raises(TransactionManagementError, match="belong to its outermost block"):
            with face.block(atomic(**options)):
                pytest.fail("must not be entered")
        entries.add("kept")
    assert entries.stored == ["kept"]


@pytest.mark.vendors("sqlite")
def test_sqlite_block_takes_the_write_lock_first(face, entries):
    with face.block(atomic()), pytest.raises(sqlite3.OperationalError, match="locked"):
        write_with_bare_driver(entries)
    with face.block(atomic(read_only=True)):
        entries.read()
        write_with_bare_driver(entries)
    assert entries.stored == ["bare"]


def write_with_bare_driver(entries):
    path = make_url(entries.database.url).database
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        connection.execute("INSERT INTO entry (name) VALUES ('bare')")


@pytest.mark.vendors("sqlite")
def test_sqlite_savepoint_as_first_statement_and_ddl_roll_back(face, entries):
    with pytest.raises(Oops), face.block(atomic()):
        with face.block(atomic()):
            entries.run("CREATE TABLE made (id integer)")
            entries.add("lost")
        raise Oops
    assert entries.stored == []
    assert entries.database.observe("SELECT count(*) FROM sqlite_master WHERE name = 'made'") == [(0,)]


def test_transfer_is_all_or_nothing(face, entries):
    entries.run("INSERT INTO entry (name, n) VALUES ('a', 100), ('b', 0)")

    def transfer(amount):
        with face.block(atomic()):
            entries.run(f"UPDATE entry SET n = n - {amount} WHERE name = 'a'")
            if amount > 100:
                raise Oops
            entries.run(f"UPDATE entry SET n = n + {amount} WHERE name = 'b'")

    transfer(30)
    with pytest.raises(Oops):
        transfer(300)
    assert entries.database.observe("SELECT n FROM entry ORDER BY id") == [(70,), (30,)]


# autocommit off


@pytest.fixture
def manual(face, entries):
    face(transaction.set_autocommit, False)
    yield
    face(transaction.set_autocommit, True)


def test_without_autocommit_the_user_ends_transactions(face, entries):
    connection = connections["default"]
    assert transaction.get_autocommit()
    face(transaction.set_autocommit, False)
    assert not transaction.get_autocommit()
    assert not connection.in_atomic_block
    entries.add("lost")
    face(transaction.rollback)
    entries.add("kept")
    assert entries.stored == []
    face(transaction.commit)
    assert entries.stored == ["kept"]
    entries.add("kept, too")
    face(transaction.set_autocommit, True)
    assert transaction.get_autocommit()
    assert entries.stored == ["kept", "kept, too"]


def test_without_autocommit_blocks_are_savepoints(face, entries):
    face(transaction.set_autocommit, False)
    with face.block(atomic()):
        entries.add("kept")
    with pytest.raises(Oops), face.block(atomic()):
        entries.add("lost")
        raise Oops
    with face.block(atomic(durable=True)):
        assert connections["default"].in_atomic_block
        transaction.set_rollback(True)
        entries_in_vain = "lost"
    assert entries_in_vain
    assert entries.stored == []
    face(transaction.commit)
    face(transaction.set_autocommit, True)
    assert entries.stored == ["kept"]


def test_without_autocommit_a_failed_block_without_savepoint_needs_a_rollback(face, entries):
    face(transaction.set_autocommit, False)
    with pytest.raises(Oops), face.block(atomic(savepoint=False)):
        entries.add("lost")
        raise Oops
    for use in (lambda: entries.add("refused"), lambda: face(transaction.commit)):
        with pytest.raises(TransactionManagementError):
            use()
    face(transaction.rollback)
    entries.add("kept")
    face(transaction.set_autocommit, True)
    assert entries.stored == ["kept"]


def test_ending_the_transaction_by_hand_is_forbidden_in_a_block(face, entries):
    with face.block(atomic()):
        entries.add("kept")
        for use, *args in (
            (transaction.commit,),
            (transaction.rollback,),
            (transaction.set_autocommit, False),
        ):
            with pytest.raises(TransactionManagementError) as caught:
                face(use, *args)
            assert str(caught.value) == "This is forbidden when an 'atomic' block is active."
    assert entries.stored == ["kept"]
    assert transaction.get_autocommit()


# connections that go away


def test_connection_that_is_closed_inside_a_block(face, entries):
    connection = connections["default"]
    with face.block(atomic()):
        entries.add("lost")
        face(connection.close)
        assert connection.closed_in_transaction
        with pytest.raises(Error):
            entries.add("refused")
    assert entries.stored == []
    entries.add("kept")
    assert entries.stored == ["kept"]


@pytest.mark.vendors("postgres")
def test_connection_that_is_lost_inside_a_block(face, entries):
    with pytest.raises(OperationalError), face.block(atomic()):
        entries.add("lost")
        with pytest.raises(Oops), face.block(atomic()):
            raise Oops
        entries.database.observe(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        entries.add("refused")
    entries.add("kept")
    assert entries.stored == ["kept"]


@pytest.mark.vendors("postgres")
def test_commit_that_the_database_refuses(face, entries):
    entries.run("CREATE TABLE late (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(IntegrityError), face.block(atomic()):
        entries.add("lost")
        entries.run("INSERT INTO late VALUES (1), (1)")
    assert entries.stored == []
    entries.add("kept")
    assert entries.stored == ["kept"]


def test_connection_lost_while_it_commits(face, entries, monkeypatch):
    with face.block(atomic()) as block:
        block_type = type(block.transaction.channel)

    def lose(channel):
        raise ConnectionResetError("swallowed")

    monkeypatch.setattr(block_type, "_commit", lose)
    called = []
    with pytest.raises(CommitOutcomeUnknown), face.block(atomic()):
        entries.add("in doubt")
        transaction.on_commit(lambda: called.append(1))
    assert called == []
    assert not connections["default"].in_atomic_block
    monkeypatch.undo()
    entries.add("kept")


# retries


def test_whole_function_is_retried_after_a_serialization_failure(face, entries):
    tries = []

    @atomic(retries=2)
    def work():
        tries.append(1)
        entries.add(f"try {len(tries)}")
        if len(tries) < 3:
            raise SerializationFailure(None, None, Exception("40001"))
        return "done"

    assert work() == "done"
    assert entries.stored == ["try 3"]


async def test_whole_coroutine_function_is_retried(entries):
    tries = []

    @atomic(retries=1)
    async def work():
        tries.append(1)
        await entries.aadd(f"try {len(tries)}")
        if len(tries) < 2:
            raise SerializationFailure(None, None, Exception("40001"))

    await work()
    assert entries.stored == ["try 2"]


def test_retries_end(face, entries):
    tries = []

    @atomic(retries=2)
    def work():
        tries.append(1)
        raise SerializationFailure(None, None, Exception("40001"))

    with pytest.raises(SerializationFailure):
        work()
    assert len(tries) == 3


@pytest.mark.parametrize(
    "error", [Oops, IntegrityError(None, None, Exception()), OperationalError(None, None, Exception())]
)
def test_other_errors_are_not_retried(face, entries, error):
    tries = []

    @atomic(retries=2)
    def work():
        tries.append(1)
        raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        work()
    assert len(tries) == 1


def test_nothing_is_retried_inside_another_block(face, entries):
    tries = []

    @atomic(retries=2)
    def work():
        tries.append(1)
        raise SerializationFailure(None, None, Exception("40001"))

    with pytest.raises(SerializationFailure), face.block(atomic()):
        work()
    assert len(tries) == 1


def test_committed_function_is_not_retried_for_its_callbacks(face, entries):
    @atomic(retries=2)
    def work():
        entries.add("once")
        transaction.on_commit(fail)

    def fail():
        raise SerializationFailure(None, None, Exception("40001"))

    with pytest.raises(SerializationFailure):
        work()
    assert entries.stored == ["once"]


def test_retries_belong_to_functions(face, database):
    with pytest.raises(TypeError, match="as a decorator"), face.block(atomic(retries=1)):
        pytest.fail("must not be entered")


@pytest.mark.vendors("postgres")
def test_real_serialization_failures_are_retried(entries):
    entries.run("INSERT INTO entry (name, n) VALUES ('counter', 0)")
    barrier = threading.Barrier(2, timeout=5)
    failed = []

    @atomic(isolation_level="REPEATABLE READ", retries=5)
    def increment():
        (n,) = entries.read("SELECT n FROM entry")
        if not barrier.broken and not failed:
            barrier.wait()
        try:
            entries.run(f"UPDATE entry SET n = {n + 1}")
        except SerializationFailure as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=increment) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entries.database.observe("SELECT n FROM entry") == [(2,)]
    assert failed


@pytest.mark.vendors("postgres")
def test_real_deadlocks_are_retried(entries):
    entries.run("INSERT INTO entry (name, n) VALUES ('a', 0), ('b', 0)")
    barrier = threading.Barrier(2, timeout=5)
    failed = []

    @atomic(retries=5)
    def increment(first, second):
        entries.run(f"UPDATE entry SET n = n + 1 WHERE name = '{first}'")
        if not failed:
            barrier.wait()
        try:
            entries.run(f"UPDATE entry SET n = n + 1 WHERE name = '{second}'")
        except DeadlockDetected as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=increment, args=names) for names in ("ab", "ba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entries.database.observe("SELECT n FROM entry") == [(2,), (2,)]
    assert failed


# wrappers


def test_wrapper_of_a_statement_can_run_others_in_the_block(face, entries):
    def wrapper(execute, sql, params, many, context):
        if sql.startswith("INSERT"):
            counts.append(entries.read("SELECT count(*) FROM entry")[0])
        return execute(sql, params, many, context)

    counts = []
    with face.block(atomic()), connections["default"].execute_wrapper(wrapper):
        entries.add("one")
        entries.add("two")
    assert counts == [0, 1]


# streams


def test_stream_and_statements_share_a_block(face, entries):
    for name in "abcde":
        entries.add(name)
    with face.block(atomic()):
        for name in entries.stream():
            with face.block(atomic()):
                entries.run(f"UPDATE entry SET n = 1 WHERE name = '{name}'")
    assert entries.database.observe("SELECT sum(n) FROM entry") == [(5,)]


def test_stream_reads_on_inside_a_nested_block(face, entries):
    for name in "abcde":
        entries.add(name)
    with face.block(atomic()):
        stream = entries.stream()
        names = [next(stream)]
        with face.block(atomic()):
            names += [next(stream), next(stream)]
        names += list(stream)
    assert names == list("abcde")


def test_stream_ends_with_its_block(face, entries):
    for name in "abcde":
        entries.add(name)
    with face.block(atomic()):
        stream = entries.stream()
        next(stream)
    with pytest.raises(TransactionManagementError, match="this stream was opened has ended"):
        list(stream)
    entries.add("f")
    assert entries.open_transactions() == 0


def test_stream_of_an_inner_block_ends_with_it(face, entries):
    for name in "abcde":
        entries.add(name)
    with face.block(atomic()):
        with pytest.raises(Oops), face.block(atomic()):
            stream = entries.stream()
            next(stream)
            raise Oops
        with pytest.raises(TransactionManagementError, match="has ended"):
            list(stream)
        entries.add("f")
    assert len(entries.stored) == 6


# threads


def test_block_of_a_thread_is_unknown_to_another(entries):
    seen = []

    def other_thread():
        seen.append(connections["default"].in_atomic_block)
        seen.append(entries.read())

    with atomic(read_only=True):
        entries.read()
        thread = threading.Thread(target=other_thread)
        thread.start()
        thread.join()
    connections["default"].close()
    assert seen == [False, []]


def left(kind, error):
    """Enter and leave a block, in a block of its own kind where asked for, by its end or by an error."""
    with transaction.atomic():
        if kind == "nested":
            with suppress(ZeroDivisionError), transaction.atomic():
                if error:
                    raise ZeroDivisionError
        elif error:
            raise ZeroDivisionError


async def left_async(kind, error):
    async with transaction.atomic():
        if kind == "nested":
            with suppress(ZeroDivisionError):
                async with transaction.atomic():
                    if error:
                        raise ZeroDivisionError
        elif error:
            raise ZeroDivisionError


@pytest.mark.parametrize("error", [False, True], ids=["whole", "failed"])
@pytest.mark.parametrize("kind", ["root", "nested"])
def test_a_block_leaves_nothing_to_the_garbage_collector(database, kind, error):
    def sync():
        with suppress(ZeroDivisionError):
            left(kind, error)

    async def in_task():
        with suppress(ZeroDivisionError):
            await left_async(kind, error)

    async def many():
        for _ in range(3):
            await asyncio.create_task(in_task())
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.create_task(in_task())
        await asyncio.sleep(0)
        return facade_garbage()

    def facade_garbage():
        """Return what blocks leave in cycles."""
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            gc.collect()
            return [type(item).__name__ for item in gc.garbage if type(item).__module__.startswith("facade.")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()

    gc.disable()
    try:
        for _ in range(3):
            sync()
        gc.collect()
        gc.freeze()  # what is there already is looked through once
        sync()
        assert facade_garbage() == []
        assert asyncio.run(many()) == []
    finally:
        gc.enable()
