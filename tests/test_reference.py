"""The reference has every public name, setting, command, option and error, and nothing that is not there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections import Counter

import pytest

import facade
from docs.extensions import checks, columns, commands, lookups, names, settings
from facade import contrib, exceptions, models
from facade.cli.port.counterparts import PLACES
from facade.configuration import Settings
from facade.db.settings import config
from facade.meta import options

PAGES = names.pages()
LISTED = [name for page in PAGES.values() for name in page]
# Rooms of the house; what of them is public has a name elsewhere.
ROOMS = {
    *(
        "bridge",
        "cli",
        "configuration",
        "contrib",
        "db",
        "drivers",
        "expressions",
        "fields",
        "foundation",
        "meta",
    ),
    *("orm", "parsing", "sql", "vendors", "version", "__main__"),
}
MODULES = [
    "facade",
    "facade.parsing.dates",
    *(f"facade.{found.name}" for found in pkgutil.iter_modules(facade.__path__) if found.name not in ROOMS),
    *(found.name for found in pkgutil.iter_modules(models.__path__, "facade.models.")),
    *(found.name for found in pkgutil.iter_modules(contrib.__path__, "facade.contrib.")),
]
# What users of the class call, or override: all of it is told.
WHOLE = [models.QuerySet, models.Model, models.Manager]
# Public by their names, and only so that other rooms of the house may call them.
INTERNAL = {"QuerySet.freeze", "Collector", "DatabaseOnDelete"}


def public(module):
    """Return the names that a module offers: those of `__all__`, or those that are defined in it."""
    found = importlib.import_module(module)
    offered = getattr(found, "__all__", None)
    if offered is None:
        offered = [
            name for name, value in vars(found).items() if getattr(value, "__module__", None) == module
        ]
    return [name for name in offered if not name.startswith("_") and name not in INTERNAL]


def text(page):
    return (names.REFERENCE / f"{page}.md").read_text()


def first_cells(page, heading):
    """Return what stands in ticks in the first cells of the table below a heading."""
    section = text(page).split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])]


def test_names_in_the_reference_exist():
    assert [name.full for name in LISTED if not name.exists()] == []


def test_names_in_the_reference_say_what_they_are():
    silent = [name.full for name in LISTED if not name.same_as and not names.documentation(name)]
    assert silent == []


def test_what_another_name_stands_for_is_in_the_reference():
    known = {name.full for name in LISTED if not name.same_as}
    missing = {name.same_as for name in LISTED if name.same_as} - known
    modules = {name for name in missing if inspect.ismodule(importlib.import_module(name))}
    assert missing == modules


def test_no_name_stands_twice_in_the_reference():
    assert [name for name, times in Counter(name.full for name in LISTED).items() if times > 1] == []


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_in_the_reference(module):
    known = {name.full for name in LISTED} | {
        f"{name.module}.{name.twin}" for name in LISTED if "." not in name.path and name.twin
    }
    told = [value for name in LISTED if "." not in name.path for value in (name.value,)]
    found = importlib.import_module(module)
    missing = [
        name
        for name in public(module)
        if f"{module}.{name}" not in known and not any(getattr(found, name) is value for value in told)
    ]
    twins = {name.twin for name in LISTED if name.twin}
    assert [name for name in missing if name not in twins] == []


def test_what_a_django_project_is_ported_to_is_in_the_reference():
    assert {module for places in PLACES.values() for module in places} - set(MODULES) == set()


@pytest.mark.parametrize("cls", WHOLE, ids=lambda cls: cls.__name__)
def test_members_of_the_great_classes_are_in_the_reference(cls):
    known = {name.path for name in LISTED if not name.same_as}
    # A manager has the methods of its querysets.
    inherited = {name.last for name in LISTED if name.path.startswith("QuerySet.")} | {"freeze"}
    members = {name.path for name in names.members(names.Name("facade.models", cls.__name__))} - INTERNAL
    if cls is models.Manager:
        members = {path for path in members if path.rpartition(".")[2] not in inherited - {"db"}}
    assert sorted(members - known) == []


def test_settings_are_in_the_reference_with_their_meaning():
    told = settings.settings()
    assert [setting.name for setting in told] == list(Settings.__annotations__)
    assert [setting.name for setting in told if len(setting.text) < 20] == []
    assert "```{settings}" in text("settings")


def test_keys_of_a_database_are_in_the_reference():
    assert sorted(first_cells("settings", "Databases")) == sorted(config._OWN_KEYS | config._DJANGO_KEYS)


def test_defaults_of_pools_are_those_in_the_reference():
    rows = re.findall(r"^\| `(\w+)` \|.*\| `([^`]+)` \|$", text("settings"), re.MULTILINE)
    told = {key: value for key, value in rows if key.startswith(("POOL_", "MAX_"))}
    pool = config.PoolSettings()
    values = {
        "POOL_SIZE": pool.size,
        "MAX_OVERFLOW": pool.overflow,
        "POOL_TIMEOUT": pool.timeout,
        "POOL_LINGER": pool.linger,
        "POOL_RECYCLE": pool.recycle,
        "POOL_PRE_PING": pool.pre_ping,
    }
    assert told == {
        key: f"{value:g}" if type(value) is float else str(value) for key, value in values.items()
    }


def test_options_of_meta_are_in_the_reference():
    assert sorted(first_cells("models", "Meta options")) == sorted(options.DEFAULT_NAMES)


def test_options_of_fields_are_in_the_reference():
    taken = set(inspect.signature(models.Field).parameters)
    assert set(first_cells("fields", "Options of every field")) == taken


def test_options_of_relations_are_in_the_reference():
    relations = (models.ForeignKey, models.OneToOneField, models.ManyToManyField)
    taken = {name for cls in relations for name in inspect.signature(cls).parameters}
    told = re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`\w+`.*?) \|", text("fields"), re.MULTILINE)))
    assert taken - {"options"} <= set(told)


def test_commands_are_in_the_reference():
    told = re.findall(r"^```\{command\} (\S+)$", text("commands"), re.MULTILINE)
    assert sorted(told) == sorted(commands.all_commands())


@pytest.mark.parametrize("command", commands.all_commands())
def test_a_command_says_what_it_and_each_option_is_for(command):
    function = commands.all_commands()[command]
    assert inspect.getdoc(function)
    described = commands.described(command)
    for parameter in commands.parameters(function):
        assert parameter.help, parameter.spelling
        assert parameter.spelling.split(",")[0].replace("|", "\\|") in described


def test_errors_are_in_the_reference_with_what_helps():
    told = {name.path for name in PAGES["errors"]}
    assert sorted(set(exceptions.__all__) - told) == []
    own = [getattr(exceptions, name) for name in exceptions.__all__]
    own = [error for error in own if inspect.isclass(error) and error.__module__ == "facade.exceptions"]
    assert [
        error.__name__ for error in own if "What helps: " not in " ".join((error.__doc__ or "").split())
    ] == []


def test_findings_of_checks_are_in_the_reference():
    told = {check.id: check.message for check in checks.checks()}
    assert checks.ids_in_the_code() - told.keys() == set()
    assert [id_ for id_, message in told.items() if len(message) < 20] == []


def test_columns_of_fields_are_in_the_reference():
    table = columns.described()
    kinds = [field for field in lookups.fields() if not issubclass(field, columns.WITHOUT)]
    assert [field.__name__ for field in kinds if f"| `{field.__name__}(" not in table] == ["Field"]


def test_lookups_are_in_the_reference():
    table = lookups.table()
    for field in lookups.fields():
        assert [name for name in field.get_class_lookups() if f"| `{name}` |" not in table] == []
    assert [name for name, cls in lookups.public().items() if not lookups.first_paragraph(cls)] == []


def test_every_page_of_the_reference_is_in_its_index():
    index = text("index")
    pages = set(PAGES) - {"index"}
    assert pages == set(re.findall(r"^([a-z-]+)$", index.split("```{toctree}")[1], re.MULTILINE))
    assert [page for page in pages if f"({page}.md)" not in index] == []
