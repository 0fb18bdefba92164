"""PostgreSQL's domains in migrations: made, changed and dropped with the columns that have them."""

from __future__ import annotations

import pytest

MODELS = """
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

SMALL = postgresql.DOMAIN("small", sa.Integer, check=sa.text("VALUE < 10"))


class Crate(models.Model):
    size = models.TypedField(SMALL, default=1, db_default=2)
    sizes = models.TypedField(sa.ARRAY(SMALL), null=True)
"""


@pytest.mark.vendors("postgres")
def test_a_domain_that_is_defined_otherwise_is_a_change(project, database):
    project.write_models(MODELS)
    project.run("init")
    project.run("makemigrations")
    project.run("migrate")
    assert project.run("makemigrations", "--check") == "No changes detected\n"
    database.observe("INSERT INTO library_crate (size, sizes) VALUES (3, '{4, 5}')")
    for old, new, refused in (
        ('check=sa.text("VALUE < 10")', 'check=sa.text("VALUE < 20")', 25),
        ("sa.Integer, check", "sa.BigInteger, check", 25),
        ("VALUE < 20", "VALUE < 20 AND VALUE > 1", 1),
    ):
        project.replace(old, new)
        project.run("makemigrations")
        project.run("migrate")
        assert project.run("makemigrations", "--check") == "No changes detected\n"
        with pytest.raises(Exception, match="check constraint"):
            database.observe(f"INSERT INTO library_crate (size) VALUES ({refused})")
    database.observe("INSERT INTO library_crate DEFAULT VALUES")
    assert database.observe("SELECT size, sizes FROM library_crate ORDER BY id") == [(3, "{4,5}"), (2, None)]
    project.run("migrate", "-3")
    with pytest.raises(Exception, match="check constraint"):
        database.observe("INSERT INTO library_crate (size) VALUES (11)")
    database.observe("INSERT INTO library_crate (size) VALUES (1)")
    project.run("migrate", "zero")
    assert database.observe("SELECT to_regtype('small')") == [(None,)]
