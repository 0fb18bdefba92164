"""The settings: what `configure` takes, refuses and tells."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from facade import configuration
from facade.configuration import configure, on_change, override, settings
from facade.exceptions import ImproperlyConfigured


@pytest.fixture(autouse=True)
def same_settings_afterwards():
    before = dict(vars(settings))
    yield
    vars(settings).clear()
    vars(settings).update(before)


@pytest.fixture
def changes():
    seen = []
    on_change(seen.append)
    yield seen
    configuration.on_change.listeners.remove(seen.append)


def test_defaults():
    defaults = configuration._defaults({})
    assert defaults["DATABASES"] == {}
    assert defaults["USE_TZ"] is True
    assert defaults["TIME_ZONE"] == "UTC"
    assert defaults["DEFAULT_AUTO_FIELD"] == "facade.models.BigAutoField"
    assert defaults["FACADE_RETRY_ATTEMPTS"] == 3
    assert defaults["FACADE_SHAPE_CACHE"] is True
    assert defaults["FACADE_FAST_ROADS"] is True


def test_configure_sets_what_is_named_and_keeps_the_rest():
    configure(USE_TZ=False)
    configure(TIME_ZONE="Europe/Vienna")
    assert settings.USE_TZ is False
    assert settings.TIME_ZONE == "Europe/Vienna"


def test_assigning_is_configuring(changes):
    settings.USE_TZ = False
    assert settings.USE_TZ is False
    assert changes == [{"USE_TZ"}]


def test_those_who_depend_on_settings_are_told_which_were_set(changes):
    configure(USE_TZ=False, DATABASES={"default": "sqlite://"})
    assert changes == [{"USE_TZ", "DATABASES"}]


def test_they_see_the_new_values():
    seen = []

    def look(names):
        seen.append(settings.USE_TZ)

    on_change(look)
    try:
        configure(USE_TZ=False)
    finally:
        configuration.on_change.listeners.remove(look)
    assert seen == [False]


def test_on_change_is_usable_as_a_decorator():
    @on_change
    def look(names):
        """Do nothing."""

    configuration.on_change.listeners.remove(look)
    assert callable(look)


def test_override_lasts_for_the_block(changes):
    before = settings.TIME_ZONE
    with override(TIME_ZONE="Asia/Tokyo", MY_MODEL="shop.Customer"):
        assert settings.TIME_ZONE == "Asia/Tokyo"
        assert settings.MY_MODEL == "shop.Customer"
    assert before == settings.TIME_ZONE
    assert not hasattr(settings, "MY_MODEL")
    assert changes == [{"TIME_ZONE", "MY_MODEL"}, {"TIME_ZONE", "MY_MODEL"}]


def test_override_ends_with_an_error_too():
    before = settings.USE_TZ
    with pytest.raises(ZeroDivisionError), override(USE_TZ=not before):
        divmod(1, 0)
    assert settings.USE_TZ is before


def test_the_databases_mapping_is_copied():
    given = {"default": "sqlite://"}
    configure(DATABASES=given)
    given["other"] = "sqlite://"
    assert list(settings.DATABASES) == ["default"]


def test_settings_of_django_and_swappable_models_are_accepted():
    configure(ROOT_URLCONF="site.urls", AUTH_USER_MODEL="people.Person")
    assert settings.AUTH_USER_MODEL == "people.Person"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DATABASE", "DATABASES"),
        ("databases", "DATABASES"),
        ("TIMEZONE", "TIME_ZONE"),
        ("FACADE_FAST_ROAD", "FACADE_FAST_ROADS"),
    ],
)
def test_a_slip_of_the_pen_is_refused_with_the_name_that_was_meant(name, meant):
    with pytest.raises(ImproperlyConfigured, match=f"There is no setting '{name}'. Did you mean '{meant}'?"):
        configure(**{name: {}})


@pytest.mark.parametrize("name", ["whatever", "FACADE_MAGIC"])
def test_other_unknown_names_are_refused_with_the_list(name):
    with pytest.raises(ImproperlyConfigured, match=f"There is no setting '{name}'. Settings: .*DATABASES"):
        configure(**{name: 1})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASES", "sqlite://", "DATABASES is a dict with strings as keys, not str."),
        ("DATABASES", {1: "sqlite://"}, "DATABASES is a dict with strings as keys, not dict."),
        ("INSTALLED_APPS", "shop", "INSTALLED_APPS is a list, not str."),
        ("DATABASE_ROUTERS", 1, "DATABASE_ROUTERS is a list, not int."),
        ("USE_TZ", "perhaps", "USE_TZ is true or false, not 'perhaps'."),
        ("FACADE_RETRY_ATTEMPTS", 0, "FACADE_RETRY_ATTEMPTS is a number from 1 up, not 0."),
        ("FACADE_RETRY_ATTEMPTS", "many", "FACADE_RETRY_ATTEMPTS is a number from 1 up, not 'many'."),
        ("TIME_ZONE", "Mars/Olympus", "TIME_ZONE: this system knows no time zone 'Mars/Olympus'."),
        ("TIME_ZONE", "../etc/passwd", "TIME_ZONE is a name like 'Europe/Vienna', not '../etc/passwd'."),
        ("TIME_ZONE", None, "TIME_ZONE is a name like 'Europe/Vienna', not None."),
    ],
)
def test_values_of_the_wrong_kind_are_refused_and_nothing_changes(name, value, message, changes):
    before = dict(vars(settings))
    with pytest.raises(ImproperlyConfigured) as refused:
        configure(**{"MEDIA_ROOT": "/elsewhere", name: value})
    assert str(refused.value) == message
    assert vars(settings) == before
    assert changes == []


def test_the_repr_shows_no_values():
    configure(DATABASES={"default": "postgresql://ada:secret@db/library"})
    assert "secret" not in repr(settings)
    assert "DATABASES" in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("FACADE_SHAPE_CACHE", "0", "False"),
        ("FACADE_SHAPE_CACHE", "yes", "True"),
        ("FACADE_FAST_ROADS", "off", "False"),
        ("FACADE_RETRY_ATTEMPTS", "1", "1"),
    ],
)
def test_environment_variables_give_the_first_value(variable, value, expected):
    program = f"from facade.configuration import settings; print(settings.{variable})"
    output = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {variable: value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert output.stdout.strip() == expected
