"""Around the revisions of a run, programs are told: pre_migrate and post_migrate."""

from __future__ import annotations

import pytest

from tests.fix_commands import on_sqlite

MODELS = """
class Shelf(models.Model):
    name = models.CharField(max_length=100)


def tell(signal, sender, app_config, using, plan, schema, verbosity, interactive, apps, **kwargs):
    assert sender is app_config
    assert apps.get_model("library", "Shelf") is Shelf
    there = "library_shelf" in facade.connections[using].inspect(lambda inspector: inspector.get_table_names())
    named = [(script.revision.partition("_")[0], undone) for script, undone in plan]
    print(getattr(app_config, "label", None), using, schema, named, there, (verbosity, interactive))


@receiver(pre_migrate)
def before(**kwargs):
    print("before", end=" ")
    tell(**kwargs)


@receiver(post_migrate)
async def after(**kwargs):
    print("after", end=" ")
    await facade.run(tell, **kwargs)
"""
HEAD = "from facade.signals import post_migrate, pre_migrate, receiver\n"


@pytest.fixture
def shelves(tmp_path, commands):
    project = on_sqlite(tmp_path, commands)
    project.write_models(MODELS, head=HEAD)
    project.run("init")
    project.run("makemigrations")
    return project


def told(project, *arguments, fails=False):
    return [
        line
        for line in project.run(*arguments, fails=fails).splitlines()
        if line.startswith(("before", "after"))
    ]


def test_programs_are_told_before_and_after_what_is_migrated(shelves):
    assert told(shelves, "migrate", "--plan") == told(shelves, "showmigrations") == []
    assert told(shelves, "migrate") == [
        "before None default None [('0001', False)] False (1, False)",
        "after None default None [('0001', False)] True (1, False)",
    ]
    assert told(shelves, "migrate") == [
        "before None default None [] True (1, False)",
        "after None default None [] True (1, False)",
    ]
    assert told(shelves, "makemigrations", "--check") == told(shelves, "sqlmigrate", "0001") == []
    assert told(shelves, "migrate", "zero") == [
        "before None default None [('0001', True)] True (1, False)",
        "after None default None [('0001', True)] False (1, False)",
    ]
    assert "after None default None [('0001', False)] True" in shelves.alembic("upgrade", "head")
    shelves.alembic("downgrade", "base")
    assert "after" not in shelves.alembic("stamp", "head")


def test_an_error_before_stops_the_run(shelves):
    shelves.replace('print("before", end=" ")', 'raise ValueError("not today")')
    assert "not today" in shelves.run("migrate", fails=True)
    assert "[ ] 0001" in shelves.run("showmigrations")


def test_each_installed_application_is_told(shelves):
    shelves.replace("facade.configure(", 'facade.configure(INSTALLED_APPS=["library"], ')
    assert [line.split()[:2] for line in told(shelves, "migrate")] == [
        ["before", "library"],
        ["after", "library"],
    ]


def test_an_environment_of_ones_own_is_told_when_all_is_committed(shelves):
    (shelves.folder / "migrations" / "env.py").write_text(OWN)
    assert told(shelves, "migrate") == [
        "before None default None [('0001', False)] False (1, False)",
        "after None default None [('0001', False)] True (1, False)",
    ]
    assert told(shelves, "migrate", "zero")[1] == "after None default None [('0001', True)] False (1, False)"


OWN = """
import library.models
from alembic import context
import facade
from facade import connections

with connections["default"].engine.connect() as connection:
    context.configure(connection=connection, target_metadata=facade.metadata(), render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
"""
