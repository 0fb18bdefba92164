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
    """The entry of ``DATABASES`` for a place."""
    if place.vendor == "sqlite":
        options = {"init_command": "; ".join(SQLITE_PRAGMAS)}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": place.name, "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": place.name,
        "HOST": place.host,
        "PORT": str(place.port),
        "USER": place.user,
        "PASSWORD": place.password,
    }


def contender(road: Road, place: Place) -> Contender:
    settings.configure(
        DATABASES={"default": database_settings(place)},
        INSTALLED_APPS=["benchmarks"],  # relations are found from the far side only of applications
        USE_TZ=True,
        TIME_ZONE="UTC",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    module = importlib.import_module("benchmarks.contenders.django_orm")
    face: type[Contender] = module.DjangoSync if road.face == "sync" else module.DjangoAsync
    return face(road, place)
