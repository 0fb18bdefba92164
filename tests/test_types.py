"""The column types, through plain SQLAlchemy Core, on every driver."""

import asyncio
import copy
import datetime as dt
import json
import pickle
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from facade import configuration, types

UTC = dt.UTC
DRIVERS = [
    "sqlite",
    "sqlite+aiosqlite",
    "postgresql+psycopg",
    "postgresql+psycopg_async",
    "postgresql+asyncpg",
    "mysql+pymysql",
]

laws = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Store:
    """Writes values into a column of a new table and reads them back."""

    def __init__(self, url):
        self.url = sa.make_url(url)
        dialect = (
            self.url.get_dialect(_is_async=True)
            if "_async" in self.url.drivername
            else self.url.get_dialect()
        )
        self.is_async = dialect.is_async
        self.vendor = dialect.name

    def __call__(self, type_, values):
        return self.run(lambda connection: self._through(connection, type_, values))

    def one(self, type_, value):
        (found,) = self(type_, [value])
        return found

    def run(self, work):
        return asyncio.run(self._run_async(work)) if self.is_async else self._run_sync(work)

    def _run_sync(self, work):
        engine = sa.create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            return work(connection)

    async def _run_async(self, work):
        engine = create_async_engine(self.url, poolclass=NullPool)
        async with engine.begin() as connection:
            return await connection.run_sync(work)

    def _through(self, connection, type_, values):
        table = sa.Table(
            "kept", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("value", type_)
        )
        table.drop(connection, checkfirst=True)
        table.create(connection)
        rows = [{"id": place, "value": value} for place, value in enumerate(values, 1)]
        if rows:
            connection.execute(sa.insert(table), rows)
        found = list(connection.execute(sa.select(table.c.value).order_by(table.c.id)).scalars())
        for place, value in enumerate(values[:3], 1):  # a value finds its row, too
            if value not in (None, "") and not isinstance(type_, (types.JSON, types.Decimal)):
                query = sa.select(table.c.id).where(table.c.value == value)
                assert place in connection.execute(query).scalars().all()
        return found


@pytest.fixture(params=DRIVERS)
def store(request, tmp_path):
    name = request.param
    if name.startswith("sqlite"):
        return Store(f"{name}:///{tmp_path}/types.sqlite3")
    if name.startswith("mysql"):
        url = sa.make_url(request.getfixturevalue("mariadb_home").urls["default"])
        request.getfixturevalue("mariadb_home").empty()
        return Store(url.set(drivername=name))
    return Store(sa.make_url(request.getfixturevalue("postgres_home").urls["default"]).set(drivername=name))


@pytest.fixture
def sqlite_store(tmp_path):
    return Store(f"sqlite:///{tmp_path}/types.sqlite3")


@pytest.fixture
def zone():
    with configuration.override(USE_TZ=True, TIME_ZONE="Europe/Vienna"):
        yield ZoneInfo("Europe/Vienna")


@pytest.fixture
def naive():
    with configuration.override(USE_TZ=False, TIME_ZONE="Europe/Vienna"):
        yield


# Moments that have a day before and after in every zone.
FIRST, LAST = (dt.datetime.fromisoformat(day) for day in ("1000-01-03", "9999-12-29"))


def exact(value):
    """A value with its type: True is not 1, and 8.0 is not Decimal("8.0")."""
    return type(value), value


MOMENT = dt.datetime(2024, 7, 1, 22, 30, 5, 240, tzinfo=UTC)

CASES = {
    "true": (types.Boolean(), True),
    "false": (types.Boolean(), False),
    "bytes": (types.Binary(), b"\x00\xff'\\x"),
    "float": (types.Float(), 0.1),
    "whole float": (types.Float(), 3.0),
    "decimal": (types.Decimal(10, 2), Decimal("12345678.90")),
    "whole decimal": (types.Decimal(10, 3), Decimal("8.000")),
    "decimal without places": (types.Decimal(5, 0), Decimal(12345)),
    "negative decimal": (types.Decimal(4, 4), Decimal("-0.0001")),
    "long decimal": (types.Decimal(19, 2), Decimal("12345678901234567.00")),
    "moment": (types.DateTime(), MOMENT),
    "moment on the second": (types.DateTime(), MOMENT.replace(microsecond=0)),
    "day": (types.Date(), dt.date(2024, 2, 29)),
    "first day": (types.Date(), dt.date(1000, 1, 1)),
    "time": (types.Time(), dt.time(21, 22, 23, 240000)),
    "time on the second": (types.Time(), dt.time(0, 0)),
    "duration": (types.Duration(), dt.timedelta(days=4, seconds=5, microseconds=6)),
    "negative duration": (types.Duration(), dt.timedelta(microseconds=-1)),
    "uuid": (types.UUID(), uuid.UUID("00a3bdc6-ae6b-4a51-8f18-3a5a7b6d9fc2")),
    "address": (types.IPAddress(), "10.0.0.1"),
    "long address": (types.IPAddress(), "2001:db8::1"),
    "dict": (types.JSON(), {"a": [1, 2.5, None, True], "ü": '😀 \\ " \n'}),
    "text in JSON": (types.JSON(), "1.0"),
    "number in JSON": (types.JSON(), 1),
    "truth in JSON": (types.JSON(), False),
    "empty list in JSON": (types.JSON(), []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_value_comes_back_with_its_type(store, case, zone):
    type_, value = CASES[case]
    found = store.one(type_, value)
    if case == "uuid":  # asyncpg has a subclass
        assert isinstance(found, uuid.UUID)
        assert found == value
    else:
        assert exact(found) == exact(value)
    assert str(found) == str(value)


@pytest.mark.parametrize("type_", {type(type_): type_ for type_, _ in CASES.values()}.values(), ids=str)
def test_none_is_null(store, type_, zone):
    assert store(type_, [None]) == [None]


class TestDecimals:
    @laws
    @given(data=st.data())
    def test_what_fifteen_digits_can_say_comes_back_digit_by_digit(self, store, data):
        digits = data.draw(st.integers(1, 15))
        places = data.draw(st.integers(0, digits))
        limit = 10**digits - 1
        values = [
            Decimal(n).scaleb(-places) for n in data.draw(st.lists(st.integers(-limit, limit), max_size=60))
        ]
        assert [v.as_tuple() for v in store(types.Decimal(digits, places), values)] == [
            _positive_zero(v).as_tuple() for v in values
        ]

    @laws
    @given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=60))
    def test_whole_numbers_of_64_bits_are_exact(self, store, numbers):
        values = [Decimal(n) for n in numbers]
        assert store(types.Decimal(20, 0), values) == values

    def test_a_float_in_a_wide_column_has_no_binary_digits(self, sqlite_store):
        found = sqlite_store.one(types.Decimal(32, 30), Decimal("0.1"))
        assert found == Decimal("0.1")
        assert -found.as_tuple().exponent == 30

    def test_without_precision_any_decimal_is_kept(self, store):
        assert store.one(types.Decimal(), Decimal("0.99")) == Decimal("0.99")

    def test_sums_have_no_binary_digits(self, sqlite_store):
        def work(connection):
            query = sa.select(
                sa.literal(Decimal("0.1"), types.Decimal()) + sa.literal(Decimal("0.2"), types.Decimal())
            )
            return connection.execute(
                sa.select(sa.type_coerce(query.scalar_subquery(), types.Decimal()))
            ).scalar()

        assert sqlite_store.run(work) == Decimal("0.3")

    def test_numbers_compare_and_divide_as_numbers(self, sqlite_store):
        def work(connection):
            seven, two = (sa.literal(Decimal(n), types.Decimal(5, 2)) for n in (7, 2))
            return connection.execute(
                sa.select(sa.type_coerce(seven / two, types.Decimal(5, 2)), seven > two)
            ).one()

        assert tuple(sqlite_store.run(work)) == (Decimal("3.50"), True)


def _positive_zero(value):
    return value or abs(value)


class TestMoments:
    @laws
    @given(st.lists(st.datetimes(FIRST, LAST, timezones=st.timezones()), max_size=60))
    def test_every_moment_comes_back_in_utc(self, store, moments):
        moments = [moment.astimezone(UTC) for moment in moments]
        found = store(types.DateTime(), moments)
        assert found == moments
        assert all(moment.tzinfo is UTC for moment in found)

    def test_a_moment_of_another_zone_is_the_same_moment(self, store, zone):
        there = dt.datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
        found = store.one(types.DateTime(), there)
        assert found == there
        assert found.tzinfo is UTC

    @pytest.mark.vendors("postgres")
    def test_the_time_zone_of_the_session_does_not_matter(self, store, zone):
        def work(connection):
            connection.exec_driver_sql("SET TIME ZONE 'America/Chicago'")
            return connection.execute(sa.select(sa.literal(MOMENT, types.DateTime()))).scalar()

        if store.vendor == "postgresql":
            assert store.run(work) == MOMENT
            assert store.run(work).tzinfo is UTC

    def test_without_zones_a_clock_comes_back_as_it_was(self, store, naive):
        clock = dt.datetime.fromisoformat("2024-07-01 22:30:05.000240")
        assert store.one(types.DateTime(), clock) == clock

    def test_without_zones_a_clock_means_the_default_zone(self, store, naive):
        def work(connection):
            literal = sa.literal(dt.datetime.fromisoformat("2024-07-01 12:00"), types.DateTime())
            return connection.execute(sa.select(sa.cast(literal, sa.DateTime(timezone=True)))).scalar()

        if store.vendor == "postgresql":
            assert store.run(work) == dt.datetime(2024, 7, 1, 10, tzinfo=UTC)

    def test_without_zones_an_aware_value_is_refused_where_none_can_be_stored(self, sqlite_store, naive):
        with pytest.raises(
            sa.exc.StatementError, match="does not support timezone-aware datetimes when USE_TZ is False"
        ):
            sqlite_store.one(types.DateTime(), MOMENT)

    def test_a_column_without_zone_holds_the_clock_of_utc(self, store, zone):
        assert store.one(types.DateTime(timezone=False), MOMENT) == MOMENT

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2024-07-01 22:30:05.000240", MOMENT),
            ("2024-07-01T22:30:05.00024Z", MOMENT),
            ("2024-07-02 00:30:05.00024+02:00", MOMENT),
            ("2024-07-01", dt.datetime(2024, 7, 1, tzinfo=UTC)),
            ("2024-7-1 2:3", dt.datetime(2024, 7, 1, 2, 3, tzinfo=UTC)),
        ],
    )
    def test_sqlite_reads_what_others_wrote(self, sqlite_store, zone, text, expected):
        assert _read_text(sqlite_store, text, types.DateTime()) == expected

    def test_sqlite_stores_what_django_stores(self, sqlite_store, zone):
        def work(connection):
            return connection.execute(
                sa.select(sa.cast(sa.literal(MOMENT, types.DateTime()), sa.Text))
            ).scalar()

        assert sqlite_store.run(work) == "2024-07-01 22:30:05.000240"

    @pytest.mark.parametrize("type_", [types.DateTime(), types.Date(), types.Time()], ids=str)
    def test_text_that_is_no_value_is_an_error(self, sqlite_store, zone, type_):
        with pytest.raises(ValueError, match="'nonsense'"):
            _read_text(sqlite_store, "nonsense", type_)

    def test_days_and_times_are_taken_out_of_moments(self, sqlite_store, zone):
        assert _read_text(sqlite_store, "2024-07-01 22:30:05", types.Date()) == dt.date(2024, 7, 1)
        assert _read_text(sqlite_store, "2024-07-01 22:30:05", types.Time()) == dt.time(22, 30, 5)

    def test_a_time_with_a_zone_is_refused(self, sqlite_store, zone):
        with pytest.raises(sa.exc.StatementError, match="timezone-aware times"):
            sqlite_store.one(types.Time(), dt.time(1, tzinfo=UTC))


def _read_text(store, text, type_):
    column = sa.literal_column(f"'{text}'", type_)
    return store.run(lambda connection: connection.execute(sa.select(column)).scalar())


class TestDurations:
    @laws
    @given(st.lists(st.timedeltas(dt.timedelta(days=-1_000_000), dt.timedelta(days=1_000_000)), max_size=60))
    def test_every_duration_comes_back(self, store, durations):
        assert store(types.Duration(), durations) == durations


class TestUUIDs:
    @laws
    @given(st.lists(st.uuids(), max_size=60))
    def test_every_uuid_comes_back(self, store, values):
        assert store(types.UUID(), values) == values

    def test_a_uuid_from_the_database_is_like_any_other(self, sqlite_store):
        value = uuid.uuid4()
        found = sqlite_store.one(types.UUID(), value)
        assert hash(found) == hash(value)
        assert repr(found) == repr(value)
        assert found.is_safe is value.is_safe
        assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == value

    def test_a_uuid_with_hyphens_is_read(self, sqlite_store):
        value = uuid.uuid4()
        assert _read_text(sqlite_store, str(value), types.UUID()) == value


class TestAddresses:
    def test_no_address_is_null(self, store):
        assert store(types.IPAddress(), ["", None]) == [None, None]


class Plain(json.JSONEncoder):
    def default(self, o):
        return str(o) if isinstance(o, uuid.UUID) else super().default(o)


class Exact(json.JSONDecoder):
    def __init__(self, **options):
        super().__init__(**{**options, "parse_float": Decimal})


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


class TestJSON:
    @laws
    @given(st.lists(documents, max_size=20))
    def test_every_document_comes_back(self, store, values):
        assert store(types.JSON(), values) == values

    def test_the_null_of_json_is_not_null(self, store):
        def work(connection):
            null = sa.literal(sa.JSON.NULL, types.JSON())
            return connection.execute(sa.select(null.is_(None), null)).one()

        found = store.run(work)
        assert (bool(found[0]), found[1]) == (False, None)

    def test_encoder_and_decoder_are_used(self, store):
        value = uuid.uuid4()
        type_ = types.JSON(encoder=Plain, decoder=Exact)
        assert store.one(type_, {"id": value, "n": 1.5}) == {"id": str(value), "n": Decimal("1.5")}

    def test_a_decoder_sees_the_digits_of_the_document(self, store):
        if store.vendor == "postgresql":
            literal = "'[0.10]'::jsonb"
            found = store.run(
                lambda c: c.execute(sa.select(sa.literal_column(literal, types.JSON(decoder=Exact)))).scalar()
            )
            assert str(found[0]) == "0.10"

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}], ids=str)
    def test_what_is_no_number_of_json_is_refused(self, sqlite_store, value):
        with pytest.raises(sa.exc.StatementError, match=r"cannot hold .*JSON compliant"):
            sqlite_store.one(types.JSON(), value)

    @pytest.mark.parametrize(
        "value", ["a\0b", {"\0": 1}, "\\\0", "\ud83d", "\udc00x", "\\\ud83d", "\ude00\ud83d"]
    )
    def test_characters_that_cannot_be_stored_are_refused(self, sqlite_store, value):
        with pytest.raises(sa.exc.StatementError, match=r"cannot hold .*cannot be stored"):
            sqlite_store.one(types.JSON(), value)

    @pytest.mark.parametrize("value", [r"\u0000", r"\ud83d", "😀", "\\😀", "\\\\u0000", "\ud7ff\ue000"])
    def test_texts_that_only_look_like_it_are_stored(self, store, value):
        assert store.one(types.JSON(), value) == value

    def test_what_cannot_be_serialised_is_refused(self, sqlite_store):
        with pytest.raises(
            sa.exc.StatementError, match=r"A JSON column cannot hold .*is not JSON serializable"
        ):
            sqlite_store.one(types.JSON(), {1, 2})

    def test_keys_can_be_asked_for_in_core(self, store):
        table = sa.Table("kept", sa.MetaData(), sa.Column("value", types.JSON()))

        def work(connection):
            table.drop(connection, checkfirst=True)
            table.create(connection)
            connection.execute(sa.insert(table).values(value={"a": {"b": "x"}}))
            return connection.execute(sa.select(table.c.value["a"]["b"].as_string())).scalar()

        if store.vendor != "mysql":
            assert store.run(work) == "x"


class TestDDL:
    def defaults(self, store, dialect):
        columns = [
            sa.Column(f"c{n}", type_, server_default=sa.text(self.literal(dialect, type_, value)))
            for n, (type_, value) in enumerate(self.values(store))
        ]
        return sa.Table("kept", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns)

    def values(self, store):
        cases = [
            case
            for case in CASES
            if store.vendor != "mysql" or ("JSON" not in case and case not in ("dict", "bytes"))
        ]
        return [CASES[case] for case in cases]

    def literal(self, dialect, type_, value):
        literal = sa.literal(value, type_).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        return f"({literal})".replace(":", "\\:").replace("%%", "%")

    def test_values_can_be_written_into_ddl(self, store, zone):
        def work(connection):
            table = self.defaults(store, connection.dialect)
            table.drop(connection, checkfirst=True)
            table.create(connection)
            connection.execute(sa.insert(table), {"id": 1})
            return connection.execute(sa.select(*table.c[1:])).one()

        assert list(store.run(work)) == [value for _, value in self.values(store)]
