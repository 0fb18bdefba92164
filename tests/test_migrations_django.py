"""Tables that Django's migrate has made are the ones that facade would make, and facade's migrations go on from there."""

from __future__ import annotations

import importlib.util

import pytest

from tests.fix_django import SAMPLES, DjangoProject
from tests.fix_project import Project

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="Django needs a newer Python"),
    pytest.mark.without("mariadb", reason="what MariaDB indexes by itself has other names there"),
]


@pytest.fixture
def projects(tmp_path, database):
    """A project of Django's and one of facade's, with the same models, on one database."""
    return _projects(tmp_path, database.urls["default"])


def _projects(folder, url, **options):
    facade = Project(folder / "facade", url, SAMPLES.read_text(), app="samples")
    facade.init()
    return DjangoProject(folder / "django", url, **options), facade


def test_tables_made_by_django_are_equal_to_those_of_facade(projects):
    django, facade = projects
    django.migrate()
    assert facade.run("diff", "project") == (
        "No differences.\n(not compared, as no model has them: django_migrations)\n"
    )


SHOP = """
from facade import models

class Shop(models.Model):
    name = models.CharField(max_length=30, unique=True)
    size = models.PositiveIntegerField(default=1)

class Item(models.Model):
    shop = models.ForeignKey(Shop, models.CASCADE)
    code = models.SlugField()
    gone = models.BooleanField(default=False)

    class Meta:
        unique_together = [("shop", "code")]
"""

GROWN = SHOP.replace(
    "    gone =", "    price = models.DecimalField(max_digits=6, decimal_places=2, null=True)\n    gone ="
)


def test_a_database_of_djangos_goes_on_with_facades_migrations(tmp_path, database):
    django, facade = _projects(tmp_path, database.urls["default"], contrib=True)
    django.write_models(SHOP)
    facade.write_models(SHOP)
    django.migrate()
    database.observe("INSERT INTO samples_shop (id, name, size) VALUES (1, 'corner', 2)")
    taken = facade.run("migrate", "--from-django")
    assert "Applying" in taken
    assert "FAKED" in taken
    assert "Taken over from django_migrations: auth (" in taken
    assert "samples (1)" in taken
    # Nothing is left to do, and nothing of Django's is touched.
    assert "No changes detected" in facade.run("makemigrations")
    facade.write_models(GROWN.replace("max_length=30", "max_length=40"))
    made = facade.run("makemigrations", "--no-input")
    assert "+ Add column price to samples_item" in made
    assert "Delete table" not in made
    facade.run("migrate")
    assert facade.run("diff").startswith("No differences.")
    assert database.observe("SELECT name, size FROM samples_shop") == [("corner", 2)]
    assert database.observe("SELECT COUNT(*) FROM auth_permission")[0][0] > 0
    # A database that Django has made elsewhere takes the same way, and an empty one has everything made.
    elsewhere = database.urls["other"]
    second, _ = _projects(tmp_path / "second", elsewhere)
    second.write_models(SHOP)
    second.migrate()
    facade.write_settings(elsewhere)
    assert facade.run("migrate", "--from-django").count("OK") == 1
    assert facade.run("diff").startswith("No differences.")


def test_tables_that_are_not_those_of_the_models_are_not_taken_over(projects):
    django, facade = projects
    django.write_models(SHOP)
    facade.write_models(SHOP)
    assert "has no table django_migrations: Django has not migrated it" in facade.run(
        "migrate", "--from-django", fails=True
    )
    django.migrate()
    facade.write_models(GROWN)
    refused = facade.run("migrate", "--from-django", fails=True)
    assert "The tables are not those of the models." in refused
    assert "+ Add column price to samples_item" in refused
    assert "(no migrations)" in facade.run("showmigrations")
    facade.write_models(SHOP)
    facade.run("migrate", "--from-django")
    assert "is taken over already: it stands at 0001_" in facade.run("migrate", "--from-django", fails=True)
