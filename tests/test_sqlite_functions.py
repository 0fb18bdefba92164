"""The SQL functions that facade adds to SQLite's, on bare connections."""

from __future__ import annotations

import json
import math
import sqlite3
import statistics
import uuid
from contextlib import closing

import pytest

from facade.db.roads import sqlite_functions


@pytest.fixture
def connection():
    with closing(sqlite3.connect(":memory:")) as connection:
        sqlite_functions.register(connection)
        yield connection


def value(connection, expression, *parameters):
    return connection.execute(f"SELECT {expression}", parameters).fetchone()[0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("FACADE_EXTRACT('day', '2020-12-31 23:00:00', '+05:30')", 1),
        ("FACADE_EXTRACT('hour', '2020-12-31 23:00:00', '-03:00')", 20),
        ("FACADE_EXTRACT('minute', '07:45', NULL)", 45),
        ("FACADE_EXTRACT('year', 'no date', NULL)", None),
        ("FACADE_TRUNC('month', 'date', '2020-12-31', NULL)", "2020-12-01"),
        ("FACADE_TRUNC('day', 'datetime', '2020-12-31 23:00:00', 'Asia/Tokyo')", "2020-12-31 15:00:00"),
        ("FACADE_TRUNC('time', 'time', '2020-12-31 23:00:00.5', NULL)", "23:00:00.500000"),
        ("FACADE_ADD('2020-12-31', 86400000000)", "2021-01-01"),
        ("FACADE_ADD('2020-12-31', 1)", "2020-12-31 00:00:00.000001"),
        ("FACADE_ADD('23:00:00', 7200000000)", "01:00:00"),
        ("FACADE_ADD('9999-12-31', 86400000000)", None),
        ("FACADE_DIFFERENCE('2021-01-01', '2020-12-31 12:00:00')", 43_200_000_000),
        ("FACADE_DIFFERENCE('01:00', '02:00')", -3_600_000_000),
        ("""FACADE_JSON('{"b": 1.0, "a": [true, null]}')""", '{"a":[true,null],"b":1}'),
        ("FACADE_JSON('no json')", '"no json"'),  # a text that is no document any more
        ("'abc' REGEXP '^a.c$'", 1),
        ("12 REGEXP '^1'", 1),
        ("NULL REGEXP 'x'", None),
        ("LPAD('abc', 5, 'xy')", "xyabc"),
        ("LPAD('abc', 2, 'xy')", "ab"),
        ("RPAD('abc', 6, 'xy')", "abcxyx"),
        ("RPAD('abc', 5, '')", "abc"),
        ("REPEAT('ab', 0)", ""),
        ("REVERSE('äb')", "bä"),
        ("SIGN(-0.5)", -1),
        ("FLOOR(NULL)", None),
        ("FLOOR(-0.5)", -1),
        ("COT(0)", None),
        ("MD5(NULL)", None),
    ],
)
def test_a_function_answers(connection, expression, expected):
    assert value(connection, expression) == expected


def test_uuids_are_made_in_python(connection):
    assert uuid.UUID(value(connection, "UUIDV4()")).version == 4
    first, second = value(connection, "UUIDV7()"), value(connection, "UUIDV7()")
    assert uuid.UUID(first).variant == uuid.RFC_4122
    assert first[:11] <= second[:11]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("VAR_POP", statistics.pvariance),
        ("VAR_SAMP", statistics.variance),
        ("STDDEV_POP", statistics.pstdev),
        ("STDDEV_SAMP", statistics.stdev),
    ],
)
def test_spread_is_what_the_standard_library_says(connection, function, expected):
    numbers = [1_000_000_000.5, 3, 4, 4, 5.5, -2]
    found = value(connection, f"{function}(value) FROM JSON_EACH(?)", json.dumps([*numbers, None]))
    assert found == pytest.approx(expected(numbers))
    assert value(connection, f"{function}(value) FROM JSON_EACH('[]')") is None


def test_aggregates_pass_over_null(connection):
    rows = "FROM (SELECT 6 AS n UNION ALL SELECT NULL UNION ALL SELECT 3)"
    assert [
        value(connection, f"{name}(n) {rows}") for name in ("BIT_AND", "BIT_OR", "BIT_XOR", "ANY_VALUE")
    ] == [2, 7, 5, 6]


def test_builds_of_sqlite_without_mathematics_get_it(connection, monkeypatch):
    monkeypatch.setattr(sqlite_functions, "_has_math", lambda connection: False)
    sqlite_functions.register(connection)
    assert value(connection, "POWER(2, 0.5)") == 2**0.5
    assert value(connection, "POWER(-8, 0.5)") is None
    assert value(connection, "LOG(2, 8)") == 3
    assert value(connection, "MOD(-7, 3)") == math.fmod(-7, 3)
    assert value(connection, "CEILING(1.2)") == 2
    assert value(connection, "ATAN2(1, 2)") == math.atan2(1, 2)
    assert value(connection, "SQRT(-1)") is None
    assert value(connection, "PI()") == math.pi
