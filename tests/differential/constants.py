"""Constants, as source: for each kind of field those that fit, and those that only a careless program sends."""

from __future__ import annotations

KINDS = {
    "AutoField": "key", "BigAutoField": "key", "SmallIntegerField": "int", "IntegerField": "int", "BigIntegerField": "int",
    "PositiveIntegerField": "int", "PositiveBigIntegerField": "int", "PositiveSmallIntegerField": "int", "DecimalField": "decimal",
    "FloatField": "float", "CharField": "text", "TextField": "text", "BooleanField": "bool", "DateField": "date",
    "DateTimeField": "datetime", "TimeField": "time", "DurationField": "duration", "UUIDField": "uuid", "JSONField": "json",
    "GenericIPAddressField": "ip",
}  # fmt: skip

FITTING = {
    "key": ["1", "2", "3", "5", "9", "77"],
    "int": ["0", "1", "2", "3", "-1", "5", "200", "36"],
    "decimal": ["D('1.10')", "D('0.00')", "D('3.30')", "D('5')", "2", "D('-1.5')"],
    "float": ["1.5", "0.1", "4.0", "-1.0", "3", "2.5"],
    "text": ["'Alpha'", "'alpha'", "'a'", "'%'", "'_'", "''", "'it\\'s'", "'Ada'", "'ünï'", "'\\\\'", "'at'", "'pdf'", "'good'", "'crime'"],
    "bool": ["True", "False"],
    "date": ["dt.date(2024, 1, 28)", "dt.date(2024, 2, 28)", "dt.date(1963, 1, 28)", "dt.date(2000, 1, 1)"],
    "datetime": [
        "dt.datetime(2024, 2, 29, 23, 30, tzinfo=UTC)", "dt.datetime(2024, 3, 31, 3, 30, tzinfo=Vienna)",
        "dt.datetime(2020, 10, 25, 2, 30, tzinfo=Vienna)", "dt.datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)",
        "dt.datetime(2000, 1, 1, tzinfo=UTC)",
    ],
    "time": ["dt.time(0, 30, 0, 5)", "dt.time(3, 30, 3, 5)", "dt.time(12, 0)"],
    "duration": ["dt.timedelta(0)", "dt.timedelta(days=1, seconds=1, microseconds=1)", "dt.timedelta(hours=-1)", "dt.timedelta(days=2)"],
    "uuid": ["uuid.UUID(int=1)", "uuid.UUID(int=3)", "uuid.UUID(int=99)"],
    "json": ["{'x': 1}", "[]", "{}", "'x'", "5", "{'x': 1, 'y': {'z': [1, 2, 'a']}}", "[1, 'x', None]", "True", "1.5"],
    "ip": ["'10.0.0.1'", "'::1'", "'192.168.0.7'", "'10.0.0.99'"],
}  # fmt: skip

ODD = {
    "key": ["None", "'1'", "True", "2**63", "-1", "1.5", "'x'"],
    "int": ["None", "'2'", "True", "2**31", "-2**63 - 1", "2**70", "1.5", "'x'", "D('2')", "[]"],
    "decimal": ["None", "'1.10'", "1.1", "D('1.004')", "D('100000')", "True", "'x'", "D('NaN')", "1e30"],
    "float": ["None", "'1.5'", "D('1.5')", "float('inf')", "float('nan')", "'x'", "2**70"],
    "text": ["None", "5", "True", "1.5", "dt.date(2024, 1, 28)", "'\\x00'", "[]"],
    "bool": ["None", "1", "0", "'True'", "'false'", "'t'", "2", "'x'"],
    "date": ["None", "'2024-02-28'", "dt.datetime(2024, 2, 28, 23, 30, tzinfo=UTC)", "dt.date.min", "dt.date.max", "'x'", "5"],
    "datetime": ["None", "'2024-02-29T23:30:00Z'", "'2024-02-29T23:30:00+05:00'", "'x'", "5", "dt.datetime(2024, 2, 29, 23, 30, tzinfo=Auckland)"],
    "time": ["None", "'03:30:03.000005'", "'12:00'", "'x'", "5"],
    "duration": ["None", "'1 00:00:01'", "'x'", "5"],
    "uuid": ["None", "'00000000000000000000000000000001'", "'x'", "1"],
    "json": ["None", "D('1.5')", "'\"x\"'", "''", "[None]", "{'a.b': 1}", "{'x': None}"],
    "ip": ["None", "'::ffff:10.0.0.1'", "'x'", "''", "5"],
}  # fmt: skip


def constant(draw, kind, odd=0.06):
    """Draw a constant for a column of this kind."""
    return draw.choice(ODD[kind] if draw.random() < odd else FITTING[kind])


def constants(draw, kind, odd=0.04):
    """Draw the source of a list of constants."""
    return "[" + ", ".join(constant(draw, kind, odd) for _ in range(draw.randint(0, 3))) + "]"
