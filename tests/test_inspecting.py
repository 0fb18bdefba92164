"""`facade check` and `facade health`, run in projects of their own."""

from __future__ import annotations

import json

RIGHT = """
class Lender(models.Model):
    name = models.CharField(max_length=100)
"""
WRONG = """
facade.configure(SILENCED_SYSTEM_CHECKS={silenced!r}, DATABASE_ROUTERS={routers!r})

class Lender(models.Model):
    name = models.CharField(max_length=100)

class Loan(models.Model):
    lender = models.ForeignKey(Lender, on_delete=models.CASCADE, unique=True)
    to = models.ForeignKey(Lender, on_delete=models.SET_NULL, related_name="loans")
"""
E320, W342 = "fields.E320", "fields.W342"


def wrong(project, *silenced, routers=()):
    project.write_models(WRONG.format(silenced=silenced, routers=[*routers]))


def test_what_is_wrong_with_models_is_told_and_fails_from_a_level_on(sqlite_project):
    project = sqlite_project
    project.write_models(RIGHT)
    assert project.run("check", "library.models") == "1 model and 2 databases: nothing found.\n"
    assert not list(project.folder.glob("*.sqlite3"))  # no database was asked
    wrong(project)
    told = project.show("check", "library.models").splitlines()
    assert [line.split(")")[0] for line in told if line[0] != "\t"] == [
        "ERROR library.Loan.to: (fields.E320",
        "WARNING library.Loan.lender: (fields.W342",
        "2 models and 2 databases: 1 error, 1 warning.",
    ]
    assert "\tHINT: Set null=True argument on the field, or change the on_delete rule." in told
    for silenced, level, fails in (
        ((), "error", True),
        ((E320,), "ERROR", False),
        ((E320,), "warning", True),
        ((), "critical", False),
        ((E320, W342), "debug", False),
    ):
        wrong(project, *silenced)
        said = project.run("check", "library.models", "--fail-level", level, fails=fails)
        assert fails or f"({len(silenced)} silenced)." in said or not silenced


def test_what_is_wrong_with_settings_is_told(sqlite_project):
    project = sqlite_project
    project.urls = {"default": {"ENGINE": "sqlite", "NAMEE": "x"}, "other": 42}
    project.write_models("")
    told = project.run("check", "library.models", fails=True) + project.show("check", "library.models")
    for alias, culprit in (("default", "NAMEE"), ("other", "not int")):
        (line,) = [line for line in told.splitlines() if line.startswith(f"ERROR DATABASES['{alias}']: ")]
        assert culprit in line
    project.urls = {
        "default": {"URL": "sqlite://", "ECHO": True, "ALLOW_BLOCKING": True, "HIDE_PARAMETERS": False}
    }
    wrong(project, routers=["library.nowhere.Router"])
    told = project.show("check", "library.models", "--deploy")
    assert "ERROR DATABASE_ROUTERS: ModuleNotFoundError: No module named 'library.nowhere'" in told
    assert told.count("WARNING DATABASES['default']: ") == 4
    assert "DATABASES['default']" not in project.show("check", "library.models")
    (project.folder / "library" / "models.py").write_text("from facade import models\n")
    assert "WARNING DATABASES: No database is configured" in project.run("check", "library.models")


def test_the_project_is_what_env_py_imports_or_what_is_named(sqlite_project):
    project = sqlite_project
    project.write_models(RIGHT)
    for command in ("check", "health"):
        assert "There is neither alembic.ini" in project.run(command, fails=True)
        assert "No module named 'nowhere'" in project.run(command, "nowhere", fails=True)
    project.run("init")
    assert project.run("check") == "1 model and 2 databases: nothing found.\n"
    assert [line.split()[:2] for line in project.run("health").splitlines()] == [
        ["default", "ok"],
        ["other", "ok"],
    ]


def test_health_is_told_in_lines_or_json_and_fails_where_a_database_does_not_answer(project, database):
    project.write_models(RIGHT)
    lines = project.run("health", "library.models", "--deep").splitlines()
    assert [line.split()[:2] for line in lines] == [["default", "ok"], ["other", "ok"]]
    assert all(line.split()[-1][0].isdigit() for line in lines)  # the version
    found = json.loads(project.run("health", "library.models", "--json", "--database", "other"))
    assert [*found] == ["other"]
    assert found["other"]["ok"]
    assert found["other"]["version"] is None
    project.urls = {**project.urls, "gone": "postgresql://postgres@127.0.0.1:1/nowhere"}
    project.write_models(RIGHT)
    told = project.show("health", "library.models").splitlines()
    assert told[0].startswith("default  ok ")
    assert told[2].startswith("gone     failed  OperationalError: ")
    project.run("health", "library.models", fails=True)
    found = project.show("health", "library.models", "--json", "--database", "gone", "--database", "missing")
    assert {alias: one["ok"] for alias, one in json.loads(found).items()} == {"gone": False, "missing": False}
    project.urls = {}
    project.write_models(RIGHT)
    assert "No database is configured" in project.run("health", "library.models", fails=True)
