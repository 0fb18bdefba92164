"""Tables whose models name the schema in which the database looks anyway: they are those without a schema."""

from __future__ import annotations

import pytest

from tests.fix_commands import on_sqlite

MODELS = """
class Shelf(models.Model):
    name = models.CharField(max_length=100, unique=True)
    height = models.IntegerField(default=1, db_index=True)

    class Meta:
        db_table = '"{place}"."shelf"'


class Board(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE)

    class Meta:
        db_table = '"{place}"."board"'


class Nail(models.Model):
    board = models.ForeignKey(Board, models.CASCADE)
"""
HEIGHT = "height = models.IntegerField(default=1, db_index=True)"


def check(project, place):
    project.write_models(MODELS.format(place=place))
    project.run("init")
    project.run("makemigrations")
    assert f"schema='{place}'" not in project.revisions[0].read_text()
    project.run("migrate")
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    project.replace(HEIGHT, HEIGHT.replace("default=1", "null=True"))
    project.run("makemigrations")
    project.run("migrate")
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    project.run("migrate", "zero")


@pytest.mark.vendors("postgres", "mariadb")
def test_the_default_schema_by_its_name_is_no_difference(project, database):
    check(project, database.home.databases["default"] if database.vendor == "mysql" else "public")


def test_nor_is_that_of_sqlite(tmp_path, commands):
    check(on_sqlite(tmp_path, commands), "main")
