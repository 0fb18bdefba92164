"""The tables of models as one database sees them, in SQLAlchemy's own words."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.types import TypeDecorator

import facade
from facade import models
from facade.apps import isolate_apps
from facade.exceptions import UnsupportedFeature
from facade.migrations.plain import PlainMetaData, is_of_model, model_of, plain_metadata
from facade.migrations.plain_types import plain_type
from facade.migrations.texts import IndexSQL, SQLText
from facade.models import F, Q
from facade.models.functions import Lower
from tests import migrated

DIALECTS = {
    "sqlite": sa.create_engine("sqlite://").dialect,
    "psycopg": sa.create_engine("postgresql+psycopg://").dialect,
    "asyncpg": sa.create_engine("postgresql+asyncpg://").dialect,
    "mysql": sa.create_engine("mysql+pymysql://").dialect,
    "mariadb": sa.create_engine("mariadb+pymysql://").dialect,
}


@pytest.fixture(params=DIALECTS, ids=str)
def dialect(request):
    return DIALECTS[request.param]


def vendor(dialect):
    return {"mariadb": "mysql"}.get(dialect.name, dialect.name)


def plain(apps, dialect):
    return plain_metadata(facade.metadata(apps).tables.values(), dialect)


@pytest.fixture(params=migrated.STATES, ids=lambda state: state.__name__)
def state(request):
    return request.param


def test_the_tables_are_made_as_those_of_the_models_are(state, dialect):
    apps = state(vendor(dialect))
    copies = plain(apps, dialect).tables
    for table in apps.metadata.tables.values():
        lines, indexes = ddl(copies[table.key], dialect)
        wanted, wanted_indexes = ddl(table, dialect)
        assert indexes == wanted_indexes
        assert not wanted - lines
        # Core's text leaves out what is for some databases only; the plain table has what is for this one.
        conditional = {str(item.name) for item in table.constraints if item._ddl_if is not None}
        assert {line.split()[1] for line in lines - wanted} <= conditional


def ddl(table, dialect):
    """Return the statements that make a table, the parts of CREATE TABLE in any order."""
    create = str(CreateTable(table).compile(dialect=dialect))
    indexes = {
        str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes if is_made(index, dialect)
    }
    return {line.strip().rstrip(",") for line in create.splitlines()}, indexes


def is_made(index, dialect):
    condition = index._ddl_if
    return condition is None or condition._should_execute(
        CreateIndex(index), index, None, CreateIndex(index).compile(dialect=dialect)
    )


def test_no_type_is_of_facade_or_of_a_driver(state, dialect):
    for table in plain(state(vendor(dialect)), dialect).tables.values():
        for column in table.columns:
            package, _, last = type(column.type).__module__.rpartition(".")
            assert not isinstance(column.type, TypeDecorator) or isinstance(column.type, sa.Interval)
            assert package.startswith("sqlalchemy"), column
            assert last not in ("psycopg", "asyncpg", "pymysql", "pysqlite", "_psycopg_common"), column


def test_names_are_those_that_the_database_gets(state, dialect):
    apps = state(vendor(dialect))
    for table in plain(apps, dialect).tables.values():
        assert table.metadata.naming_convention == sa.MetaData().naming_convention
        named = [*table.indexes, *table.constraints]
        for item in named:
            is_nameless_key = isinstance(item, sa.PrimaryKeyConstraint) and vendor(dialect) == "mysql"
            assert (item.name is None) == is_nameless_key, item


def test_a_plain_table_knows_its_model():
    apps = migrated.every_relation()
    for table in plain(apps, DIALECTS["sqlite"]).tables.values():
        assert is_of_model(table)
        assert model_of(table)._meta.db_table == table.name
    assert not is_of_model(sa.Table("others", sa.MetaData(), sa.Column("id", sa.Integer)))


def test_metadata_has_the_tables_of_all_models_that_make_one():
    with isolate_apps("press") as apps:

        class Plain(models.Model):
            many = models.ManyToManyField("self")

            class Meta:
                app_label = "press"

        class Elsewhere(models.Model):
            class Meta:
                app_label = "press"
                managed = False

        class Base(models.Model):
            class Meta:
                app_label = "press"
                abstract = True

        class Child(Base):
            class Meta:
                app_label = "press"

        class Other(Child):
            class Meta:
                app_label = "press"
                proxy = True

        class Standing(models.Model):
            class Meta:
                app_label = "press"
                table = sa.Table("standing", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))

    assert set(facade.metadata(apps).tables) == {"press_plain", "press_plain_many", "press_child"}


def test_a_model_for_another_database_is_left_out(dialect):
    with isolate_apps("press") as apps:

        class OnPostgres(models.Model):
            class Meta:
                app_label = "press"
                required_db_vendor = "postgresql"

        class WithIncludes(models.Model):
            class Meta:
                app_label = "press"
                required_db_features = ["supports_covering_indexes"]

    there = {"press_onpostgres", "press_withincludes"} if dialect.name == "postgresql" else set()
    assert set(plain(apps, dialect).tables) == there


def test_a_constraint_that_the_database_cannot_keep_is_refused():
    apps = migrated.every_constraint("postgresql")
    with pytest.raises(UnsupportedFeature, match="cannot keep the constraint"):
        plain(apps, DIALECTS["mariadb"])


def test_a_reference_to_a_table_of_others_stays():
    others = sa.MetaData()
    standing = sa.Table("others", others, sa.Column("id", sa.Integer, primary_key=True))
    with isolate_apps("press") as apps:

        class Other(models.Model):
            class Meta:
                app_label = "press"
                table = standing

        class Own(models.Model):
            other = models.ForeignKey(Other, models.CASCADE)

            class Meta:
                app_label = "press"

    made = plain(apps, DIALECTS["sqlite"])
    (reference,) = made.tables["press_own"].foreign_key_constraints
    assert reference.elements[0].column is standing.c.id
    assert isinstance(made, PlainMetaData)
    assert set(made.tables) == {"press_own"}


# -- types ---------------------------------------------------------------------------------------------


class Money(TypeDecorator):
    impl = sa.Numeric(10, 2)
    cache_ok = True


@pytest.mark.parametrize(
    ("given", "sqlite_type", "postgres_type", "mysql_type"),
    [
        (facade.models.UUIDField().column_type, "CHAR(length=32)", "Uuid()", "CHAR(length=32)"),
        (
            models.JSONField().column_type,
            "Text()",
            "JSONB(none_as_null=True, astext_type=Text())",
            "JSON(none_as_null=True)",
        ),
        (models.TextField().column_type, "Text()", "Text()", "LONGTEXT()"),
        (
            models.DateTimeField().column_type,
            "DateTime(timezone=True)",
            "DateTime(timezone=True)",
            "DATETIME(fsp=6)",
        ),
        (models.DurationField().column_type, "BigInteger()", "INTERVAL()", "BigInteger()"),
        (models.GenericIPAddressField().column_type, "CHAR(length=39)", "INET()", "CHAR(length=39)"),
        (models.FloatField().column_type, "Double()", "Double()", "Double()"),
        (models.BinaryField().column_type, "LargeBinary()", "LargeBinary()", "LONGBLOB()"),
        (models.CharField(max_length=9).column_type, *["String(length=9)"] * 3),
        (models.PositiveIntegerField().column_type, "Integer()", "Integer()", "INTEGER(unsigned=True)"),
        (Money(), *["Numeric(precision=10, scale=2)"] * 3),
        (sa.Uuid(), *["Uuid()"] * 3),
        (sa.ARRAY(Money()), *["ARRAY(Numeric(precision=10, scale=2))"] * 3),
        (
            sa.String(5).with_variant(sa.String(7), "postgresql"),
            "String(length=5)",
            "String(length=7)",
            "String(length=5)",
        ),
        (
            sa.Enum("a", "b", name="letters"),
            "Enum('a', 'b', name='letters')",
            "ENUM('a', 'b', name='letters', create_type=False)",
            "Enum('a', 'b', name='letters')",
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_type_is_the_most_general_that_is_written_alike(given, sqlite_type, postgres_type, mysql_type):
    wanted = {
        "sqlite": sqlite_type,
        "psycopg": postgres_type,
        "asyncpg": postgres_type,
        "mysql": mysql_type,
        "mariadb": mysql_type,
    }
    assert {name: repr(plain_type(given, one)) for name, one in DIALECTS.items()} == wanted


class Point(sa.types.UserDefinedType):
    """A type of another library, which no type of SQLAlchemy's can stand for."""

    cache_ok = True

    def get_col_spec(self, **options):
        return "POINT"


def test_a_type_of_another_library_stays_what_it_is(dialect):
    assert isinstance(plain_type(Point(), dialect), Point)


# -- texts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["a = ':x'", "a::text LIKE '100%'", r"a = '\'", r"a = '\:x'", "'12:30' < :", "a %% 2"]
)
def test_a_text_comes_out_of_a_script_as_it_was(text, dialect):
    """Alembic compiles it, writes what comes out into ``sa.text()``, and that is compiled again when the script runs."""
    written = str(SQLText(text).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    again = sa.CheckConstraint(sa.text(written))
    sa.Table("t", sa.MetaData(), sa.Column("a", sa.Text), again)
    run = str(CreateTable(again.table).compile(dialect=dialect))
    assert f"CHECK ({text})" in (
        run.replace("%%", "%") if dialect.identifier_preparer._double_percents else run
    )


def test_what_an_index_is_on_comes_out_of_a_script_as_it_was(dialect):
    text = "(lower(a) || ':x 5%') DESC"
    written = str(IndexSQL(text).compile(dialect=dialect))
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Text))
    run = str(CreateIndex(sa.Index("i", sa.literal_column(written), _table=table)).compile(dialect=dialect))
    assert text in (run.replace("%%", "%") if dialect.identifier_preparer._double_percents else run)


def test_conditions_are_in_the_words_of_the_one_database():
    with isolate_apps("press") as apps:

        class Flagged(models.Model):
            name = models.CharField(max_length=20)
            flag = models.BooleanField()

            class Meta:
                app_label = "press"
                indexes = [
                    models.Index(Lower("name"), F("id").desc(), condition=Q(flag=True), name="lowered")
                ]

    found = {}
    for name in ("sqlite", "psycopg"):
        (index,) = plain(apps, DIALECTS[name]).tables["press_flagged"].indexes
        found[name] = {key: value.sql for key, value in index.dialect_kwargs.items()}
    assert found == {"sqlite": {"sqlite_where": "flag = 1"}, "psycopg": {"postgresql_where": "flag = true"}}
    assert not plain(apps, DIALECTS["mariadb"]).tables["press_flagged"].indexes
