"""Querysets as statements of Core, and statements of Core as objects: `queryset.statement`, `from_statement()`."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from facade import models
from facade.db.connection import connections
from tests import corpus
from tests.test_sqlalchemy import both_urls, url_for


@pytest.fixture
def records(database):
    database.create(*corpus.MODELS)
    corpus.fill()


def core_rows(face, database, statements):
    """Return the rows of each of the named statements, run by SQLAlchemy alone."""

    def run(connection):
        return {name: connection.execute(statement).all() for name, statement in statements.items()}

    if face.is_async:
        return face.wait(_run_async(database, run))
    engine = connections["default"].engine if teaches(database) else sa.create_engine(url_for(database, face))
    with engine.connect() as connection:
        rows = run(connection)
    engine.dispose()
    return rows


async def _run_async(database, run):
    url = both_urls(database)[1]
    engine = connections["default"].async_engine if teaches(database) else create_async_engine(url)
    async with engine.connect() as connection:
        rows = await connection.run_sync(run)
    await engine.dispose()
    return rows


def teaches(database):
    """SQLite's statements call functions that facade registers on the connections that it meets."""
    return database.vendor == "sqlite"


def values_of(queryset, found, rows):
    """Return the columns of objects as their statement has them: own ones, what was annotated, those of related objects."""
    columns = {field.column: field.attname for field in queryset.model._meta.concrete_fields}
    keys = [columns.get(key, key) for key in rows[0]._fields] if rows else []
    return [
        tuple(obj.__dict__[key] for key in keys if key in obj.__dict__)
        + tuple(
            getattr(other, field.attname, None)
            for name, other in obj._state.fields_cache.items()
            for field in obj._meta.get_field(name).related_model._meta.concrete_fields
        )
        for obj in found
    ]


def objects_of(model):
    return model.objects.all()


def rows_of(queryset, found, rows):
    """Return what a queryset found, as the tuples that its statement gives."""
    if found and isinstance(found[0], models.Model):
        return values_of(queryset, found, rows)
    return [tuple(row.values()) if isinstance(row, dict) else row for row in found]


def test_rows_of_the_statement_are_those_of_the_queryset(face, database, records):
    querysets = {name: make(objects_of) for name, make in corpus.QUERYSETS.items()}
    rows = core_rows(face, database, {name: queryset.statement for name, queryset in querysets.items()})
    found = {name: rows_of(queryset, face.list(queryset), rows[name]) for name, queryset in querysets.items()}
    assert {name: [tuple(row) for row in of_core] for name, of_core in rows.items()} == found
    assert sum(not rows for rows in found.values()) <= 5, [name for name, rows in found.items() if not rows]
