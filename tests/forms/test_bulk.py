"""Many objects in few statements (S14, S15)."""

from __future__ import annotations

from facade import CaptureQueriesContext, connection
from tests.forms.models import Person


def new_people():
    return [Person(username=f"user{number}", email=f"user{number}@example.org") for number in range(100)]


def statements(captured, verb):
    return [query["sql"].split()[0] for query in captured].count(verb)


async def test_bulk_in_async_code(articles, database, assert_queries):
    with assert_queries(1):
        created = await Person.objects.abulk_create(new_people())
    assert [person.pk for person in created] == list(range(4, 104))
    for person in created:
        person.email, person.is_active = "", False
    with CaptureQueriesContext(connection) as captured:
        assert (
            await Person.objects.filter(is_active=True).abulk_update(created, ["email", "is_active"]) == 100
        )
    assert statements(captured, "UPDATE") == 1
    assert database.observe("SELECT count(*) FROM forms_person WHERE email = '' AND age IS NULL") == [(100,)]
    assert len(await Person.objects.ain_bulk(range(1, 6))) == 5
    await Person.objects.filter(age=None).adelete()
    with CaptureQueriesContext(connection) as captured:
        await Person.objects.abulk_create(new_people(), batch_size=40)
    assert statements(captured, "INSERT") == 3


def test_bulk_in_sync_code(articles, database, assert_queries):
    with assert_queries(1):
        created = Person.objects.bulk_create(new_people())
    assert [person.pk for person in created] == list(range(4, 104))
    for person in created:
        person.email, person.is_active = "", False
    with CaptureQueriesContext(connection) as captured:
        assert Person.objects.filter(is_active=True).bulk_update(created, ["email", "is_active"]) == 100
    assert statements(captured, "UPDATE") == 1
    assert database.observe("SELECT count(*) FROM forms_person WHERE email = '' AND age IS NULL") == [(100,)]
    assert len(Person.objects.in_bulk(range(1, 6))) == 5
