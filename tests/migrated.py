"""Models of two points of time, and an Alembic environment, for the tests of migrations."""

from __future__ import annotations

import ast
import textwrap
import tomllib
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

import facade
from facade import models
from facade.apps import isolate_apps
from facade.migrations.plugin import install
from facade.models import F, Q
from facade.models.functions import Lower, Now, Upper

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}

ENVIRONMENT = """
from alembic import context

target_metadata = context.config.attributes["metadata"]

with context.config.attributes["engine"].connect() as connection:
    context.configure(connection=connection, target_metadata=target_metadata)
    with context.begin_transaction():
        context.run_migrations()
"""

TEMPLATE = '''"""${message}"""

from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''


class Project:
    """An Alembic environment that knows nothing of facade, on one database."""

    def __init__(self, folder, url, environment=ENVIRONMENT):
        install()
        backend, _, rest = str(url).partition(":")
        self.engine = sa.create_engine(f"{DRIVERS[backend]}:{rest}")
        self.folder = folder
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(environment)
        (folder / "script.py.mako").write_text(TEMPLATE)
        self.config = Config()
        self.config.set_main_option("script_location", str(folder))
        self.config.attributes["engine"] = self.engine

    def write(self, *metadata, allowed=()):
        """Write the script that leads to these tables, and return its source; None where none is written."""
        self.config.attributes["metadata"] = list(metadata)
        script = command.revision(self.config, message="Change", autogenerate=True)
        if not script:
            return None
        source = Path(script.path).read_text()
        assert set(imports(source)) <= {"sqlalchemy", "alembic", "sqlalchemy.dialects", *allowed}, source
        return source

    def upgrade(self, to="head"):
        command.upgrade(self.config, to)

    def downgrade(self, to="-1"):
        command.downgrade(self.config, to)

    def differences(self, *metadata, **options):
        """Return what is other in the database than in these tables, as Alembic tells it."""
        with self.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            return compare_metadata(context, list(metadata))

    def rows(self, sql):
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def run(self, *statements):
        with self.engine.begin() as connection:
            for sql in statements:
                connection.execute(sa.text(sql))


@contextmanager
def project(folder, url, **options):
    made = Project(folder, url, **options)
    try:
        yield made
    finally:
        made.engine.dispose()


def imports(source):
    """Return the modules that a script imports from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def body(source, function="upgrade"):
    """Return what a function of a script does, without comments."""
    found = next(node for node in ast.parse(source).body if getattr(node, "name", "") == function)
    return textwrap.dedent("\n".join(ast.unparse(statement) for statement in found.body))


def installed(folder):
    """Return the folder that makes the plugin known as an installed package does; a checkout has no entry points."""
    scripts = tomllib.loads((Path(facade.__file__).parents[1] / "pyproject.toml").read_text())["project"]
    ((name, module),) = scripts["entry-points"]["alembic.plugins"].items()
    information = folder / "sqlalchemy_facade-0.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: sqlalchemy-facade\nVersion: 0\n")
    (information / "entry_points.txt").write_text(f"[alembic.plugins]\n{name} = {module}\n")
    return [str(folder)]


class Point(sa.types.UserDefinedType):
    """A type of another library."""

    cache_ok = True

    def get_col_spec(self, **options):
        return "VARCHAR(30)"


def tables(apps):
    return facade.metadata(apps)


# -- models ------------------------------------------------------------------------------------------


def every_field(vendor="sqlite"):
    """A registry whose models have each kind of field, with and without what a database is told of it."""
    with isolate_apps("press") as apps:

        class Kinds(models.Model):
            key = models.BigAutoField(primary_key=True)
            big = models.BigIntegerField(null=True)
            binary = models.BinaryField(default=b"")
            flag = models.BooleanField(default=False)
            char = models.CharField(max_length=50, db_index=True)
            unlimited = models.CharField(max_length=80 if vendor == "mysql" else None, null=True)
            listed = models.CommaSeparatedIntegerField(max_length=50)
            day = models.DateField(null=True)
            moment = models.DateTimeField(auto_now=True)
            decimal = models.DecimalField(max_digits=12, decimal_places=3, unique=True)
            duration = models.DurationField(null=True)
            email = models.EmailField(unique=True)
            file = models.FileField(upload_to="files")
            path = models.FilePathField(path="/tmp")
            real = models.FloatField(default=0.5)
            image = models.ImageField(null=True)
            integer = models.IntegerField(choices=[(1, "one")])
            address = models.GenericIPAddressField(null=True)
            document = models.JSONField(default=dict)
            positive_big = models.PositiveBigIntegerField(null=True)
            positive = models.PositiveIntegerField(null=True)
            positive_small = models.PositiveSmallIntegerField(null=True)
            slug = models.SlugField()
            small = models.SmallIntegerField(db_column="a small One")
            text = models.TextField(blank=True)
            time = models.TimeField(null=True)
            url = models.URLField()
            uuid = models.UUIDField(null=True)
            typed = models.TypedField(sa.String(30), null=True)
            interval = models.TypedField(sa.Interval(), null=True)
            enumerated = models.TypedField(sa.Enum("red", "green", name="colours"), null=True)

            class Meta:
                app_label = "press"

        class SmallKey(models.Model):
            id = models.SmallAutoField(primary_key=True)

            class Meta:
                app_label = "press"

        class Key(models.Model):
            id = models.AutoField(primary_key=True)

            class Meta:
                app_label = "press"

        class UniqueKey(models.Model):
            id = models.UUIDField(primary_key=True)

            class Meta:
                app_label = "press"

        class Pair(models.Model):
            pk = models.CompositePrimaryKey("left", "right")
            left = models.IntegerField()
            right = models.CharField(max_length=10)

            class Meta:
                app_label = "press"

    return apps


def every_default(vendor="sqlite"):
    """Columns with defaults and generated columns of all kinds, collations and comments."""
    with isolate_apps("press") as apps:

        class Defaults(models.Model):
            text = models.CharField(max_length=80, db_default='it\'s 100% \\ :name "so"')
            empty = models.CharField(max_length=20, db_default="")
            number = models.IntegerField(db_default=18)
            negative = models.IntegerField(db_default=-1)
            price = models.DecimalField(max_digits=6, decimal_places=2, db_default="1.50")
            real = models.FloatField(db_default=2.5)
            flag = models.BooleanField(db_default=True)
            off = models.BooleanField(db_default=False)
            day = models.DateField(db_default="2020-02-29")
            key = models.UUIDField(db_default="12345678-1234-5678-1234-567812345678")
            moment = models.DateTimeField(**({} if vendor == "mysql" else {"db_default": Now()}))
            computed = models.IntegerField(db_default=F_plain(2) + 3)
            document = models.JSONField(**({} if vendor == "mysql" else {"db_default": {"a": [1, ":b"]}}))
            binary = models.BinaryField(**({} if vendor == "mysql" else {"db_default": b"\x00\xff"}))
            collated = models.CharField(max_length=20, db_collation=COLLATIONS[vendor])
            commented = models.IntegerField(db_comment="What it's for: 100%", null=True)

            class Meta:
                app_label = "press"
                db_table_comment = 'All "defaults" it\'s known for'

        class Generated(models.Model):
            width = models.IntegerField()
            height = models.IntegerField(null=True)
            name = models.CharField(max_length=40)
            area = models.GeneratedField(
                expression=F("width") * F("height"), output_field=models.BigIntegerField(), db_persist=True
            )
            upper = models.GeneratedField(
                expression=Upper("name"), output_field=models.CharField(max_length=40), db_persist=True
            )

            class Meta:
                app_label = "press"

        if vendor != "postgresql":

            class Virtual(models.Model):
                width = models.IntegerField()
                twice = models.GeneratedField(
                    expression=F("width") * 2,
                    output_field=models.IntegerField(),
                    db_persist=False,
                    unique=True,
                )

                class Meta:
                    app_label = "press"

    return apps


def F_plain(number):
    return models.Value(number, output_field=models.IntegerField())


COLLATIONS = {"sqlite": "nocase", "postgresql": "C", "mysql": "utf8mb4_bin"}


def every_constraint(vendor="sqlite"):
    """Constraints and indexes of all kinds that a database has."""
    with isolate_apps("press") as apps:
        constraints = [
            models.CheckConstraint(condition=Q(price__gt=0), name="price_above_zero"),
            models.CheckConstraint(
                condition=Q(kind__in=["a", "it's", ":c", "100%"]) | Q(price__lt=10) & ~Q(name=""),
                name="kinds",
            ),
            models.CheckConstraint(condition=Q(name__startswith="A_"), name="starts"),
            models.CheckConstraint(condition=Q(started__lte=F("ended")) | Q(ended=None), name="order"),
            models.CheckConstraint(condition=Q(price__range=(1, 5.5)) | Q(flag=True), name="ranged"),
            models.UniqueConstraint(fields=["name", "kind"], name="unique_name"),
        ]
        indexes = [
            models.Index(fields=["price"], name="on_price"),
            models.Index(fields=["-started", "name"], name="descending"),
            models.Index(fields=["kind", "flag"]),
        ]
        if vendor != "mysql":
            constraints += [
                models.UniqueConstraint(Lower("name"), name="unique_lower"),
                models.UniqueConstraint(Lower("name").desc(), "kind", name="unique_both"),
                models.UniqueConstraint(fields=["kind"], condition=Q(flag=True), name="one_flag_per_kind"),
            ]
            indexes += [
                models.Index(Upper("kind"), name="on_upper"),
                models.Index(fields=["name"], condition=Q(price__gte=100, kind="50%"), name="expensive"),
                models.Index(Lower("kind"), F("price").desc(), condition=Q(flag=False), name="mixed"),
            ]
        if vendor == "postgresql":
            constraints += [
                models.UniqueConstraint(
                    fields=["started"], deferrable=models.Deferrable.DEFERRED, name="late_start"
                ),
                models.UniqueConstraint(
                    fields=["ended"], deferrable=models.Deferrable.IMMEDIATE, name="soon_end"
                ),
                models.UniqueConstraint(fields=["code"], include=["kind"], name="covering"),
                models.UniqueConstraint(fields=["price", "code"], nulls_distinct=False, name="nulls_alike"),
                models.UniqueConstraint(fields=["code"], opclasses=["varchar_pattern_ops"], name="by_class"),
            ]
            indexes += [
                models.Index(fields=["ended"], include=["name"], name="included"),
                models.Index(fields=["name"], opclasses=["varchar_pattern_ops"], name="patterns"),
                models.Index(
                    F("price").asc(nulls_first=True), F("ended").desc(nulls_last=True), name="nulls"
                ),
            ]
        given_constraints, given_indexes = constraints, indexes

        class Constrained(models.Model):
            name = models.CharField(max_length=50)
            kind = models.CharField(max_length=20)
            price = models.DecimalField(max_digits=8, decimal_places=2)
            flag = models.BooleanField(default=False)
            started = models.DateTimeField(null=True)
            ended = models.DateTimeField(null=True)
            code = models.CharField(max_length=10, null=True)

            class Meta:
                app_label = "press"
                unique_together = [("kind", "price")]
                constraints = given_constraints
                indexes = given_indexes

    return apps


def every_relation(vendor="sqlite"):
    """Relations and inheritance of all kinds."""
    with isolate_apps("press") as apps:

        class Dated(models.Model):
            made = models.DateTimeField(null=True)

            class Meta:
                app_label = "press"
                abstract = True

        class Place(Dated):
            name = models.CharField(max_length=50, unique=True)
            favourite = models.ForeignKey("Guest", models.SET_NULL, null=True, related_name="+")

            class Meta:
                app_label = "press"

        class Guest(Dated):
            home = models.ForeignKey(Place, models.CASCADE, related_name="+")
            friends = models.ManyToManyField("self")
            visited = models.ManyToManyField(Place, through="Visit", related_name="visitors")
            likes = models.ManyToManyField(Place, db_table="likes", related_name="+")

            class Meta:
                app_label = "press"

        class Visit(models.Model):
            guest = models.ForeignKey(Guest, models.DB_CASCADE)
            place = models.ForeignKey(Place, models.DB_SET_NULL, null=True)
            where = models.ForeignKey(Place, models.DO_NOTHING, to_field="name", related_name="+")
            loose = models.ForeignKey(
                Place, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
            )
            previous = models.ForeignKey("self", models.SET_NULL, null=True)

            class Meta:
                app_label = "press"
                order_with_respect_to = "guest"

        class Restaurant(Place):
            stars = models.PositiveIntegerField(default=0)
            owner = models.OneToOneField(Guest, models.PROTECT)

            class Meta:
                app_label = "press"

        class Bar(Restaurant):
            class Meta:
                app_label = "press"

        class Cosy(Place):
            class Meta:
                app_label = "press"
                proxy = True

    return apps


STATES = (every_field, every_default, every_constraint, every_relation)


# -- and what they were before --------------------------------------------------------------------------


def earlier_fields(vendor="sqlite"):
    """Kinds with other types, lengths, nullability, indexes and keys; a model that is gone, and one that is new."""
    with isolate_apps("press") as apps:

        class Kinds(models.Model):
            key = models.AutoField(primary_key=True)
            big = models.IntegerField()
            binary = models.BinaryField(null=True)
            path = models.CharField(max_length=10)
            flag = models.IntegerField(null=True)
            char = models.CharField(max_length=20, null=True)
            unlimited = models.CharField(max_length=40, null=True)
            listed = models.CharField(max_length=40, db_index=True)
            day = models.DateTimeField(null=True)
            moment = models.DateField(null=True, default=None)
            decimal = models.IntegerField()
            email = models.CharField(max_length=100)
            file = models.CharField(max_length=100, unique=True)
            real = models.DecimalField(max_digits=10, decimal_places=2)
            integer = models.CharField(max_length=20)
            document = models.TextField(null=True)
            positive_big = models.BigIntegerField(null=True)
            positive = models.IntegerField(null=True)
            positive_small = models.PositiveIntegerField(null=True)
            slug = models.CharField(max_length=50, unique=True)
            small = models.IntegerField(db_column="a small One")
            text = models.CharField(max_length=10)
            time = models.CharField(max_length=20, null=True)
            url = models.TextField(null=True)
            uuid = models.CharField(max_length=36, null=True)
            enumerated = models.TypedField(sa.Enum("red", "blue", name="colours"), null=True)
            obsolete = models.CharField(max_length=10, db_index=True, null=True)

            class Meta:
                app_label = "press"

        class SmallKey(models.Model):
            id = models.IntegerField(primary_key=True)

            class Meta:
                app_label = "press"

        class Obsolete(models.Model):
            code = models.CharField(max_length=10, unique=True)
            kind = models.ForeignKey(Kinds, models.CASCADE)
            enumerated = models.TypedField(sa.Enum("up", "down", name="directions"), null=True)

            class Meta:
                app_label = "press"

    return apps


def earlier_defaults(vendor="sqlite"):
    with isolate_apps("press") as apps:

        class Defaults(models.Model):
            text = models.CharField(max_length=40, db_default="before")
            empty = models.CharField(max_length=20)
            number = models.IntegerField(db_default=17)
            negative = models.IntegerField()
            price = models.IntegerField(db_default=1)
            real = models.FloatField(db_default=1.5)
            flag = models.BooleanField(db_default=False)
            off = models.BooleanField()
            day = models.DateField(db_default="2021-02-28")
            moment = models.DateTimeField()
            computed = models.IntegerField(db_default=5, null=True)
            document = models.JSONField()
            binary = models.BinaryField()
            collated = models.CharField(max_length=20)
            commented = models.IntegerField(db_comment="Before", null=True)

            class Meta:
                app_label = "press"
                db_table_comment = "Before"

        class Generated(models.Model):
            width = models.SmallIntegerField()
            height = models.IntegerField()
            name = models.CharField(max_length=30, db_collation=COLLATIONS[vendor])
            area = models.GeneratedField(
                expression=F("width") + F("height"),
                output_field=models.IntegerField(),
                db_persist=True,
                unique=True,
            )
            gone = models.GeneratedField(
                expression=Lower("name"), output_field=models.CharField(max_length=30), db_persist=True
            )

            class Meta:
                app_label = "press"
                indexes = [models.Index(fields=["area", "height"], name="by_area")]

        if vendor != "postgresql":

            class Virtual(models.Model):
                width = models.IntegerField()
                twice = models.GeneratedField(
                    expression=F("width") * 3, output_field=models.IntegerField(), db_persist=False
                )

                class Meta:
                    app_label = "press"

    return apps


def earlier_constraints(vendor="sqlite"):
    with isolate_apps("press") as apps:
        given_constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="price_above_zero"),
            models.CheckConstraint(condition=Q(kind__in=["a", ":d"]), name="gone"),
            models.CheckConstraint(condition=Q(name__startswith="A_"), name="starts"),
            models.UniqueConstraint(fields=["name"], name="unique_name"),
            models.UniqueConstraint(fields=["kind", "flag"], name="ranged"),
        ]
        given_indexes = [
            models.Index(fields=["price", "kind"], name="on_price"),
            models.Index(fields=["started", "-name"], name="descending"),
            models.Index(fields=["-kind"], name="no_more"),
        ]
        if vendor != "mysql":
            given_constraints += [
                models.UniqueConstraint(Upper("name"), name="unique_lower"),
                models.UniqueConstraint(fields=["kind"], condition=Q(flag=False), name="one_flag_per_kind"),
            ]
            given_indexes += [
                models.Index(Upper("kind"), name="on_upper"),
                models.Index(Upper("name"), name="upper_no_more"),
                models.Index(fields=["name"], condition=Q(price__gte=100), name="expensive"),
            ]
        if vendor == "postgresql":
            given_constraints += [
                models.UniqueConstraint(fields=["started"], name="late_start"),
                models.UniqueConstraint(fields=["code"], include=["name"], name="covering"),
                models.UniqueConstraint(fields=["price", "code"], name="nulls_alike"),
                models.UniqueConstraint(
                    fields=["ended"], deferrable=models.Deferrable.DEFERRED, name="gone_late"
                ),
            ]
            given_indexes += [
                models.Index(fields=["ended"], include=["kind"], name="included"),
                models.Index(fields=["name"], name="patterns"),
                models.Index(
                    F("price").desc(nulls_last=True), F("ended").asc(nulls_first=True), name="nulls"
                ),
            ]

        class Constrained(models.Model):
            name = models.CharField(max_length=50)
            kind = models.CharField(max_length=20)
            price = models.DecimalField(max_digits=8, decimal_places=2)
            flag = models.BooleanField(default=False)
            started = models.DateTimeField(null=True)
            ended = models.DateTimeField(null=True)
            code = models.CharField(max_length=10, null=True)

            class Meta:
                app_label = "press"
                unique_together = [("kind", "name")]
                constraints = given_constraints
                indexes = given_indexes

    return apps


def earlier_relations(vendor="sqlite"):
    with isolate_apps("press") as apps:

        class Place(models.Model):
            name = models.CharField(max_length=50, unique=True)

            class Meta:
                app_label = "press"

        class Guest(models.Model):
            home = models.ForeignKey(Place, models.CASCADE, related_name="+", null=True)
            host = models.ForeignKey("self", models.CASCADE, null=True)
            stays = models.ManyToManyField(Place, related_name="+")

            class Meta:
                app_label = "press"

        class Visit(models.Model):
            guest = models.ForeignKey(Guest, models.CASCADE)
            place = models.ForeignKey(Place, models.DB_CASCADE)
            where = models.ForeignKey(Guest, models.DO_NOTHING, related_name="+", db_constraint=False)
            loose = models.ForeignKey(Place, models.DO_NOTHING, related_name="+")
            previous = models.IntegerField(db_column="previous_id", null=True)

            class Meta:
                app_label = "press"

        class Yard(models.Model):
            place = models.OneToOneField(Place, models.CASCADE)
            shed = models.ForeignKey("Shed", models.CASCADE)

            class Meta:
                app_label = "press"

        class Shed(models.Model):
            yard = models.ForeignKey(Yard, models.CASCADE)

            class Meta:
                app_label = "press"

    return apps


EARLIER = {
    every_field: earlier_fields,
    every_default: earlier_defaults,
    every_constraint: earlier_constraints,
    every_relation: earlier_relations,
}
