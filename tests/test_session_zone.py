"""PostgreSQL writes moments in the time zone that the settings ask for, whatever that of the server is."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import create_engine, make_url

from facade.configuration import configure, override
from facade.db.connection import close_all
from facade.models import DateTimeField, Model, TextField
from facade.models.functions import Cast, JSONObject

pytestmark = pytest.mark.vendors("postgres")
MADE = dt.datetime(2024, 2, 29, 23, 30, tzinfo=dt.UTC)


class Telegram(Model):
    made = DateTimeField()

    class Meta:
        app_label = "tests"


@pytest.fixture
def chicago(database):
    """A database whose server lives in Chicago."""
    name = make_url(database.url).database
    database.observe(f"ALTER DATABASE \"{name}\" SET timezone TO 'America/Chicago'")
    yield database
    close_all()
    database.observe(f'ALTER DATABASE "{name}" RESET timezone')


def written(face):
    found = Telegram.objects.annotate(t=Cast("made", TextField()), j=JSONObject(x="made"))
    return face(found.values_list("t", "j").get)


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize(
    ("options", "text", "json"),
    [
        ({"USE_TZ": True}, "2024-02-29 23:30:00+00", "2024-02-29T23:30:00+00:00"),
        ({"USE_TZ": False, "TIME_ZONE": "Asia/Tokyo"}, "2024-03-01 08:30:00+09", "2024-03-01T08:30:00+09:00"),
    ],
)
def test_moments_are_written_in_the_zone_of_the_settings(face, chicago, driver, options, text, json):
    with override(DATABASES={"default": chicago.url.replace("postgresql", driver, 1)}, **options):
        chicago.create(Telegram)
        chicago.observe("INSERT INTO tests_telegram (made) VALUES ('2024-02-29 23:30:00+00')")
        for _ in range(2):
            assert written(face) == (text, {"x": json})


def test_a_connection_is_asked_once(face, chicago, assert_queries):
    chicago.create(Telegram)
    face(Telegram.objects.create, made=MADE)
    with assert_queries(1):
        written(face)


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_options_of_the_connection_come_first(face, chicago, driver):
    url = chicago.url.replace("postgresql", driver, 1)
    configure(DATABASES={"default": {"URL": url, "OPTIONS": {"options": "-c timezone=Asia/Tokyo"}}})
    chicago.create(Telegram)
    face(Telegram.objects.create, made=MADE)
    assert written(face)[0] == "2024-03-01 08:30:00+09"


def test_somebody_elses_engine_keeps_its_settings(chicago):
    engine = create_engine(chicago.url.replace("postgresql", "postgresql+psycopg", 1))
    configure(DATABASES={"default": engine})
    chicago.create(Telegram)
    Telegram.objects.create(made=MADE)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "America/Chicago"
    engine.dispose()
