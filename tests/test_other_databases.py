"""Databases that no server is here for: what they are asked is checked by a parser of their SQL, or refused by name.

The table of `docs/other-databases.md` is what this module finds out.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import itertools
import re
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
import sqlglot
from sqlalchemy.dialects import mssql, oracle, postgresql
from sqlalchemy.engine.default import DefaultDialect

import facade
from facade import models
from facade.configuration import override
from facade.exceptions import UnsupportedFeature
from facade.models import (
    AnyValue,
    Avg,
    BitAnd,
    BitOr,
    BitXor,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    Min,
    Q,
    RowRange,
    StdDev,
    StringAgg,
    Sum,
    Value,
    ValueRange,
    Variance,
    Window,
    WindowFrameExclusion,
    functions,
)
from facade.models.functions import *  # noqa: F403
from facade.vendors import vendor_of
from tests import corpus

PAGE = Path(facade.__file__).parent.parent / "docs" / "other-databases.md"


class Specimen(models.Model):
    whole = models.IntegerField(unique=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    ratio = models.FloatField()
    name = models.CharField(max_length=20)
    text = models.TextField()
    truth = models.BooleanField()
    day = models.DateField()
    moment = models.DateTimeField()
    clock = models.TimeField()
    length = models.DurationField()
    key = models.UUIDField(null=True)
    data = models.JSONField()
    raw = models.BinaryField()
    address = models.GenericIPAddressField()
    parent = models.ForeignKey("self", models.CASCADE, null=True)


class Nobody(DefaultDialect):
    """A dialect that facade has never heard of."""

    name = "nobody"


class Cockroach(postgresql.dialect):
    """What sqlalchemy-cockroachdb derives from: its name is what facade knows it by."""

    name = "cockroachdb"


def duckdb():
    return pytest.importorskip("duckdb_engine").Dialect(paramstyle="numeric_dollar")


DIALECTS = {
    "DuckDB": (duckdb, "duckdb"),
    "SQL Server": (lambda: mssql.dialect(paramstyle="qmark"), "tsql"),
    "Oracle": (oracle.dialect, "oracle"),
    "CockroachDB": (lambda: Cockroach(paramstyle="named"), "postgres"),
    "YugabyteDB": (lambda: postgresql.dialect(paramstyle="named"), "postgres"),
    "any other": (Nobody, ""),
}


def dialect_of(database):
    made = DIALECTS[database][0]()
    return vendor_of(made).supported(made)


def samples():
    return Specimen.objects.order_by("id").values_list("id")


# -- what is asked -----------------------------------------------------------------------------------------------------

NUMBERS = (
    "Abs",
    "Ceil",
    "Floor",
    "Round",
    "Sign",
    "Sqrt",
    "Exp",
    "Ln",
    "Cos",
    "Sin",
    "Tan",
    "Cot",
    "ACos",
    "ASin",
    "ATan",
)
TEXTS = (
    "Upper",
    "Lower",
    "Length",
    "Trim",
    "LTrim",
    "RTrim",
    "Reverse",
    "Ord",
    "MD5",
    "SHA1",
    "SHA224",
    "SHA256",
    "SHA384",
    "SHA512",
)
MOMENT_FUNCTIONS = [name for name in functions.__all__ if re.match("(Extract|Trunc).+", name)]
CALLS = {
    **dict.fromkeys((*NUMBERS, "Degrees", "Radians"), ("ratio",)),
    **dict.fromkeys(TEXTS, ("name",)),
    **dict.fromkeys(MOMENT_FUNCTIONS, ("moment",)),
    **dict.fromkeys(("Now", "Pi", "Random", "UUID4", "UUID7"), ()),
    **dict.fromkeys(("Log", "Mod", "Power", "ATan2", "NullIf"), ("whole", 3)),
    **dict.fromkeys(("Left", "Right", "Repeat", "LPad", "RPad"), ("name", 3)),
    **dict.fromkeys(("Coalesce", "Greatest", "Least", "JSONArray"), ("whole", "parent__whole")),
    "Cast": ("whole", models.CharField(max_length=10)),
    "Chr": ("whole",),
    "Collate": ("name", "nocase"),
    "Concat": ("name", "text"),
    "Extract": ("moment", "year"),
    "Trunc": ("moment", "month"),
    "Replace": ("name", Value("a"), Value("b")),
    "StrIndex": ("name", Value("a")),
    "Substr": ("name", 2, 3),
}
NAMED = {"JSONObject": {"a": F("whole"), "b": Value("x")}}
OVER = {
    "FirstValue": ("whole",),
    "LastValue": ("whole",),
    "NthValue": ("whole", 2),
    "Lag": ("whole",),
    "Lead": ("whole", 1, 0),
    "Ntile": (3,),
}
WINDOWS = [*OVER, "CumeDist", "DenseRank", "PercentRank", "Rank", "RowNumber"]


def calls():
    for name in functions.__all__:
        made = getattr(functions, name)
        if name in WINDOWS:
            yield name, Window(made(*OVER.get(name, ())), order_by="id")
        else:
            yield name, made(*CALLS.get(name, ()), **NAMED.get(name, {}))


AGGREGATES = {
    **{
        f"{kind.__name__} of {name}": kind(name)
        for kind, name in itertools.product(
            (Avg, Sum, Min, Max, StdDev, Variance, Count), ("whole", "price", "ratio", "length")
        )
    },
    **{kind.__name__: kind("whole") for kind in (AnyValue, BitAnd, BitOr, BitXor)},
    "Count of distinct values": Count("name", distinct=True),
    "Count with a filter": Count("id", filter=Q(whole__gt=1)),
    "StringAgg": StringAgg("name", Value("; ")),
    "StringAgg in an order": StringAgg("name", Value("; "), order_by="whole"),
    "StringAgg of distinct texts": StringAgg("name", Value("; "), distinct=True),
}
EXPRESSIONS = {
    **{name: F("whole")._combine(F("id"), name, False) for name in ("+", "-", "*", "/", "^")},
    "remainder": F("whole") % 7,
    "bits of both": F("whole").bitand(3),
    "bits of either": F("whole").bitor(3),
    "bits of one of two": F("whole").bitxor(3),
    "bits of a shift to the left": F("whole").bitleftshift(1),
    "bits of a shift to the right": F("whole").bitrightshift(1),
    "a moment and a length of time": ExpressionWrapper(F("moment") + F("length"), models.DateTimeField()),
    "the time between two moments": ExpressionWrapper(F("moment") - F("moment"), models.DurationField()),
    "a sum of lengths of time": ExpressionWrapper(F("length") + F("length"), models.DurationField()),
    "a condition as a value": ExpressionWrapper(Q(whole__gt=1), models.BooleanField()),
    "EXISTS as a value": Exists(Specimen.objects.filter(whole=1)),
    "a frame of rows": Window(Sum("whole"), order_by="id", frame=RowRange(-1, 1)),
    "a frame of values": Window(Sum("whole"), order_by="id", frame=ValueRange(None, 0)),
    "a frame without rows": Window(
        Sum("whole"), order_by="id", frame=RowRange(-1, 1, exclusion=WindowFrameExclusion.TIES)
    ),
}
RIGHT = {
    "whole": 1, "price": decimal.Decimal("1.50"), "ratio": 1.5, "name": "a_b", "text": "a%b", "truth": True,
    "day": dt.date(2000, 1, 1), "moment": dt.datetime(2000, 1, 1, tzinfo=dt.UTC), "clock": dt.time(1), "length": dt.timedelta(1),
    "key": uuid.UUID(int=1), "raw": b"a", "address": "::1", "parent": 1, "data": {"a": 1},
}  # fmt: skip
TRANSFORMS = {name: getattr(functions, name) for name in functions.__all__}


def lookups():
    """Yield every lookup of every field, with a value that it takes."""
    for name, right in RIGHT.items():
        field = Specimen._meta.get_field(name)
        for lookup, made in field.get_lookups().items():
            if getattr(made, "get_bilateral_transforms", None) is None:
                yield f"{name}__{lookup}", {f"{name}__{lookup}": _right(name, lookup, right)}
    for lookup, right in (
        ("", 1),
        ("__gt", 1),
        ("__in", [1]),
        ("__isnull", True),
        ("__icontains", "x"),
        ("__regex", "x"),
    ):
        yield f"data__a{lookup}", {f"data__a{lookup}": right}
    for lookup in (
        "year",
        "year__gt",
        "month",
        "day",
        "week",
        "week_day",
        "iso_week_day",
        "iso_year",
        "quarter",
        "hour",
        "minute",
        "second",
    ):
        yield f"moment__{lookup}", {f"moment__{lookup}": 1}


def _right(name, lookup, right):
    if lookup in ("has_key", "regex", "iregex"):
        return "a"
    if lookup in ("has_keys", "has_any_keys"):
        return ["a"]
    if lookup == "isnull":
        return True
    if lookup == "in":
        return [right]
    if lookup == "range":
        return [right, right]
    return (
        right
        if lookup in ("exact", "gt", "gte", "lt", "lte", "contains", "contained_by") and name != "key"
        else str(right)
    )


QUESTIONS = {
    **{name: (lambda ask=ask: ask(lambda model: model.objects.all())) for name, ask in corpus.QUERYSETS.items()},
    **{f"functions: {name}": (lambda made=made: samples().values_list(made)) for name, made in calls()},
    **{f"aggregates: {name}": (lambda made=made: Specimen.objects.values("truth").annotate(made=made)) for name, made in AGGREGATES.items()},
    **{f"expressions: {name}": (lambda made=made: samples().annotate(made=made).values_list("made")) for name, made in EXPRESSIONS.items()},
    **{f"lookups: {name}": (lambda made=made: samples().filter(**made)) for name, made in lookups()},
    "order: at random": lambda: samples().order_by("?"),
    "order: by a condition": lambda: samples().order_by(ExpressionWrapper(Q(whole__gt=1), models.BooleanField()), "id"),
    "order: by EXISTS": lambda: samples().order_by(Exists(Specimen.objects.filter(whole=1)), "id"),
    "distinct: fields": lambda: samples().order_by("name").distinct("name"),
    "locks: of rows": lambda: samples().select_for_update(),
    "locks: not waiting": lambda: samples().select_for_update(nowait=True),
    "slices: of what has no order": lambda: Specimen.objects.order_by().values_list("name").distinct()[2:4],
}  # fmt: skip


@functools.cache
def answers(database):
    """Return for each question the SQL, or why it was refused."""
    dialect = dialect_of(database)
    found = {}
    for name, ask in QUESTIONS.items():
        try:
            found[name] = str(ask().compile(dialect))
        except UnsupportedFeature as error:
            found[name] = error
    return found


@pytest.fixture
def answered():
    """Give the answers of one database."""

    def answered(database):
        with override(DATABASES={"default": "sqlite://"}):
            return answers(database)

    return answered


# -- the tests ---------------------------------------------------------------------------------------------------------

PAIRS = "json_object("  # of DuckDB's, which the parser takes for the standard's


@pytest.mark.parametrize("kind", DIALECTS)
def test_every_statement_is_one_of_the_databases_own_or_is_refused_by_name(answered, kind):
    assert [name for name, answer in answered(kind).items() if not _is_right(answer, kind)] == []


def _is_right(answer, database):
    if isinstance(answer, UnsupportedFeature):
        return ("nobody" if database == "any other" else database) in str(answer)
    return PAIRS in answer or sqlglot.parse_one(answer, dialect=DIALECTS[database][1]) is not None


@pytest.mark.parametrize("kind", DIALECTS)
def test_tables_are_made_in_the_databases_own_words(kind):
    dialect = dialect_of(kind)
    for model in corpus.MODELS:
        made = str(sa.schema.CreateTable(model.__table__).compile(dialect=dialect))
        assert sqlglot.parse_one(made, dialect=DIALECTS[kind][1]) is not None


def compiled(queryset, kind):
    with override(DATABASES={"default": "sqlite://"}):
        return re.sub(r"\s+", " ", str(queryset.compile(dialect_of(kind))))


def created(model, kind):
    return str(sa.schema.CreateTable(model.__table__).compile(dialect=dialect_of(kind)))


def test_sql_server_has_words_of_its_own():
    assert compiled(samples()[:3], "SQL Server").startswith("SELECT TOP 3 ")
    assert compiled(samples()[2:3], "SQL Server").endswith(
        "ORDER BY tests_specimen.id ASC OFFSET ? ROWS FETCH FIRST ? ROWS ONLY"
    )
    assert "ORDER BY (SELECT NULL) OFFSET ? ROWS" in compiled(
        Specimen.objects.order_by().values("id")[2:], "SQL Server"
    )
    exists = samples().annotate(there=Exists(Specimen.objects.filter(whole=1))).values_list("there")
    assert "CASE WHEN EXISTS (SELECT TOP 1 1 AS a FROM " in compiled(exists, "SQL Server")
    union = samples().order_by().union(Specimen.objects.values_list("whole")).order_by("id")[:2]
    assert compiled(union, "SQL Server").startswith("SELECT TOP 2 anon_1.id FROM (SELECT ")
    within = Specimen.objects.filter(pk__in=Specimen.objects.order_by("name")[:2].values("pk")).values("id")
    assert "(SELECT TOP 2 [U0].id AS [pk] FROM tests_specimen AS [U0] ORDER BY [U0].name ASC)" in compiled(
        within, "SQL Server"
    )
    assert compiled(samples().filter(whole__gt=1), "SQL Server").count("?") == 1


def test_sql_server_has_types_of_its_own():
    made = created(Specimen, "SQL Server")
    for written in (
        "id BIGINT NOT NULL IDENTITY",
        "UNIQUEIDENTIFIER",
        "truth BIT",
        "DATETIME2(6)",
        "day DATE",
        "VARBINARY(max)",
    ):
        assert written in made
    assert "DEFERR" not in made


def test_a_class_of_characters_in_a_pattern_is_none_on_sql_server():
    with override(DATABASES={"default": "sqlite://"}):
        asked = samples().filter(name__contains="50%[a]").compile(dialect_of("SQL Server"))
    assert list(asked.params.values()) == [r"%50\%\[a]%"]


def test_oracle_has_words_and_types_of_its_own():
    assert compiled(samples()[:3], "Oracle").endswith("FETCH FIRST :param_1 ROWS ONLY")
    assert "MOD(tests_specimen.whole, :param_1)" in compiled(
        samples().annotate(m=F("whole") % 7).values("m"), "Oracle"
    )
    made = created(corpus.Album, "Oracle")
    assert "DEFERRABLE INITIALLY DEFERRED" in made
    assert "notes CLOB" in made
    with pytest.raises(UnsupportedFeature, match="Oracle has no type for times of day"):
        created(Specimen, "Oracle")


def test_cockroachdb_checks_references_at_once():
    assert "(id) DEFERRABLE INITIALLY DEFERRED" in created(corpus.Album, "YugabyteDB")
    assert "DEFERRABLE" not in created(corpus.Album, "CockroachDB")
    assert "GENERATED BY DEFAULT AS IDENTITY" in created(corpus.Album, "CockroachDB")


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_the_dialects_of_cockroachdb_are_known_for_it(driver):
    pytest.importorskip("sqlalchemy_cockroachdb")
    dialect = sa.dialects.registry.load(f"cockroachdb.{driver}")()
    assert vendor_of(dialect).called == "CockroachDB"
    with override(DATABASES={"default": "sqlite://"}):
        for ask in corpus.QUERYSETS.values():
            assert ask(lambda model: model.objects.all()).compile(dialect) is not None


def test_what_the_dialect_has_no_words_for_is_refused():
    class Strange(DefaultDialect):
        name = "strange"

        class statement_compiler(DefaultDialect.statement_compiler):
            def visit_select(self, *args, **options):
                raise sa.exc.CompileError("no selects")

    with (
        override(DATABASES={"default": "sqlite://"}),
        pytest.raises(UnsupportedFeature, match="strange: no selects"),
    ):
        samples().compile(Strange())


def test_the_page_says_what_each_database_refuses(answered):
    found = {database: answered(database) for database in DIALECTS}
    assert PAGE.read_text().split("<!-- refused -->")[1].strip() == table(found)


def table(answered):
    """Return the table of what is refused, for the page."""
    databases = list(DIALECTS)
    lines = [f"| | {' | '.join(databases)} |", f"|---|{'---|' * len(databases)}"]
    rows: dict[tuple[bool, ...], list[str]] = {}
    for name in QUESTIONS:
        refused = tuple(isinstance(answered[database][name], UnsupportedFeature) for database in databases)
        if any(refused):
            rows.setdefault(refused, []).append(name)
    for refused, names in rows.items():
        lines.append(f"| {_gathered(names)} | {' | '.join('no' if no else '' for no in refused)} |")
    return "\n".join(lines)


def _gathered(names):
    """Return names, those that begin alike together, a lookup that no field has there but once."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        kind, _, what = name.partition(": ")
        groups.setdefault(kind, []).append(what)
    if lookups := groups.get("lookups"):
        groups["lookups"] = sorted({_lookup_of(what, lookups) for what in lookups})
    return "; ".join(f"*{kind}:* {', '.join(whats)}" for kind, whats in groups.items())


def _lookup_of(what, refused):
    suffix = what.partition("__")[2]
    everywhere = {name for name, _ in lookups() if name.partition("__")[2] == suffix}
    return f"`{suffix}`" if len(everywhere) > 1 and everywhere <= set(refused) else f"`{what}`"


if __name__ == "__main__":  # writes the table into the page
    facade.configure(DATABASES={"default": "sqlite://"})
    before, _, after = PAGE.read_text().split("<!-- refused -->")
    made = table({database: answers(database) for database in DIALECTS})
    PAGE.write_text(f"{before}<!-- refused -->\n{made}\n<!-- refused -->{after}")
