"""Settings for Django, which has to know its databases before its models are imported."""

from __future__ import annotations

import importlib
from typing import Any

import django
from django.conf import settings

from benchmarks.contenders import Contender
from benchmarks.contenders.bare import SQLITE_PRAGMAS
from benchmarks.roads import Place, Road


def database_settings(place: Place) -> dict[str, Any]:
    """The entry of ``DATABASES`` for a place; the connection of a thread is kept, nothing ends a request here."""
    if place.vendor == "sqlite":
        options = {"init_command": "; ".join(SQLITE_PRAGMAS)}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": place.name, "OPTIONS": options}
    if place.vendor == "mariadb":  # Django's driver is mysqlclient; the road's one stands in for it
        importlib.import_module("pymysql").install_as_MySQLdb()
    return {
        "ENGINE": f"django.db.backends.{'mysql' if place.vendor == 'mariadb' else 'postgresql'}",
        "NAME": place.name,
        "HOST": place.host,
        "PORT": str(place.port),
        "USER": place.user,
        "PASSWORD": place.password,
    }


def set_up(database: dict[str, Any], *applications: str) -> None:
    """Make these Django's settings."""
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=[
            "benchmarks",
            *applications,
        ],  # relations are found from the far side only of applications
        USE_TZ=True,
        TIME_ZONE="UTC",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()


def contender(road: Road, place: Place) -> Contender:
    set_up(database_settings(place))
    module = importlib.import_module("benchmarks.contenders.django_orm")
    face: type[Contender] = module.DjangoSync if road.face == "sync" else module.DjangoAsync
    return face(road, place)
