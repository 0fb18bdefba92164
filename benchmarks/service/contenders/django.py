"""Settings for Django and django-async-backend, which have to be made before models are imported."""

from __future__ import annotations

import importlib

import django
from django.conf import settings

from benchmarks.roads import Place
from benchmarks.service.contenders import Service


def _set_up(place: Place, pool_size: int, engine: str, *applications: str) -> None:
    importlib.import_module("psycopg_pool")  # Django asks for it at the first connection only
    database = {
        "ENGINE": engine,
        "NAME": place.name,
        "HOST": place.host,
        "PORT": str(place.port),
        "USER": place.user,
        "PASSWORD": place.password,
        "OPTIONS": {"pool": {"min_size": pool_size, "max_size": pool_size}},
    }
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=applications, USE_TZ=True)
    django.setup()


def service(place: Place, pool_size: int) -> Service:
    _set_up(place, pool_size, "django.db.backends.postgresql")
    return _service("benchmarks.service.contenders.django_orm", place, pool_size)


def service_on_async_backend(place: Place, pool_size: int) -> Service:
    _set_up(place, pool_size, "django_async_backend.db.backends.postgresql", "django_async_backend")
    return _service("benchmarks.service.contenders.django_async", place, pool_size)


def _service(module: str, place: Place, pool_size: int) -> Service:
    made: Service = importlib.import_module(module).service(place, pool_size)
    return made
