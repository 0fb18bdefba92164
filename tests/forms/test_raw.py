"""SQL by hand (S22)."""

from __future__ import annotations

from facade import connection
from tests.forms.models import Person

OLDER = "SELECT * FROM forms_person WHERE age > %s ORDER BY id"
NAMED = "SELECT * FROM forms_person WHERE age > %(age)s ORDER BY id"


async def test_raw_in_async_code(people, assert_queries):
    with assert_queries(5):
        assert [person async for person in Person.objects.raw(OLDER, [30])] == people[1:]
        assert await Person.objects.araw(OLDER, [30]) == people[1:]
        assert await Person.objects.araw(NAMED, {"age": 30}) == people[1:]
        assert await Person.objects.all().araw(OLDER, [40]) == people[2:]
        assert (await Person.objects.araw("SELECT id, age + 1 AS older FROM forms_person ORDER BY id"))[
            0
        ].older == 31
    async with connection.cursor() as cursor:
        await cursor.aexecute("SELECT count(*) FROM forms_person WHERE age > %s", [30])
        assert cursor.fetchone()[0] == 2


def test_raw_in_sync_code(people, assert_queries):
    with assert_queries(3):
        assert list(Person.objects.raw(OLDER, [30])) == people[1:]
        assert list(Person.objects.raw(NAMED, {"age": 30})) == people[1:]
        assert list(Person.objects.all().raw(OLDER, [40])) == people[2:]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM forms_person WHERE age > %s", [30])
        assert cursor.fetchone()[0] == 2
