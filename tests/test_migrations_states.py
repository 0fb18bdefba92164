"""Any two states of models: the script from one to the other makes the tables of the other, and keeps what both have.

FACADE_MIGRATION_STATES=500 looks at that many pairs on each database, other ones each time.
"""

from __future__ import annotations

import datetime as dt
import decimal
import os
import textwrap
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare, render
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import make_url

import facade
from facade import models
from facade.apps import Apps, isolate_apps
from facade.migrations.plugin import install
from facade.models import F, Q
from facade.models.functions import Lower, Upper
from tests.migrated import COLLATIONS, DRIVERS

BUDGET = int(os.environ.get("FACADE_MIGRATION_STATES", "0"))

# To make an example smaller takes minutes: on demand.
PHASES = tuple(Phase) if "FACADE_MIGRATION_STATES_SHRINK" in os.environ else (Phase.explicit, Phase.generate)

varied = settings(
    max_examples=BUDGET or 6,
    derandomize=not BUDGET,
    database=None,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# -- states --------------------------------------------------------------------------------------------

MODELS = ("Author", "Book", "Shop")
#: Kinds of a column whose values can become each other's; a column stays within its group.
KINDS = {
    "number": ("small", "integer", "big", "positive", "decimal", "char", "text", "collated"),
    "word": ("char", "long", "text", "collated", "slug"),
    "truth": ("boolean", "nullable"),
    "moment": ("moment",),
    "day": ("day",),
    "document": ("document",),
    "real": ("real",),
    "uuid": ("uuid",),
    "enumerated": ("enumerated", "more"),
    "bytes": ("bytes",),
    "duration": ("duration",),
}


@st.composite
def columns(draw):
    """A field: its group, kind, and what the database is told of it."""
    group = draw(st.sampled_from(sorted(KINDS)))
    return {
        "group": group,
        "kind": draw(st.sampled_from(KINDS[group])),
        "null": draw(st.booleans()),
        "default": draw(st.booleans()),
        "index": draw(st.sampled_from(("", "", "db_index", "unique"))),
        "comment": draw(st.sampled_from(("", "it's 100%"))),
    }


@st.composite
def others_of(draw, column):
    """The same field later."""
    changed = draw(columns())
    return {**changed, "group": column["group"], "kind": draw(st.sampled_from(KINDS[column["group"]]))}


FIELDS = [f"f{number}" for number in range(5)]
ITEMS = (
    "check",
    "index",
    "descending",
    "unique",
    "partial",
    "lower",
    "upper",
    "generated",
    "sum",
    "deferred",
)
RELATIONS = st.sampled_from(("", "", "fk", "one", "cascade", "loose"))


@st.composite
def a_model(draw, before=None):
    """A model, or what became of one."""
    fields = {}
    for name in FIELDS:
        known = before["fields"].get(name) if before else None
        if draw(st.integers(0, 3)) == 0:
            continue
        if known is None:
            fields[name] = draw(columns())
        else:
            fields[name] = draw(st.one_of(st.just(known), others_of(known)))
    return {
        "fields": fields,
        "items": sorted(draw(st.sets(st.sampled_from(ITEMS), max_size=4))),
        "to": {target: draw(RELATIONS) for target in MODELS},
        "many": draw(st.sampled_from((*MODELS, ""))),
        "parent": draw(st.booleans()) if before is None else before["parent"],
        "comment": draw(st.sampled_from(("", 'All "of" them'))),
    }


@st.composite
def states(draw):
    """Two states: models, by name."""
    first = {name: draw(a_model()) for name in MODELS if draw(st.integers(0, 4))}
    second = {}
    for name in MODELS:
        if draw(st.integers(0, 4)):
            second[name] = draw(a_model(before=first.get(name)))
    return first, second


# -- models of a state ---------------------------------------------------------------------------------

DEFAULTS = {"number": 7, "word": "it's :x 5%", "truth": True, "day": dt.date(2020, 2, 29), "real": 2.5}


def field_of(spec, vendor, new):
    """A field of a spec; one that rows of old do not have (`new`) is told what they get."""
    group, kind = spec["group"], spec["kind"]
    options = {"null": spec["null"], "db_comment": spec["comment"] or None}
    if spec["default"] and group in DEFAULTS and not (vendor == "mysql" and kind == "text"):
        value = DEFAULTS[group]
        options["db_default"] = str(value) if kind in ("char", "text", "collated") else value
    if new and "db_default" not in options:
        options["null"] = True
    is_indexed = (
        spec["index"]
        and not (vendor == "mysql" and kind in ("text", "bytes", "document"))
        and kind != "document"
    )
    if is_indexed and not (
        spec["index"] == "unique" and ("db_default" in options or group in ("truth", "enumerated"))
    ):
        options[spec["index"]] = True
    return MAKERS[kind](vendor, options)


MAKERS = {
    "small": lambda vendor, options: models.SmallIntegerField(**options),
    "integer": lambda vendor, options: models.IntegerField(**options),
    "big": lambda vendor, options: models.BigIntegerField(**options),
    "positive": lambda vendor, options: models.PositiveIntegerField(**options),
    "decimal": lambda vendor, options: models.DecimalField(max_digits=12, decimal_places=2, **options),
    "char": lambda vendor, options: models.CharField(max_length=40, **options),
    "long": lambda vendor, options: models.CharField(max_length=90, **options),
    "text": lambda vendor, options: models.TextField(**options),
    "collated": lambda vendor, options: models.CharField(
        max_length=40, db_collation=COLLATIONS[vendor], **options
    ),
    "slug": lambda vendor, options: models.SlugField(max_length=50, **{"db_index": False, **options}),
    "boolean": lambda vendor, options: models.BooleanField(**options),
    "nullable": lambda vendor, options: models.BooleanField(**{**options, "null": True}),
    "moment": lambda vendor, options: models.DateTimeField(**options),
    "day": lambda vendor, options: models.DateField(**options),
    "document": lambda vendor, options: models.JSONField(**options),
    "real": lambda vendor, options: models.FloatField(**options),
    "uuid": lambda vendor, options: models.UUIDField(**options),
    "bytes": lambda vendor, options: models.BinaryField(**options),
    "duration": lambda vendor, options: models.DurationField(**options),
    "enumerated": lambda vendor, options: models.TypedField(
        sa.Enum("red", "it's", name="colours"), **options
    ),
    "more": lambda vendor, options: models.TypedField(
        sa.Enum("blue", "red", "it's", ":green", name="colours"), **options
    ),
}


def metadata_of(state, vendor, before=None):
    """The tables of a state's models; `before` is the state whose rows there are."""
    enumerated = {spec["kind"] for model in state.values() for spec in model["fields"].values()} & {
        "enumerated",
        "more",
    }
    with isolate_apps("states") as apps:
        for name, spec in state.items():
            old = (before or {}).get(name)
            if "more" in enumerated:  # the type is one for all of its columns
                spec = {**spec, "fields": {key: _all_more(one) for key, one in spec["fields"].items()}}
            _model(name, spec, state, vendor, old)
        return facade.metadata(apps)


def _all_more(spec):
    return {**spec, "kind": "more"} if spec["kind"] == "enumerated" else spec


def _model(name, spec, state, vendor, old):
    attributes = {"__module__": __name__}
    fields = {
        key: field_of(one, vendor, new=old is not None and key not in old["fields"])
        for key, one in spec["fields"].items()
    }
    for target, kind in spec["to"].items():
        if kind and target in state:
            attributes[f"to_{target.lower()}"] = _relation(kind, target)
    if spec["many"] in state:
        attributes["many"] = models.ManyToManyField(spec["many"], related_name="+")
    constraints, indexes = _items(name, spec, vendor, fields)
    attributes["Meta"] = type(
        "Meta",
        (),
        {
            "app_label": "states",
            "constraints": constraints,
            "indexes": indexes,
            "db_table_comment": spec["comment"],
        },
    )
    return type(name, (models.Model,), {**attributes, **fields})


def _relation(kind, target):
    options = {"null": True, "related_name": "+"}
    if kind == "one":
        return models.OneToOneField(target, models.SET_NULL, **options)
    if kind == "loose":
        return models.ForeignKey(target, models.DO_NOTHING, db_constraint=False, db_index=False, **options)
    action = models.DB_CASCADE if kind == "cascade" else models.CASCADE
    return models.ForeignKey(target, action, **options)


def _items(name, spec, vendor, fields):
    """The constraints and indexes of a model, on those of its fields that can have them; its generated fields join those."""
    numbers = [
        key for key, one in spec["fields"].items() if one["kind"] in ("small", "integer", "big", "positive")
    ]
    words = [key for key, one in spec["fields"].items() if one["kind"] in ("char", "slug", "collated")]
    constraints, indexes = [], []
    named = name.lower()
    for item in spec["items"]:
        if item == "check" and numbers:
            condition = Q(**{f"{numbers[0]}__gt": 0}) | Q(**{f"{numbers[-1]}__in": [1, 2, 5]})
            constraints.append(models.CheckConstraint(condition=condition, name=f"{named}_check"))
        elif item == "index" and numbers:
            indexes.append(models.Index(fields=numbers[:2], name=f"{named}_index"))
        elif item == "descending" and words:
            indexes.append(models.Index(fields=[f"-{words[0]}"], name=f"{named}_desc"))
        elif item == "unique" and numbers and words:
            constraints.append(models.UniqueConstraint(fields=["id", words[0]], name=f"{named}_unique"))
        elif item == "partial" and numbers and words and vendor != "mysql":
            condition = Q(**{f"{numbers[0]}__gte": 1, f"{words[0]}__in": ["a", ":b", "5%"]})
            indexes.append(models.Index(fields=[words[-1]], condition=condition, name=f"{named}_partial"))
        elif item == "lower" and words and vendor != "mysql":
            indexes.append(models.Index(Lower(words[0]), name=f"{named}_lower"))
        elif item == "upper" and words and vendor != "mysql":
            constraints.append(models.UniqueConstraint(Upper(words[-1]), F("id"), name=f"{named}_upper"))
        elif item == "deferred" and numbers and vendor == "postgresql":
            late = models.Deferrable.DEFERRED
            constraints.append(models.UniqueConstraint(fields=["id"], deferrable=late, name=f"{named}_late"))
        elif item == "generated" and numbers:
            fields["generated"] = models.GeneratedField(
                expression=F(numbers[0]) + 1, output_field=models.BigIntegerField(), db_persist=True
            )
            indexes.append(models.Index(fields=["generated"], name=f"{named}_generated"))
        elif item == "sum" and numbers:
            fields["sum"] = models.GeneratedField(
                expression=F(numbers[0]) + F(numbers[-1]),
                output_field=models.BigIntegerField(),
                db_persist=True,
            )
    return constraints, indexes


# -- rows ----------------------------------------------------------------------------------------------


def value_of(spec, row):
    """What a row has in a column of a group, in the form of its kind."""
    return {
        "number": lambda: str(row) if spec["kind"] in ("char", "text", "collated") else row,
        "word": lambda: f"Word {row}: 5% :x",
        "truth": lambda: bool(row % 2),
        "moment": lambda: dt.datetime(2020, 2, 28 + row - 1, 12, 30, tzinfo=dt.UTC),
        "day": lambda: dt.date(2020, 2, 27 + row),
        "document": lambda: {"row": row},
        "real": lambda: row + 0.5,
        "uuid": lambda: uuid.UUID(int=row),
        "enumerated": lambda: ("red", "it's")[row - 1],
        "bytes": lambda: bytes([row, 255]),
        "duration": lambda: dt.timedelta(days=row),
    }[spec["group"]]()


def fill(connection, state, metadata):
    """Give each table two rows that refer to nothing, and then the columns that refer something to refer to."""
    for name in state:
        table = metadata.tables[f"states_{name.lower()}"]
        for row in (1, 2):
            given = {
                key: _stored(value_of(one, row), one, table.c[key])
                for key, one in state[name]["fields"].items()
            }
            connection.execute(table.insert(), {"id": row, **given})
    for name in state:
        table = metadata.tables[f"states_{name.lower()}"]
        ends = [column for column in table.columns if column.name.startswith("to_")]
        if ends:
            connection.execute(table.update().values(dict.fromkeys(ends, table.c.id)))


def _stored(value, spec, column):
    if spec["kind"] == "decimal":
        return decimal.Decimal(value)
    return value


def read(connection, state, metadata):
    """Return the rows by table, each with the text of what it has in the columns of the state."""
    found = {}
    for name, spec in state.items():
        table = metadata.tables[f"states_{name.lower()}"]
        rows = connection.execute(sa.select(table).order_by(table.c.id)).mappings()
        found[name] = [{key: _plain(row[key], one) for key, one in spec["fields"].items()} for row in rows]
    return found


def _plain(value, spec):
    if spec["group"] == "number" and value is not None:
        return int(decimal.Decimal(value))
    return value


# -- the way from one to the other ---------------------------------------------------------------------


PREFIXES = {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}


class Change:
    """What Alembic writes for the way from a database to a MetaData, and does."""

    def __init__(self, connection, metadata):
        self.context = MigrationContext.configure(connection, opts=PREFIXES)
        self.autogenerate = AutogenContext(self.context, metadata=metadata)
        self.script = ops.MigrationScript(None, ops.UpgradeOps([]), ops.DowngradeOps([]))
        compare._populate_migration_script(self.autogenerate, self.script)
        self.forward, self.back = (
            render._render_cmd_body(one, self.autogenerate)
            for one in (self.script.upgrade_ops, self.script.downgrade_ops)
        )

    def run(self, source):
        imports = "\n".join(sorted(self.autogenerate.imports))
        assert "facade" not in imports + source
        names = {"op": Operations(self.context), "sa": sa}
        exec(compile_source(f"{imports}\n{textwrap.dedent(source)}"), names)


def compile_source(source):
    lines = source.splitlines()
    return compile("\n".join([lines[0], *lines[1:]]), "script", "exec")


def go(engine, metadata):
    """Bring a database to these tables, and return the change, which runs in a transaction of its own."""
    with engine.connect() as connection:
        change = Change(connection, metadata)
        note(change.forward)
        connection.rollback()
        change.run(change.forward)
        connection.commit()
        return change.back, change


def differences(engine, metadata):
    with engine.connect() as connection:
        return Change(connection, metadata).script.upgrade_ops.as_diffs()


@pytest.fixture
def engine(database):
    install()
    backend, _, rest = database.url.partition(":")
    return sa.create_engine(f"{DRIVERS[backend]}:{rest}", poolclass=sa.NullPool)


def empty(database):
    """Take away what an example has left that failed."""
    database.home.empty()
    if database.vendor == "sqlite":
        Path(make_url(database.url).database).unlink(missing_ok=True)


@varied
@given(pair=states())
def test_any_state_is_reached_from_any_other_and_rows_survive(engine, database, pair):
    empty(database)
    first, second = pair
    before, after = metadata_of(first, database.vendor), metadata_of(second, database.vendor, before=first)
    go(engine, before)
    assert differences(engine, before) == []
    with engine.begin() as connection:
        fill(connection, first, before)
        rows = read(connection, first, before)
    go(engine, after)
    assert differences(engine, after) == []
    with engine.connect() as connection:
        assert_survived(rows, read(connection, second, after), first, second)
    go(engine, facade.metadata(Apps()))
    assert sa.inspect(engine).get_table_names() == []
    event(f"{len(second)} models")


def assert_survived(rows, found, first, second):
    for name in first.keys() & second.keys():
        kept = first[name]["fields"].keys() & second[name]["fields"].keys()
        assert [{key: row[key] for key in kept} for row in found[name]] == [
            {key: row[key] for key in kept} for row in rows[name]
        ]
