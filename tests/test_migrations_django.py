"""Tables that Django's migrate has made are the ones that facade would make, and facade's migrations go on from there."""

from __future__ import annotations

import importlib.util

import pytest

from tests.fix_django import SAMPLES, DjangoProject

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="Django needs a newer Python"),
    pytest.mark.without("mariadb", reason="what MariaDB indexes by itself has other names there"),
]

SHOP = """
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

GROWN = (
    SHOP.replace("max_length=30", "max_length=40")
    .replace("SlugField()", "SlugField(max_length=60)")
    .replace(
        "    gone =", "    price = models.DecimalField(max_digits=6, decimal_places=2, null=True)\n    gone ="
    )
)


@pytest.fixture
def django(tmp_path, database):
    """Make a project of Django's on the same database."""

    def make(models, alias="default", **options):
        return DjangoProject(tmp_path / f"django_{alias}", database.urls[alias], models, **options)

    return make


def test_tables_made_by_django_are_equal_to_those_of_facade(project, django):
    django(SAMPLES).migrate()
    project.write_models(SAMPLES)
    assert project.run("diff", "library.models") == (
        "No differences.\n(not compared, as no model has them: django_migrations)\n"
    )


def test_a_database_of_djangos_goes_on_with_facades_migrations(project, django, database):
    django(SHOP, contrib=True).migrate()
    database.observe("INSERT INTO library_shop (id, name, size) VALUES (1, 'corner', 2)")
    project.write_models(SHOP)
    project.run("init")
    taken = project.run("migrate", "--from-django")
    assert "_initial... FAKED" in taken
    assert "Taken over from django_migrations: auth (" in taken
    assert "library (1)" in taken
    # Nothing is left to do, and nothing of Django's is touched.
    assert "No changes detected" in project.run("makemigrations", "--check")
    project.write_models(GROWN)
    made = project.run("makemigrations")
    assert "+ Add column price to library_item" in made
    assert "Delete table" not in made
    project.run("migrate")
    assert project.run("diff").startswith("No differences.")
    project.run("migrate", "0001")
    project.run("migrate")
    assert project.run("diff").startswith("No differences.")
    assert database.observe("SELECT name, size FROM library_shop") == [("corner", 2)]
    assert database.observe("SELECT COUNT(*) FROM auth_permission")[0][0] > 0


def test_other_databases_of_djangos_take_the_same_way(project, django):
    django(SHOP).migrate()
    django(SHOP, "other").migrate()
    project.write_models(SHOP)
    project.run("init")
    project.run("migrate", "--from-django")
    project.write_models(GROWN)
    project.run("makemigrations")
    # The program is deployed elsewhere: what the first revision makes is there, and the second one is applied.
    project.urls = {"default": project.urls["other"]}
    project.write_models(GROWN)
    applied = project.run("migrate", "--from-django")
    assert (applied.count("FAKED"), applied.count("OK")) == (1, 1)
    assert "Written" not in applied
    assert project.run("diff").startswith("No differences.")


def test_tables_that_are_not_those_of_the_models_are_not_taken_over(project, django):
    project.write_models(GROWN)
    project.run("init")
    assert "has no table django_migrations: Django has not migrated it" in project.run(
        "migrate", "--from-django", fails=True
    )
    django(SHOP).migrate()
    refused = project.run("migrate", "--from-django", fails=True)
    assert "The tables are not those of the models." in refused
    assert "+ Add column price to library_item" in refused
    assert "(no migrations)" in project.run("showmigrations")
    project.write_models(SHOP)
    project.run("migrate", "--from-django")
    assert "is taken over already: it stands at 0001_" in project.run("migrate", "--from-django", fails=True)
