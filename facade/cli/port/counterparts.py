"""What is where: the module of facade's that has what a module of Django's has, and what to do where none has it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

__all__ = [
    "PLACES",
    "REMEDIES",
    "Place",
    "has_name",
    "is_module",
    "mixes",
    "module_for",
    "place_of",
    "remedy",
]

#: Where to look, in this order, for what a module of Django's has. Its submodules are looked up likewise, and then in the
#: places of the packages that they are in.
PLACES: dict[str, tuple[str, ...]] = {
    "django.apps": ("facade.apps",),
    "django.core": ("facade",),
    "django.core.checks": ("facade.checks",),
    "django.core.exceptions": ("facade.exceptions",),
    "django.core.files": ("facade.files",),
    "django.core.paginator": ("facade.paginator",),
    "django.core.validators": ("facade.validators",),
    "django.db": ("facade", "facade.exceptions"),
    "django.db.models": ("facade.models", "facade.models.fields", "facade.models.expressions"),
    "django.db.models.constants": ("facade.models.lookups",),
    "django.db.models.constraints": ("facade.models.constraints",),
    "django.db.models.deletion": ("facade.models.deletion",),
    "django.db.models.expressions": ("facade.models.expressions",),
    "django.db.models.fields": ("facade.models.fields",),
    "django.db.models.functions": ("facade.models.functions",),
    "django.db.models.lookups": ("facade.models.lookups",),
    "django.db.models.manager": ("facade.models.manager",),
    "django.db.models.query": ("facade.models.query",),
    "django.db.models.signals": ("facade.models.signals",),
    "django.db.transaction": ("facade.transaction",),
    "django.db.utils": ("facade.exceptions",),
    "django.dispatch": ("facade.dispatch",),
    "django.test.utils": ("facade", "facade.testing"),
    "django.utils": ("facade",),
    "django.utils.dateparse": ("facade.parsing.dates",),
    "django.utils.timezone": ("facade.timezone",),
}

#: Packages whose names are only looked up where they are: what else Django has in them is nothing of facade's.
_CLOSED = frozenset({"django.core", "django.test", "django.utils"})
_RENAMED = {
    ("django.utils", "dateparse"): ("facade.parsing", "dates"),
    ("django.db", "utils"): ("facade", "exceptions"),
}

#: What facade has under the same name for something else: Django's goes on where Django's applications do.
_KEPT = frozenset({("django.apps", "AppConfig")})

#: What takes models or parts of them: one that is left would be mixed with facade's in the same module.
_MIXING = frozenset(
    {
        "django.core.checks",
        "django.core.files",
        "django.db.models",
        "django.contrib",
        "django.forms",
        "django.views.generic",
        "rest_framework",
        "django_filters",
    }
)
_GENERAL = "facade has none; keep Django's, or do without"
REMEDIES = {
    "django.apps.AppConfig": "facade finds models where they are imported; facade.apps.AppConfig is for facade's INSTALLED_APPS",
    "django.conf.settings.AUTH_USER_MODEL": "name a model of your own, as 'accounts.User', with the columns of Django's table",
    "django.conf": "facade.settings and facade.configure() are facade's own; Django's settings go on beside them",
    "django.contrib": "it works with Django's models only",
    "django.contrib.admin": "facade.contrib.admin is an admin for facade's models: docs/admin.md",
    "django.contrib.auth": "write a model of your own for users, with the columns of Django's table",
    "django.contrib.contenttypes": "there are no generic relations yet: a column for the model's name, one for the key",
    "django.contrib.gis": "models.TypedField() takes GeoAlchemy2's types: docs/column-types.md",
    "django.contrib.postgres": "models.TypedField() takes SQLAlchemy's ARRAY, HSTORE, TSVECTOR: docs/column-types.md",
    "django.core.cache": "keep Django's, or use another cache",
    "django.core.files": "facade.files has File, ContentFile, Storage and FileSystemStorage",
    "django.core.management": "write a plain script, or a command of your own with typer",
    "django.db": "there is no public counterpart",
    "django.db.backends": "facade.connection has the features and the operations",
    "django.db.close_old_connections": "the pool does it: delete the call; facade.close_all() closes those that are idle",
    "django.db.migrations": "migrations are Alembic's here: `facade migrate --from-django` takes the tables over, docs/migrations.md",
    "django.db.models.IPAddressField": "models.GenericIPAddressField()",
    "django.db.models.NullBooleanField": "models.BooleanField(null=True)",
    "django.db.models.OrderWrt": "Meta.order_with_respect_to makes it",
    "django.db.models.sql": "queryset.statement is SQLAlchemy's select(): docs/from-sqlalchemy.md",
    "django.db.reset_queries": "facade.CaptureQueriesContext keeps the statements of a block only",
    "django.db.transaction.non_atomic_requests": "transactions are opened where they are wanted: facade.atomic()",
    "django.forms": "pydantic and msgspec schemas check input: docs/schemas.md",
    "django.http": "keep your framework's",
    "django.shortcuts": "get_object_or_404() takes facade's models as well; frameworks have DoesNotExist as 404: docs/fastapi.md",
    "django.test": "facade.testing, and plain pytest: docs/testing.md",
    "django.utils.deconstruct": "facade.validators' classes need none: derive from them, or give a plain function",
    "django.utils.functional.cached_property": "functools.cached_property",
    "django.utils.timezone.utc": "datetime.UTC",
    "django.utils.translation": "facade takes Django's lazy texts as they are; without Django write plain ones",
    "django.views.generic": "they work with Django's models only",
    "rest_framework": "schemas of pydantic or msgspec: docs/schemas.md",
}


class Place(NamedTuple):
    """A name in a module."""

    module: str
    name: str


def _packages(name: str) -> Iterator[str]:
    """Yield a dotted name and those that it is in, the nearest first."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def place_of(module: str, name: str) -> Place | None:
    """Return where facade has what Django has in a module under a name; None if it has no such thing.

    >>> place_of("django.db", "models")
    Place(module='facade', name='models')
    >>> place_of("django.db.models.fields.related", "ForeignKey")
    Place(module='facade.models.fields', name='ForeignKey')
    >>> place_of("django.db.models.sql", "Query") is None
    True
    """
    if (module, name) in _KEPT:
        return None
    if (renamed := _RENAMED.get((module, name))) is not None:
        return Place(*renamed)
    for package in _packages(module):
        for place in PLACES.get(package, ()):
            if has_name(place, name) and (package not in _CLOSED or f"{module}.{name}" in PLACES):
                return Place(place, name)
    return None


def module_for(module: str) -> str | None:
    """Return the module of facade's that stands for one of Django's as a whole."""
    places = PLACES.get(module, ()) if module not in _CLOSED else ()
    return places[0] if places else None


@cache
def has_name(module: str, name: str) -> bool:
    """Tell whether a module has something public of this name, or a module of it."""
    if name.startswith("_"):
        return False
    found = import_module(module)
    if is_module(f"{module}.{name}"):
        return True
    return hasattr(found, name) and not isinstance(getattr(found, name), ModuleType)


@cache
def is_module(name: str) -> bool:
    """Tell whether there is such a module."""
    package = name.rpartition(".")[0]
    return not package or (hasattr(import_module(package), "__path__") and find_spec(name) is not None)


def remedy(name: str) -> str:
    """Return what to do about something that facade has not.

    >>> remedy("django.db.models.NullBooleanField")
    'models.BooleanField(null=True)'
    """
    return next((REMEDIES[known] for known in _packages(name) if known in REMEDIES), _GENERAL)


def mixes(name: str) -> bool:
    """Tell whether what stays with Django would meet facade's models."""
    return any(known in _MIXING for known in _packages(name))
