"""The drivers' records: each is complete, and what facade uses of others without being promised it is there."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import make_url
from sqlalchemy.exc import NoSuchModuleError

import facade
from facade.db import roads
from facade.db.settings import words
from facade.drivers import DRIVERS, asyncpg, driver_of, drivers_for, named, postgresql
from facade.foundation import privates

HOUSE = Path(facade.__file__).parent
VENDORS = ["sqlite", "postgresql", "mysql", "mariadb"]
OTHERS = (
    privates.SQLALCHEMY | privates.ALEMBIC | privates.LITESTAR | privates.STARLETTE_ADMIN | privates.PYTHON
)
OLDER = privates.BEFORE_SQLALCHEMY_2_1 | privates.BEFORE_PYTHON_3_12


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request):
    return request.param


def dialect(driver, database, face):
    url = make_url(f"{database}+{driver.name}://")
    try:
        return url.get_dialect(_is_async=face == "async")
    except NoSuchModuleError:  # a dialect that does not come with SQLAlchemy
        pytest.skip(f"{driver.package} is not installed")


# -- records --------------------------------------------------------------------------------------------------------


def test_a_record_stands_in_the_file_of_its_name(driver):
    module = importlib.import_module(f"facade.drivers.{driver.name}")
    assert getattr(module, driver.name.upper()) is driver


def test_sqlalchemy_knows_the_driver_on_each_of_its_faces(driver):
    for database in driver.databases:
        for face in driver.faces:
            kind = dialect(driver, database, face)
            assert (kind.name, kind.driver, kind.is_async) == (database, driver.name, face == "async")
            assert driver_of(kind) is driver


def test_a_record_says_what_there_must_be(driver):
    assert driver.faces
    assert driver.module
    assert set(driver.roads) <= set(driver.faces)
    assert driver.max_parameters > 0


def test_parameters_are_sent_by_position(driver):
    for database in driver.databases:
        default = dialect(driver, database, driver.faces[0]).default_paramstyle
        assert (driver.paramstyle or default) in {"qmark", "format", "numeric_dollar"}


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_database_has_a_driver_for_each_face(vendor):
    assert drivers_for(vendor, "sync")
    assert drivers_for(vendor, "async")


def test_no_name_is_given_twice():
    names = [name for driver in DRIVERS for name in (driver.name, *driver.aliases)]
    assert len(set(names)) == len(names)
    assert all(named(name).name for name in names)


def test_each_road_leads_to_a_channel(driver):
    if find_spec(driver.module) is None:
        pytest.skip(f"{driver.module} is not installed")
    for database in driver.databases:
        for face in driver.faces:
            channel = roads.channel_class(dialect(driver, database, face)())
            assert channel.waits == (face == "async")
            assert channel.is_general == (face not in driver.roads)


def test_a_dialect_of_an_unknown_driver_is_treated_as_its_database():
    kind = make_url("mysql+mariadbconnector://").get_dialect()
    assert driver_of(kind).name == ""
    assert driver_of(kind).pings


def test_each_word_of_libpq_has_its_meaning_to_asyncpg():
    meant = [
        asyncpg.SAME_NAME,
        asyncpg.IN_DSN,
        asyncpg.TRANSLATED,
        postgresql.KEEPALIVES,
        set(asyncpg.ALREADY),
    ]
    assert sorted(word for group in meant for word in group) == sorted(postgresql.LIBPQ - {"replication"})


def test_a_driver_takes_the_defaults_that_it_is_given(driver):
    if find_spec(driver.module) is None:
        pytest.skip(f"{driver.module} is not installed")
    words.check_arguments(driver, driver.defaults(True))
    words.check_arguments(driver, driver.defaults(False))


# -- what nobody promises ---------------------------------------------------------------------------------------------


def has(place, name):
    """Tell whether a module or class has an attribute, or makes it for its instances."""
    module, _, attribute = place.partition(":")
    owner = importlib.import_module(module)
    owner = attrgetter(attribute)(owner) if attribute else owner
    return hasattr(owner, name) or (
        isinstance(owner, type) and any(makes(cls, name) for cls in owner.__mro__)
    )


def makes(cls, name):
    own = name.removeprefix(f"_{cls.__name__}") if name.startswith(f"_{cls.__name__}__") else name
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):  # of C
        return False
    return re.search(rf"self\.{own}\b[^=\n]*=[^=]", source) is not None


def listed(places):
    return [(place, name) for place, names in places.items() for name in names]


def test_what_is_used_of_a_driver_is_there(driver):
    if find_spec(driver.module) is None:
        pytest.skip(f"{driver.module} is not installed")
    assert [item for item in listed(driver.privates) if not has(*item)] == []


@pytest.mark.parametrize(("place", "name"), listed(OTHERS))
def test_what_is_used_of_sqlalchemy_and_python_is_there(place, name):
    assert has(place, name)


@pytest.mark.skipif(sqlalchemy.__version__ >= "2.1", reason="SQLAlchemy 2.1 has a public name for it")
def test_what_is_used_of_an_older_sqlalchemy_is_there():
    assert [item for item in listed(privates.BEFORE_SQLALCHEMY_2_1) if not has(*item)] == []


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Python 3.12 has a public name for it")
def test_what_is_used_of_an_older_python_is_there():
    assert [item for item in listed(privates.BEFORE_PYTHON_3_12) if not has(*item)] == []


def test_what_is_missing_is_noticed():
    assert has("sqlalchemy.pool:Pool", "_pre_ping")
    assert not has("sqlalchemy.pool:Pool", "_post_ping")


def test_whatever_is_used_of_others_is_listed():
    used, own = names_of_the_house()
    known = {name for driver in DRIVERS for names in driver.privates.values() for name in names}
    known |= {name for _, name in [*listed(OTHERS), *listed(OLDER)]}
    assert sorted(used - own - known) == []


def test_whatever_is_listed_is_used():
    house = "".join(path.read_text() for path in HOUSE.rglob("*.py") if path.name != "privates.py")
    for place, name in [*listed(OTHERS), *listed(OLDER)]:
        assert re.search(rf"\b{name}\b", house), place


def names_of_the_house():
    """Return the private names that are asked of objects, and those that facade's own have."""
    used, own = set(), set()
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                own.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                own.add(node.id)
            elif isinstance(node, ast.Attribute):
                (own if is_made(node) else used).add(node.attr)
            elif isinstance(node, ast.Call):
                used.update(asked_for(node))
    return {name for name in used if re.match(r"_[^_].*[^_]$", name)}, own


def is_made(node):
    of_itself = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
    return of_itself and isinstance(node.ctx, ast.Store)


def asked_for(call):
    """Yield the names that `getattr` and its like are given."""
    if isinstance(call.func, ast.Name) and call.func.id in {"getattr", "hasattr", "attrgetter"}:
        for argument in call.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value
