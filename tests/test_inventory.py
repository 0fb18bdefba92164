"""The inventory: which road statements take, for every event and documented execution option of SQLAlchemy's."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, QueuePool, SingletonThreadPool, StaticPool

from facade.db.pooling.inventory import Inventory
from facade.db.roads import channel_class

PAGE = Path(__file__).parent.parent / "docs" / "engines.md"
BETWEEN = re.compile(r"(?<=<!-- inventory -->\n)(.*)(?=<!-- end of the inventory -->)", re.DOTALL)

DRIVERS = {
    "sqlite3": "sqlite:///x.sqlite3",
    "aiosqlite": "sqlite+aiosqlite:///x.sqlite3",
    "psycopg": "postgresql+psycopg://",
    "psycopg async": "postgresql+psycopg://",
    "asyncpg": "postgresql+asyncpg://",
    "pymysql": "mysql+pymysql://",
    "asyncmy": "mysql+asyncmy://",
}
ASYNC = {"aiosqlite", "psycopg async", "asyncpg", "asyncmy"}

OPTIONS = {
    "`isolation_level`": {"isolation_level": "SERIALIZABLE"},
    "`isolation_level`: AUTOCOMMIT": {"isolation_level": "AUTOCOMMIT"},
    "`schema_translate_map`": {"schema_translate_map": {None: "tenant"}},
    "`stream_results`": {"stream_results": True},
    "`yield_per`": {"yield_per": 100},
    "`max_row_buffer`": {"max_row_buffer": 100},
    "`logging_token`": {"logging_token": "x"},
    "`compiled_cache`": {"compiled_cache": None},
    "`no_parameters`": {"no_parameters": True},
    "`preserve_rowcount`": {"preserve_rowcount": True},
    "`insertmanyvalues_page_size`": {"insertmanyvalues_page_size": 100},
    "`postgresql_readonly`": {"postgresql_readonly": True},
    "`postgresql_deferrable`": {"postgresql_deferrable": True},
    "one of your own": {"tenant": "a"},
}


def engine_of(driver, **options):
    if driver in ASYNC:
        return create_async_engine(DRIVERS[driver], **options).sync_engine
    return sa.create_engine(DRIVERS[driver], **options)


def road_of(engine):
    inventory = Inventory(engine, channel_class(engine.dialect), fast=True)
    assert inventory.is_general() == (inventory.reason() is not None)
    return "general" if inventory.is_general() else "fast"


def heard(driver, name):
    engine = engine_of(driver)
    event.listen(engine, name, lambda *args, **named: None)
    return road_of(engine)


def events():
    engine = engine_of("sqlite3")
    found = {
        *sa.Engine.dispatch._event_names,
        *engine.dialect.dispatch._event_names,
        *engine.pool.dispatch._event_names,
    }
    return sorted(found)


def table():
    """Write the table of the documentation."""
    lines = [f"| | {' | '.join(DRIVERS)} |", f"|---{'|---' * len(DRIVERS)}|"]
    rows = [("nothing", [road_of(engine_of(driver)) for driver in DRIVERS])]
    rows += [(f"event `{name}`", [heard(driver, name) for driver in DRIVERS]) for name in events()]
    for name, options in OPTIONS.items():
        skipped = "postgresql_" in name
        rows.append(
            (
                f"option {name}",
                [
                    road_of(engine_of(driver).execution_options(**options))
                    if not skipped or "pg" in driver
                    else "—"
                    for driver in DRIVERS
                ],
            )
        )
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join(lines) + "\n"


def test_the_table_in_the_documentation_is_what_is_decided():
    written = BETWEEN.search(PAGE.read_text())
    assert written is not None
    assert written[1] == table(), "python -m tests.test_inventory writes it anew"


@pytest.mark.parametrize("driver", ["sqlite3", "psycopg", "asyncpg"])
def test_what_changes_later_is_noticed(driver):
    """Nothing is remembered: listeners come and go, and so do options."""
    engine = engine_of(driver)
    inventory = Inventory(engine, channel_class(engine.dialect), fast=True)
    for name in ("begin", "checkout", "handle_error", "before_cursor_execute"):
        listener = lambda *args, **named: None  # noqa: E731
        assert not inventory.is_general()
        event.listen(engine, name, listener)
        assert inventory.is_general()
        assert name in inventory.reason()
        event.remove(engine, name, listener)
    assert not inventory.is_general()
    engine.update_execution_options(tenant="a")
    assert inventory.is_general()
    assert "tenant" in inventory.reason()


@pytest.mark.parametrize("name", ["sqlalchemy.engine.Engine", "sqlalchemy.engine", "sqlalchemy"])
def test_logging_that_is_switched_on_later_is_noticed(name):
    engine = engine_of("sqlite3")
    inventory = Inventory(engine, channel_class(engine.dialect), fast=True)
    logger = logging.getLogger(name)
    before = logger.level
    try:
        for level, general in [(logging.INFO, True), (logging.ERROR, False), (logging.DEBUG, True)]:
            assert not inventory.is_general()
            logger.setLevel(level)
            assert inventory.is_general() is general
            logging.disable(logging.INFO)
            assert not inventory.is_general()
            logging.disable(logging.NOTSET)
            assert inventory.is_general() is general
            logger.setLevel(before)
    finally:
        logging.disable(logging.NOTSET)
        logger.setLevel(before)
    assert not inventory.is_general()


def test_an_echo_that_is_switched_on_later_is_noticed():
    engine = engine_of("sqlite3")
    inventory = Inventory(engine, channel_class(engine.dialect), fast=True)
    for echo in (True, "debug"):
        assert not inventory.is_general()
        engine.echo = echo
        assert inventory.is_general()
        engine.echo = False


def test_listeners_to_all_engines_are_noticed():
    engine = engine_of("sqlite3")
    inventory = Inventory(engine, channel_class(engine.dialect), fast=True)
    listener = lambda *args: None  # noqa: E731
    for target, name in ((sa.pool.Pool, "checkout"), (sa.Engine, "begin")):
        event.listen(target, name, listener)
        try:
            assert name in (inventory.reason() or "")
            assert inventory.is_general()
        finally:
            event.remove(target, name, listener)
    assert inventory.reason() is None


@pytest.mark.parametrize(
    ("pool", "road"),
    [(QueuePool, "fast"), (NullPool, "fast"), (StaticPool, "general"), (SingletonThreadPool, "general")],
)
def test_pools(pool, road):
    assert road_of(engine_of("sqlite3", poolclass=pool)) == road


if __name__ == "__main__":
    PAGE.write_text(BETWEEN.sub(lambda match: table(), PAGE.read_text()))
