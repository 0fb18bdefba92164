"""The lint of pending revisions: what blocks writes, rewrites tables, fails, or takes away what running code reads."""

from __future__ import annotations

import re
from textwrap import dedent, indent

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import mysql, postgresql, sqlite

from facade import models
from facade.apps import isolate_apps
from facade.migrations.safety import Level, findings, pending
from tests.models import Author

DIALECTS = {"postgresql": postgresql.dialect, "sqlite": sqlite.dialect, "mysql": mysql.dialect}


@pytest.fixture
def scripts(tmp_path):
    """A history of revisions, each with this body of its ``upgrade()``."""

    def write(*bodies, top=""):
        (tmp_path / "versions").mkdir()
        for number, body in enumerate(bodies, 1):
            before = f"r{number - 1}" if number > 1 else None
            lines = [
                "import sqlalchemy as sa",
                "from alembic import op",
                f"revision, down_revision = 'r{number}', {before!r}",
                dedent(top),
                "def upgrade():",
                indent(dedent(body).strip() or "pass", "    "),
                "def downgrade():",
                "    pass",
            ]
            (tmp_path / "versions" / f"r{number}_step.py").write_text("\n".join(lines))
        return ScriptDirectory(tmp_path)

    return write


@pytest.fixture
def lint(scripts):
    """What the lint finds in revisions of these bodies: (name, level), or the findings themselves."""

    def run(*bodies, dialect="postgresql", connection=None, whole=False, **options):
        revisions = pending(scripts(*bodies, top=options.pop("top", "")), ())
        made = connection.dialect if connection is not None else DIALECTS[dialect]()
        found = list(findings(revisions, made, connection, **options))
        return found if whole else [(one.name, one.level) for one in found]

    return run


# -- one operation after the other ---------------------------------------------------------------------------


def everywhere(*expected):
    return {name: list(expected) for name in DIALECTS}


OPERATIONS = {
    "an index built while nobody writes": (
        "op.create_index('i', 'shop', ['name'])",
        {"postgresql": [("index-locks", Level.WARNING)], "mysql": [], "sqlite": []},
    ),
    "an index built meanwhile": (
        "with op.get_context().autocommit_block(): op.create_index('i', 'shop', ['name'], postgresql_concurrently=True)",
        {"postgresql": [], "mysql": [], "sqlite": []},
    ),
    "an index built meanwhile, within a transaction": (
        "op.create_index('i', 'shop', ['name'], postgresql_concurrently=True)",
        {"postgresql": [("in-transaction", Level.ERROR)], "mysql": [], "sqlite": []},
    ),
    "an index dropped": (
        "op.drop_index('i', 'shop')",
        {"postgresql": [("index-locks", Level.NOTE)], "mysql": [], "sqlite": []},
    ),
    "a column that may be NULL": (
        "op.add_column('shop', sa.Column('size', sa.Integer))",
        {"postgresql": [], "mysql": [], "sqlite": []},
    ),
    "a column with a default": (
        "op.add_column('shop', sa.Column('size', sa.Integer, nullable=False, server_default='1'))",
        {"postgresql": [], "mysql": [], "sqlite": []},
    ),
    "NOT NULL without a default": (
        "op.add_column('shop', sa.Column('size', sa.Integer, nullable=False))",
        everywhere(("not-null", Level.ERROR)),
    ),
    "a default that differs in each row": (
        "op.add_column('shop', sa.Column('token', sa.Uuid, server_default=sa.text('gen_random_uuid()')))",
        {"postgresql": [("rewrite", Level.WARNING)], "mysql": [], "sqlite": []},
    ),
    "a generated column": (
        "op.add_column('shop', sa.Column('twice', sa.Integer, sa.Computed('size * 2', persisted=True)))",
        {"postgresql": [("rewrite", Level.WARNING)], "mysql": [("rewrite", Level.WARNING)], "sqlite": []},
    ),
    "NOT NULL of a column that is there": (
        "op.alter_column('shop', 'size', existing_type=sa.Integer(), nullable=False)",
        {
            "postgresql": [("not-null-scan", Level.WARNING)],
            "mysql": [("rewrite", Level.WARNING)],
            "sqlite": [("rewrite", Level.WARNING)],
        },
    ),
    "another type": (
        "op.alter_column('shop', 'size', existing_type=sa.Integer(), type_=sa.BigInteger())",
        everywhere(("rewrite", Level.WARNING)),
    ),
    "a longer text": (
        "op.alter_column('shop', 'name', existing_type=sa.String(30), type_=sa.String(40))",
        {"postgresql": [], "mysql": [], "sqlite": [("rewrite", Level.WARNING)]},
    ),
    "a shorter text": (
        "op.alter_column('shop', 'name', existing_type=sa.String(40), type_=sa.String(30))",
        everywhere(("rewrite", Level.WARNING)),
    ),
    "a foreign key": (
        "op.create_foreign_key('f', 'shop', 'town', ['town_id'], ['id'])",
        {
            "postgresql": [("validates", Level.WARNING)],
            "mysql": [("rewrite", Level.WARNING)],
            "sqlite": [("rewrite", Level.WARNING)],
        },
    ),
    "a foreign key for new rows": (
        "op.create_foreign_key('f', 'shop', 'town', ['town_id'], ['id'], postgresql_not_valid=True)",
        {"postgresql": [], "mysql": [("rewrite", Level.WARNING)], "sqlite": [("rewrite", Level.WARNING)]},
    ),
    "a check": (
        "op.create_check_constraint('c', 'shop', 'size > 0')",
        {
            "postgresql": [("validates", Level.WARNING)],
            "mysql": [("rewrite", Level.WARNING)],
            "sqlite": [("rewrite", Level.WARNING)],
        },
    ),
    "a unique constraint": (
        "op.create_unique_constraint('u', 'shop', ['name'])",
        {"postgresql": [("index-locks", Level.WARNING)], "mysql": [], "sqlite": [("rewrite", Level.WARNING)]},
    ),
    "a column dropped": (
        "op.drop_column('shop', 'name')",
        {
            "postgresql": [("still-read", Level.WARNING)],
            "mysql": [("still-read", Level.WARNING)],
            "sqlite": [("still-read", Level.WARNING), ("rewrite", Level.WARNING)],
        },
    ),
    "a table dropped": ("op.drop_table('shop')", everywhere(("still-read", Level.WARNING))),
    "a table renamed": ("op.rename_table('shop', 'store')", everywhere(("renamed", Level.ERROR))),
    "a column renamed": (
        "op.alter_column('shop', 'name', new_column_name='title', existing_type=sa.String(30))",
        {
            "postgresql": [("renamed", Level.ERROR)],
            "mysql": [("renamed", Level.ERROR)],
            "sqlite": [("renamed", Level.ERROR), ("rewrite", Level.WARNING)],
        },
    ),
    "one UPDATE of all rows": (
        "op.execute(sa.table('shop', sa.column('size')).update().values(size=1))",
        everywhere(("rows-locked", Level.WARNING)),
    ),
    "SQL by hand": ("op.execute('VACUUM')", everywhere(("unseen", Level.NOTE))),
    "rows in batches": ("op.run_in_batches(print, 'shop', atomic=False); op.run_python(print)", everywhere()),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("what", OPERATIONS)
def test_each_operation_is_judged_by_what_the_database_does(lint, what, dialect):
    body, expected = OPERATIONS[what]
    assert lint(body, dialect=dialect) == expected[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_batches_of_alembic_are_looked_into(lint, dialect):
    body = "with op.batch_alter_table('shop') as batch: batch.create_index('i', ['name']); batch.drop_column('size')"
    expected = {
        "postgresql": ["index-locks", "still-read"],
        "mysql": ["still-read"],
        "sqlite": ["still-read", "rewrite"],
    }
    assert [name for name, _ in lint(body, dialect=dialect)] == expected[dialect]


def test_a_table_that_is_made_anew_on_purpose_is_told_on_any_database(lint):
    body = "with op.batch_alter_table('shop', recreate='always') as batch: batch.add_column(sa.Column('x', sa.Integer))"
    assert lint(body) == [("rewrite", Level.WARNING)]


def test_what_is_done_in_place_copies_no_table(lint):
    body = "with op.batch_alter_table('shop', recreate='never') as batch: batch.drop_column('size')"
    assert lint(body, dialect="sqlite") == [("still-read", Level.WARNING)]


# -- the plan as a whole ---------------------------------------------------------------------------------------


def test_what_the_plan_itself_makes_keeps_nobody_waiting(lint):
    assert (
        lint(
            "op.create_table('shop', sa.Column('id', sa.Integer, primary_key=True))",
            """
        op.add_column('shop', sa.Column('size', sa.Integer, nullable=False))
        op.create_index('i', 'shop', ['size'])
        op.create_check_constraint('c', 'shop', 'size > 0')
        op.drop_column('shop', 'size')
        """,
        )
        == []
    )


def test_a_default_that_the_plan_takes_away_again_is_told(lint):
    assert lint(
        "op.add_column('shop', sa.Column('size', sa.Integer, nullable=False, server_default='1'))",
        "op.alter_column('shop', 'size', server_default=None)",
    ) == [("not-null", Level.ERROR)]


def test_a_new_column_that_is_filled_and_made_not_null_in_one_plan_is_told(lint):
    found = lint(
        "op.add_column('shop', sa.Column('size', sa.Integer))",
        "op.alter_column('shop', 'size', existing_type=sa.Integer(), nullable=False)",
    )
    assert found == [("not-null", Level.ERROR), ("not-null-scan", Level.WARNING)]


def test_a_batch_that_copies_the_table_is_told_once(lint):
    body = (
        "with op.batch_alter_table('shop') as batch: batch.drop_constraint('c'); batch.drop_constraint('d')"
    )
    assert lint(body, dialect="sqlite") == [("rewrite", Level.WARNING)]


def test_validating_has_to_wait_for_the_next_revision(lint):
    added = "op.create_check_constraint('c', 'shop', 'size > 0', postgresql_not_valid=True)"
    validated = "op.validate_constraint('c', 'shop')"
    assert lint(f"{added}; {validated}") == [("validates", Level.WARNING)]


def test_not_null_after_a_validated_check_looks_at_no_row(lint):
    assert (
        lint(
            "op.create_check_constraint('c', 'shop', 'size IS NOT NULL', postgresql_not_valid=True)",
            "op.validate_constraint('c', 'shop')",
            "op.alter_column('shop', 'size', existing_type=sa.Integer(), nullable=False)",
        )
        == []
    )


def test_only_revisions_that_the_database_does_not_have_are_looked_at(scripts):
    history = scripts("op.drop_table('a')", "op.drop_table('b')", "op.drop_table('c')")
    assert [script.revision for script in pending(history, ["r1"])] == ["r2", "r3"]
    assert pending(history, ["r3"]) == []
    assert [script.revision for script in pending(history, ())] == ["r1", "r2", "r3"]


# -- what the models say ---------------------------------------------------------------------------------------


def test_what_models_of_the_running_code_read_is_an_error(lint):
    column, table = lint(
        "op.drop_column('tests_author', 'name')", "op.drop_table('tests_author')", whole=True
    )
    assert (column.level, table.level) == (Level.ERROR, Level.ERROR)
    assert "tests.Author of this code has the column 'name'" in column.what
    assert "tests.Author of this code reads the table 'tests_author'" in table.what
    assert Author._meta.get_field("name").column == "name"


@isolate_apps()
def test_a_column_that_no_model_has_is_read_by_the_release_before(lint):
    class Shop(models.Model):
        class Meta:
            app_label, db_table = "tests", "shop"

    (found,) = lint("op.drop_column('shop', 'name')", whole=True)
    assert found.level == Level.WARNING
    assert "release before" in found.what


# -- how it is told --------------------------------------------------------------------------------------------


def test_a_finding_tells_what_happens_where_and_the_safe_way(lint):
    (found,) = lint("op.create_index('shop_name', 'shop', ['name'])", whole=True)
    assert str(found) == (
        "WARNING r1_step: create_index('shop_name') on shop [index-locks]\n"
        "  On PostgreSQL: Nobody writes to the table until the index is built.\n"
        "  The safe way: In a revision of its own, `with op.get_context().autocommit_block():` with "
        "`postgresql_concurrently=True`; makemigrations --concurrently writes it so."
    )
    assert found.revision == "r1"


def test_a_script_may_say_that_somebody_has_looked(lint):
    body = "op.create_index('i', 'shop', ['name']); op.drop_table('shop')"
    assert lint(body, top="safe = ['index-locks']") == [("still-read", Level.WARNING)]


def test_nothing_is_executed_and_queries_find_no_rows(lint):
    body = """
        for row in op.get_bind().execute(sa.text('SELECT 1')): op.drop_table('never')
        assert op.get_bind().execute(sa.text('SELECT 1')).scalars().all() == []
        op.bulk_insert(sa.table('shop', sa.column('size')), [{'size': 1}])
        op.drop_table('shop')
        """
    assert lint(body) == [("still-read", Level.WARNING)]


def test_a_script_that_needs_the_database_is_read_as_far_as_it_goes(lint):
    body = "op.drop_table('shop'); sa.inspect(op.get_bind()).get_table_names(); op.drop_table('town')"
    first, second = lint(body, whole=True)
    assert (first.name, second.name, second.level) == ("still-read", "unseen", Level.WARNING)
    assert "could not be read to its end" in second.what


# -- a database that is there ----------------------------------------------------------------------------------


def test_small_tables_keep_nobody_waiting_for_long(database, scripts):
    rows = 120
    engine = sa.create_engine(_sync(database.urls["default"]))
    shop = sa.Table(
        "shop", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("size", sa.Integer)
    )
    with engine.begin() as connection:
        shop.create(connection)
        connection.execute(shop.insert(), [{"size": number} for number in range(rows)])
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("ANALYZE shop"))
    body = "op.alter_column('shop', 'size', existing_type=sa.Integer(), type_=sa.BigInteger())"
    revisions = pending(scripts(body), ())
    with engine.connect() as connection:
        (small,) = findings(revisions, connection.dialect, connection)
        (large,) = findings(revisions, connection.dialect, connection, large=100)
    engine.dispose()
    assert (small.level, large.level) == (Level.NOTE, Level.WARNING)
    assert re.search(r"about \d+ rows|100 rows or more", large.what), large.what


def _sync(url):
    made = sa.make_url(url)
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mysql+pymysql"}
    return made.set(drivername=drivers.get(made.get_backend_name(), made.drivername))


# -- by command ------------------------------------------------------------------------------------------------

SHOP = """
class Shop(models.Model):
    name = models.CharField(max_length=30)
"""
GROWN = """
class Shop(models.Model):
    name = models.CharField(max_length=30, db_index=True)
    size = models.IntegerField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(size__gt=0), name="has_size")]
"""


@pytest.fixture
def shop(project):
    """A project with one revision, which is applied."""
    project.write_models(SHOP)
    project.run("init")
    project.run("makemigrations")
    project.run("migrate")
    return project


def test_the_command_fails_from_the_level_on_that_it_is_told(shop, database):
    assert shop.run("lintmigrations") == "0 pending revisions: nothing found.\n"
    shop.write_models(GROWN)
    shop.run("makemigrations")
    found = shop.run("lintmigrations", "--large", "0")
    expected = {"postgresql": ["index-locks", "validates"], "mysql": ["rewrite"], "sqlite": ["rewrite"]}[
        database.vendor
    ]
    assert all(f"[{name}]" in found for name in expected)
    number = {"postgresql": 3, "mysql": 1, "sqlite": 1}[database.vendor]
    assert found.splitlines()[-1] == f"1 pending revision: {number} warning{'s' if number > 1 else ''}."
    assert shop.show("lintmigrations", "--large", "0", "--fail-on", "warning") == found
    shop.run("lintmigrations", "--large", "0", "--fail-on", "warning", fails=True)
    shop.run("lintmigrations", "--fail-on", "warning")  # an empty table is a small one
    shop.run("lintmigrations", "--fail-on", "never")
    shop.run("migrate")
    assert shop.run("lintmigrations", "0001", "--large", "0", "--fail-on", "never") == found
    assert "There is no revision '0009'" in shop.run("lintmigrations", "0009", fails=True)


def test_a_difference_is_shown_and_fails(shop, database):
    assert shop.run("diff") == "No differences.\n"
    database.observe("CREATE TABLE others (id INTEGER)")
    assert shop.run("diff") == "No differences.\n(not compared, as no model has them: others)\n"
    shop.write_models(GROWN)
    shown = shop.show("diff")
    assert shown.startswith("To bring it to the models:\n")
    assert "    + Add column size to library_shop\n" in shown
    assert "    + Create index library_shop_name_" in shown
    assert "    + Create constraint has_size on library_shop\n" in shown
    shop.run("diff", fails=True)
    shop.write_models(SHOP.replace("class Shop", "class Store"))
    assert "    - Delete table library_shop\n" in shop.show("diff")
    # Without an env.py the modules are named, and a table that no model has is nobody's business.
    assert "library_shop" in shop.show("diff", "library.models").splitlines()[-1]
    shop.run("diff", "library.models", fails=True)


def test_indexes_of_tables_that_are_there_are_written_apart_on_postgresql(shop, database):
    shop.write_models(GROWN)
    made = shop.run("makemigrations", "--concurrently")
    apart = database.vendor == "postgresql"
    assert made.count("Written: ") == (2 if apart else 1)
    if apart:
        *_, columns, indexes = (path.read_text() for path in shop.revisions)
        assert "postgresql_concurrently" not in columns
        assert "add_column" not in indexes
        assert "CONCURRENTLY" not in shop.run("lintmigrations")
    shop.run("migrate")
    assert shop.run("diff") == "No differences.\n"
    shop.run("migrate", "0001")
    shop.run("migrate")
    assert shop.run("diff") == "No differences.\n"
    assert "No changes detected" in shop.run("makemigrations", "--check")
