"""Transactions in two phases, of connections and sessions that are joined: facade's work is prepared with theirs."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from facade import atomic, configure, models, transaction, using_connection
from facade.db.connection import close_all
from tests.fix_databases import DatabaseUnderTest, own_postgres_server


class Entry(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "tests_phases"


@pytest.fixture(scope="module")
def preparing_server():
    with own_postgres_server() as server:
        server.restart(max_prepared_transactions=10)
        yield server


@pytest.fixture
def mariadb(mariadb_home):
    mariadb_home.empty()
    return sa.make_url(DatabaseUnderTest(mariadb_home).url)


@pytest.fixture(params=["postgres", "mariadb"])
def engine(request):
    """An engine of somebody else's, on a database that can prepare transactions."""
    if request.param == "postgres":
        url = sa.make_url(request.getfixturevalue("preparing_server").url).set(
            drivername="postgresql+psycopg"
        )
    else:
        url = request.getfixturevalue("mariadb").set(drivername="mysql+pymysql")
    made = sa.create_engine(url)
    configure(DATABASES={"default": made})
    Entry.__table__.drop(made, checkfirst=True)
    Entry.__table__.create(made)
    yield made
    close_all()
    made.dispose()


def names():
    return sorted(Entry.objects.values_list("name", flat=True))


@pytest.mark.parametrize("kept", [True, False])
def test_a_connection_in_two_phases(engine, kept):
    called = []
    with engine.connect() as connection:
        phases = connection.begin_twophase()
        with using_connection(connection):
            Entry.objects.create(name="kept")
            with pytest.raises(LookupError), atomic():
                Entry.objects.create(name="undone")
                raise LookupError
            transaction.on_commit(lambda: called.append("called"))
        phases.prepare()
        assert called == []
        phases.commit() if kept else phases.rollback()
        assert called == (["called"] if kept else [])
        # What was registered for this transaction is not for the next one.
        connection.execute(sa.insert(Entry.__table__).values(name="next"))
        connection.commit()
        assert called == (["called"] if kept else [])
    assert names() == (["kept", "next"] if kept else ["next"])


@pytest.mark.parametrize("kept", [True, False])
def test_a_session_in_two_phases(engine, kept):
    called = []
    with Session(engine, twophase=True) as session:
        Entry.objects.using(session).create(name="kept")
        with pytest.raises(LookupError), atomic(using=session):
            Entry.objects.using(session).create(name="undone")
            raise LookupError
        transaction.on_commit(lambda: called.append("called"), using=session)
        session.prepare()
        assert called == []
        session.commit() if kept else session.rollback()
    assert called == (["called"] if kept else [])
    assert names() == (["kept"] if kept else [])


@pytest.mark.parametrize("kept", [True, False])
async def test_an_async_session_in_two_phases(mariadb, kept):
    engine = create_async_engine(mariadb.set(drivername="mysql+asyncmy"))
    configure(DATABASES={"default": engine})
    async with engine.begin() as connection:
        await connection.run_sync(Entry.__table__.create)
    called = []
    async with AsyncSession(engine, twophase=True) as session:
        await Entry.objects.using(session).acreate(name="kept")
        with pytest.raises(LookupError):
            async with atomic(using=session):
                await Entry.objects.using(session).acreate(name="undone")
                raise LookupError
        await transaction.aon_commit(lambda: called.append("called"), using=session)
        await (session.commit() if kept else session.rollback())
    assert called == (["called"] if kept else [])
    assert await Entry.objects.acount() == kept
    await engine.dispose()
