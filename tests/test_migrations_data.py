"""Data migrations: functions with the models of their revision, on Alembic's connection, in batches; PostgreSQL's own things."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import time
import uuid
from contextlib import closing, suppress
from decimal import Decimal as D
from textwrap import dedent

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import render_op_text
from alembic.autogenerate.api import AutogenContext
from alembic.operations import Operations
from alembic.operations.ops import MigrateOperation
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from facade import models
from facade.apps import isolate_apps
from facade.db.routing import router
from facade.meta import registry
from facade.migrations import operations

SYNC = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "sqlite": "sqlite"}
ASYNC = {"postgresql": "postgresql+asyncpg", "mysql": "mysql+asyncmy", "sqlite": "sqlite+aiosqlite"}


SECOND = dt.timedelta(seconds=1)


def driven(url, drivers):
    made = sa.make_url(url)
    name = "mysql" if made.get_backend_name() == "mariadb" else made.get_backend_name()
    return made.set(drivername=drivers[name])


class Migrating:
    """Runs an upgrade as an env.py does, on a sync driver or on an async one."""

    def __init__(self, url, is_async):
        self.url, self.is_async = url, is_async

    def __call__(self, upgrade):
        if self.is_async:
            asyncio.run(self._run(upgrade))
            return
        engine = sa.create_engine(driven(self.url, SYNC))
        try:
            with engine.connect() as connection:
                _upgrade(connection, upgrade)
        finally:
            engine.dispose()

    async def _run(self, upgrade):
        engine = create_async_engine(driven(self.url, ASYNC))
        try:
            async with engine.connect() as connection:
                await connection.run_sync(_upgrade, upgrade)
        finally:
            await engine.dispose()


def _upgrade(connection, upgrade):
    context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
    with context.begin_transaction(_per_migration=True), Operations.context(context):
        upgrade()


@pytest.fixture(params=["sync", "async"])
def migrating(request, database):
    return Migrating(database.urls["default"], request.param == "async")


@pytest.fixture
def execute(database):
    """Run SQL on the bare driver, and get its rows."""

    def run(*statements):
        return [database.observe(one) for one in statements][-1]

    return run


BOOKS = (
    "CREATE TABLE library_author (id INTEGER PRIMARY KEY, name VARCHAR(20))",
    "CREATE TABLE library_book (id INTEGER PRIMARY KEY, title VARCHAR(40), author_id INTEGER REFERENCES library_author (id))",
    "INSERT INTO library_author VALUES (1, 'Ada'), (2, 'Bob')",
    "INSERT INTO library_book VALUES (1, 'Alpha', 1), (2, 'Beta', 2), (3, 'Gamma', 1)",
)


# -- functions -------------------------------------------------------------------------------------------------


def test_a_plain_function_works_with_models_of_the_tables_as_they_are(migrating, execute):
    execute(*BOOKS)

    def shout(apps):
        book = apps.get_model("library", "Book")
        assert [field.name for field in book._meta.fields] == ["id", "title", "author"]
        for one in book.objects.filter(author__name="Ada"):
            one.title = one.title.upper()
            one.save()

    migrating(lambda: operations.run_python(shout))
    assert execute("SELECT title FROM library_book ORDER BY id") == [("ALPHA",), ("Beta",), ("GAMMA",)]


def test_an_async_function_does_so_on_any_driver(migrating, execute):
    execute(*BOOKS)

    async def shout(apps):
        book = apps.get_model("library.Book")
        await asyncio.sleep(0.001)
        async for one in book.objects.select_related("author").filter(author__name="Ada"):
            one.title = f"{one.author.name}: {one.title}"
            await one.asave()

    migrating(lambda: op.run_python(shout))
    assert execute("SELECT title FROM library_book ORDER BY id") == [
        ("Ada: Alpha",),
        ("Beta",),
        ("Ada: Gamma",),
    ]


def test_what_the_script_did_before_is_seen_and_what_comes_later_is_not(migrating, execute):
    execute(*BOOKS)
    seen = []

    def note(apps):
        seen.append([field.name for field in apps.get_model("library_book")._meta.fields])

    def upgrade():
        operations.run_python(note)
        op.add_column("library_book", sa.Column("pages", sa.Integer))
        operations.run_python(note)

    migrating(upgrade)
    assert seen == [["id", "title", "author"], ["id", "title", "author", "pages"]]


def test_an_error_takes_back_what_the_function_did(migrating, execute):
    execute(*BOOKS)

    def fail(apps):
        apps.get_model("library_book").objects.update(title="gone")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        migrating(lambda: operations.run_python(fail))
    assert execute("SELECT title FROM library_book ORDER BY id") == [("Alpha",), ("Beta",), ("Gamma",)]


def test_a_function_of_two_parameters_is_called_as_djangos_are(migrating, execute):
    execute(*BOOKS)

    def forwards(apps, schema_editor):
        books = apps.get_model("library", "Book").objects.using(schema_editor.connection.alias)
        books.filter(pk=1).update(title=schema_editor.connection.vendor)

    migrating(lambda: operations.run_python(forwards))
    (found,) = execute("SELECT title FROM library_book WHERE id = 1")
    assert found[0] in {"sqlite", "postgresql", "mysql"}


def test_a_table_that_is_not_there_is_named_with_those_that_are(migrating, execute):
    execute(*BOOKS)
    with pytest.raises(
        LookupError, match=r"no table 'library_shelf' at this revision. Tables: library_author, library_book"
    ):
        migrating(lambda: operations.run_python(lambda apps: apps.get_model("library", "Shelf")))


def test_models_of_a_revision_are_nobody_elses(migrating, execute):
    execute(*BOOKS)
    before = set(registry.apps.get_models())
    migrating(lambda: operations.run_python(lambda apps: apps.get_model("library", "Author")))
    assert set(registry.apps.get_models()) == before


@isolate_apps()
def test_columns_have_the_types_that_todays_models_know(migrating, database):
    class Parcel(models.Model):
        code = models.UUIDField()
        contents = models.JSONField()
        price = models.DecimalField(max_digits=6, decimal_places=2)
        since = models.DurationField()
        sent = models.BooleanField()
        later = models.CharField(max_length=3, default="new")

        class Meta:
            app_label = "tests"

    engine = sa.create_engine(driven(database.urls["default"], SYNC))
    with engine.begin() as connection:
        Parcel._meta.table.create(connection)
        connection.execute(sa.text("ALTER TABLE tests_parcel DROP COLUMN later"))
    engine.dispose()
    found = []

    def work(apps):
        parcel = apps.get_model("tests", "Parcel")
        code = uuid.UUID(int=7)
        parcel.objects.create(id=1, code=code, contents={"a": [1]}, price=D("1.50"), since=SECOND, sent=True)
        found.extend(parcel.objects.values_list("code", "contents", "price", "sent"))

    migrating(lambda: operations.run_python(work))
    assert found == [(uuid.UUID(int=7), {"a": [1]}, D("1.50"), True)]


def test_the_projects_routers_do_not_send_them_elsewhere(migrating, execute, monkeypatch):
    execute(*BOOKS)

    class Elsewhere:
        def db_for_read(self, model, **hints):
            return "other"

        db_for_write = db_for_read

    monkeypatch.setattr(router, "routers", [Elsewhere()])
    migrating(
        lambda: operations.run_python(lambda apps: apps.get_model("library_book").objects.update(title="x"))
    )
    assert execute("SELECT DISTINCT title FROM library_book") == [("x",)]
    assert isinstance(router.routers[0], Elsewhere)


# -- batches ---------------------------------------------------------------------------------------------------


@pytest.fixture
def numbers(execute):
    rows = ", ".join(f"({number}, 0)" for number in range(1, 26))
    execute(
        "CREATE TABLE numbers (id INTEGER PRIMARY KEY, done INTEGER)", f"INSERT INTO numbers VALUES {rows}"
    )
    return lambda: execute("SELECT COUNT(*) FROM numbers WHERE done = 1")[0][0]


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize(("size", "sizes"), [(10, [10, 10, 5]), (25, [25]), (100, [25])])
def test_each_batch_is_a_queryset_of_so_many_rows(migrating, numbers, size, sizes, atomic):
    seen = []

    def fill(rows):
        seen.append(rows.count())
        rows.update(done=1)

    migrating(lambda: operations.run_in_batches(fill, "numbers", size=size, atomic=atomic))
    assert (seen, numbers()) == (sizes, 25)


def test_an_async_function_gets_batches_too(migrating, numbers):
    async def fill(rows):
        await rows.filter(done=0).aupdate(done=1)

    migrating(lambda: op.run_in_batches(fill, "numbers", size=7, atomic=False))
    assert numbers() == 25


@pytest.mark.parametrize(
    "keys",
    [
        (
            "(a INTEGER, b VARCHAR(5), done INTEGER, PRIMARY KEY (a, b))",
            [f"({n // 4}, 'k{n % 4}', 0)" for n in range(10)],
        ),
        ("(a VARCHAR(9) PRIMARY KEY, done INTEGER)", [f"('key{n}', 0)" for n in range(10)]),
    ],
    ids=["of two columns", "of texts"],
)
def test_batches_go_by_keys_of_any_kind(migrating, execute, keys):
    columns, rows = keys
    execute(f"CREATE TABLE shelf {columns}", f"INSERT INTO shelf VALUES {', '.join(rows)}")
    seen = []

    def fill(batch):
        seen.append(batch.update(done=1))

    migrating(lambda: operations.run_in_batches(fill, "shelf", size=4, atomic=False))
    assert seen == [4, 4, 2]
    assert execute("SELECT COUNT(*) FROM shelf WHERE done = 1") == [(10,)]


def test_rows_may_lose_what_they_were_looked_for(migrating, execute, numbers):
    def fill(rows):
        rows.delete()

    migrating(lambda: operations.run_in_batches(fill, "numbers", size=4))
    assert execute("SELECT COUNT(*) FROM numbers") == [(0,)]


def test_a_walk_that_was_broken_off_goes_on_behind_its_last_batch(migrating, execute, numbers):
    seen = []

    def fill(rows):
        keys = list(rows.values_list("pk", flat=True))
        seen.append((keys[0], keys[-1]))
        rows.update(done=1)
        if len(seen) == 3:
            raise ConnectionError

    def upgrade():
        operations.run_in_batches(fill, "numbers", size=6, atomic=False)

    with pytest.raises(ConnectionError):
        migrating(upgrade)
    assert numbers() == 12  # the third was taken back
    migrating(upgrade)
    assert seen == [(1, 6), (7, 12), (13, 18), (13, 18), (19, 24), (25, 25)]
    assert numbers() == 25
    engine = sa.create_engine(driven(migrating.url, SYNC))
    assert "facade_batches" not in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_an_atomic_walk_is_taken_back_whole(migrating, numbers):
    def fill(rows):
        rows.update(done=1)
        if rows.filter(pk=20).exists():
            raise ConnectionError

    with pytest.raises(ConnectionError):
        migrating(lambda: operations.run_in_batches(fill, "numbers", size=6))
    assert numbers() == 0


def test_an_empty_batch_is_refused(migrating, numbers):
    with pytest.raises(ValueError, match="1 or more, not 0"):
        migrating(lambda: operations.run_in_batches(print, "numbers", size=0))


# -- by command ------------------------------------------------------------------------------------------------

FILL = """
    from facade.models import functions

    def fill(rows):
        rows.update(slug=functions.Lower("title"))
"""


@pytest.fixture
def revision(project):
    """Write the only revision of a project without models; returns its file."""
    project.write_models("")
    project.run("init")

    def write(upgrade, top):
        path = project.folder / "migrations" / "versions" / "0001_slugs.py"
        lines = [
            "from alembic import op",
            "revision, down_revision = '0001_slugs', None",
            dedent(top),
            f"def upgrade():\n    {upgrade}",
            "def downgrade():\n    pass",
        ]
        path.write_text("\n\n".join(lines))
        return path

    return write


def test_a_hundred_thousand_rows_by_command_where_the_first_one_is_killed(
    project, revision, database, execute
):
    engine = sa.create_engine(driven(database.urls["default"], SYNC))
    columns = [sa.Column("title", sa.String(20)), sa.Column("slug", sa.String(20))]
    book = sa.Table("book", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns)
    with engine.begin() as connection:
        book.create(connection)
        connection.execute(book.insert(), [{"title": f"Book {number}"} for number in range(100_000)])
    engine.dispose()

    def filled():
        return execute("SELECT COUNT(slug) FROM book")[0][0]

    slowly = f"{FILL}\n        import time; time.sleep(0.05)\n"
    path = revision("op.run_in_batches(fill, 'book', size=5000, atomic=False)", slowly)
    process = project.start("migrate")
    with closing(process.stdout):
        _until(lambda: filled() > 5000)
        process.kill()
        process.wait()
    done = filled()
    assert 5000 < done < 100_000
    only_later = f"assert not rows.filter(pk__lte={done - 5000}).exists()"
    path.write_text(path.read_text().replace("import time; time.sleep(0.05)", only_later))
    assert re.search(r"Applying 0001_slugs\.\.\. OK", project.run("migrate"))
    assert filled() == 100_000
    assert execute("SELECT slug FROM book WHERE id = 100000") == [("book 99999",)]
    assert execute("SELECT version_num FROM alembic_version") == [("0001_slugs",)]


@pytest.mark.vendors("sqlite")
def test_a_terminal_shows_how_far_a_walk_is(project, revision, execute):
    execute("CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, slug TEXT)")
    execute("INSERT INTO book (title) VALUES ('Alpha'), ('Beta'), ('Gamma')")
    revision("op.run_in_batches(fill, 'book', size=2)", FILL)
    terminal, process_end = os.openpty()
    process = project.start("migrate", stdout=process_end)
    os.close(process_end)
    shown = b"".join(_read(terminal)).decode()
    assert process.wait(timeout=60) == 0
    assert re.search(r"book: fill.*3/3", shown), shown
    assert re.search(r"Applying 0001_slugs\.\.\. OK", shown), shown


def _read(terminal):
    with os.fdopen(terminal, "rb", buffering=0) as end, suppress(OSError):  # the process has closed its end
        while part := end.read(1000):
            yield part


def _until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_function_has_no_sql(project, revision):
    revision("op.run_in_batches(fill, 'book')", FILL)
    assert "-- fill() changes rows: it has no SQL" in project.run("sqlmigrate", "0001_slugs")
    assert "\n    run_in_batches fill, book\n" in project.run("migrate", "--plan")


def test_statements_of_core_are_told_with_their_values(project, revision):
    top = """
        import sqlalchemy as sa

        book = sa.table("book", sa.column("title", sa.String), sa.column("pages", sa.Integer))
        many = book.update().where(book.c.pages > 7).values(title="It's long")
    """
    made = 'op.create_table("book", sa.Column("title", sa.Text), sa.Column("pages", sa.Integer))'
    added = 'op.bulk_insert(book, [{"title": "a"}, {"title": "b"}])'
    revision(f"{made}\n    {added}\n    op.execute(many)", top)
    printed = project.run("sqlmigrate", "0001_slugs")
    assert "UPDATE book SET title='It''s long' WHERE book.pages > 7;" in printed
    assert re.findall(r"INSERT INTO book \(title\) VALUES \(('.')\);", printed) == ["'a'", "'b'"]
    planned = project.run("migrate", "--plan")
    assert "\n    bulk_insert book\n    execute many\n" in planned


# -- PostgreSQL's own ------------------------------------------------------------------------------------------


def test_extensions_and_collations_come_and_go_on_postgresql_alone(migrating, database, execute):
    def there():
        if database.vendor != "postgresql":
            return []
        found = execute(
            "SELECT extname FROM pg_extension WHERE extname = 'citext' "
            "UNION SELECT collname FROM pg_collation WHERE collname = 'case \"less\"'"
        )
        return sorted(row[0] for row in found)

    def come():
        operations.create_extension("citext")
        op.create_collation('case "less"', "C")

    def go():
        operations.drop_collation('case "less"')
        operations.drop_extension("citext")
        op.drop_extension("citext")

    migrating(come)
    assert there() == (['case "less"', "citext"] if database.vendor == "postgresql" else [])
    migrating(go)
    assert there() == []


def test_constraints_are_validated_apart_on_postgresql(migrating, database, execute):
    execute("CREATE TABLE shelf (id INTEGER PRIMARY KEY, size INTEGER)", "INSERT INTO shelf VALUES (1, 1)")
    if database.vendor == "postgresql":
        migrating(
            lambda: op.create_check_constraint("positive", "shelf", "size > 0", postgresql_not_valid=True)
        )
        assert execute("SELECT convalidated FROM pg_constraint WHERE conname = 'positive'") == [(False,)]
    migrating(lambda: operations.validate_constraint("positive", "shelf"))
    if database.vendor == "postgresql":
        assert execute("SELECT convalidated FROM pg_constraint WHERE conname = 'positive'") == [(True,)]


REVERSED = {
    operations.CreateExtensionOp("citext", "public", cascade=True): (
        "op.create_extension('citext', schema='public', cascade=True)",
        "op.drop_extension('citext')",
    ),
    operations.CreateCollationOp("german", "de_AT.utf8"): (
        "op.create_collation('german', 'de_AT.utf8')",
        "op.drop_collation('german', 'de_AT.utf8')",
    ),
    operations.DropCollationOp("caseless", "und", "icu", deterministic=False): (
        "op.drop_collation('caseless', 'und', provider='icu', deterministic=False)",
        "op.create_collation('caseless', 'und', provider='icu', deterministic=False)",
    ),
}


@pytest.mark.parametrize(
    "operation", REVERSED, ids=lambda one: type(one).__name__ if isinstance(one, MigrateOperation) else None
)
def test_operations_write_themselves_into_scripts_and_know_their_reverse(operation):
    context = AutogenContext(MigrationContext.configure(dialect_name="postgresql"), autogenerate=False)
    assert (render_op_text(context, operation), render_op_text(context, operation.reverse())) == REVERSED[
        operation
    ]


def test_a_collation_that_is_dropped_for_good_says_so_on_the_way_back():
    with pytest.raises(ValueError, match=r"drop_collation\('german'\) does not say of which locale"):
        operations.DropCollationOp("german").reverse()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"provider": "mine"}, "one of libc, icu, builtin, not 'mine'"),
        ({"deterministic": False}, "one of the provider 'icu', not 'libc'"),
    ],
)
def test_a_collation_that_postgresql_does_not_have_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        operations.CreateCollationOp("german", "de", **options)
