"""Settings for django-async-backend, which has Django's ORM on psycopg's async connections."""

from __future__ import annotations

import importlib

from benchmarks.contenders import POOL_SIZE, Absent, Contender
from benchmarks.contenders.django import database_settings, set_up
from benchmarks.roads import Place, Road

APPLICATION = "django_async_backend"


def contender(road: Road, place: Place) -> Contender:
    if road.face == "sync" or road.vendor != "postgres":
        raise Absent("it has async connections to PostgreSQL alone")
    if road.driver != "psycopg":
        raise Absent("its driver is psycopg")
    database = database_settings(place)
    database["ENGINE"] = f"{APPLICATION}.db.backends.postgresql"
    database["OPTIONS"] = {"pool": {"min_size": POOL_SIZE, "max_size": POOL_SIZE}}
    set_up(database, APPLICATION)
    module = importlib.import_module("benchmarks.contenders.django_async_orm")
    made: Contender = module.DjangoAsyncBackend(road, place)
    return made
