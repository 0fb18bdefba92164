"""Rows as dicts, tuples and single values (S7, S8)."""

from __future__ import annotations

import pytest

from tests.forms.models import Person


async def test_values_in_async_code(people, assert_queries):
    ordered = Person.objects.order_by("pk")
    dicts = [{"username": "ann", "age": 30}, {"username": "bob", "age": 40}, {"username": "cyd", "age": 50}]
    for asked in (
        lambda: ordered.avalues("username", "age"),
        lambda: ordered.values("username", "age"),
        lambda: collected(ordered.values("username", "age")),
    ):
        with assert_queries(1):
            assert await asked() == dicts
    for asked in (
        lambda: ordered.avalues_list("username", flat=True),
        lambda: ordered.values_list("username", flat=True),
        lambda: collected(ordered.values_list("username", flat=True)),
    ):
        with assert_queries(1):
            assert await asked() == ["ann", "bob", "cyd"]
    with assert_queries(1):
        shown = [f"{key}: {name}" async for key, name in ordered.values_list("id", "username")]
    assert shown == ["1: ann", "2: bob", "3: cyd"]
    assert await ordered.avalues_list("username") == [("ann",), ("bob",), ("cyd",)]
    assert (await ordered.avalues_list("username", "age", named=True))[0].age == 30
    with assert_queries(0), pytest.raises(TypeError, match="'flat' is not valid"):
        await ordered.avalues_list("username", "age", flat=True)


async def collected(rows):
    return [row async for row in rows]


def test_values_in_sync_code(people, assert_queries):
    ordered = Person.objects.order_by("pk")
    with assert_queries(3):
        assert list(ordered.values("username")) == [
            {"username": "ann"},
            {"username": "bob"},
            {"username": "cyd"},
        ]
        assert list(ordered.values_list("username", flat=True)) == ["ann", "bob", "cyd"]
        assert list(ordered.values_list("id", "username"))[2] == (3, "cyd")
    with assert_queries(0), pytest.raises(TypeError, match="'flat' is not valid"):
        ordered.values_list("username", "age", flat=True)
