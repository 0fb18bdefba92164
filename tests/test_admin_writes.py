"""What the admin writes: forms, children, actions, deletions, and what is told of it."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest

from facade import pool_stats
from tests.cinema import ALL, Browser, Cinema, Film, Role, Tone


@pytest.fixture
def cinema(database):
    database.create(*ALL)
    return database


async def one_film(**values):
    house = await Cinema.objects.acreate(name="Apollo")
    return await Film.objects.acreate(**({"title": "Alien", "cinema": house} | values))


def sent(**values):
    """What a browser sends of the form of a film."""
    whole = {
        "title": "Alien",
        "cinema": "",
        "age": "0",
        "price": "9.50",
        "seen": "on",
        "facts": "null",
        "token": str(uuid.uuid4()),
    }
    return {name: value for name, value in (whole | values).items() if value is not None}


async def test_a_form_stores_every_kind_of_value(cinema):
    house, site = await Cinema.objects.acreate(name="Apollo"), Browser()
    await Tone.objects.abulk_create([Tone(word="dark"), Tone(word="loud, really.")])
    page = await site.get("film/create")
    assert 'value="9.50"' in page.html  # the default
    assert site.queries == []
    form = sent(
        cinema=str(house.pk),
        tones=["dark", "loud, really."],
        age="18",
        minutes="117",
        score="8.5",
        liked="False",
        notes="one\r\ntwo",
        facts='{"year": 1979}',
        begins="2013-01-02 20:15:00",
        at="20:15:00",
        lasts="1:57:00",
        site="https://example.com/alien",
        code="alien",
        seen=None,
    )
    page = await site.post("film/create", form)
    assert (page.status, page.errors) == (303, {"": ""})
    film = await Film.objects.prefetch_related("tones").aget()
    assert (film.age, film.minutes, film.score, film.seen, film.liked) == (18, 117, 8.5, False, False)
    assert (film.notes, film.facts, str(film.token)) == ("one\ntwo", {"year": 1979}, form["token"])
    assert film.begins == dt.datetime(2013, 1, 2, 20, 15, tzinfo=dt.UTC)
    assert (film.at, film.lasts) == (dt.time(20, 15), dt.timedelta(minutes=117))
    assert sorted(tone.word for tone in film.tones.all()) == ["dark", "loud, really."]

    # The time zone is the site's, whatever a browser says of its own.
    site.client.cookies.set("timezone", "Asia/Tokyo")

    # What comes back as it was shown stays as it is: microseconds, line ends, an empty document.
    exact = dt.datetime(2013, 1, 2, 20, 15, 0, 7, tzinfo=dt.UTC)
    await Film.objects.aupdate(begins=exact, notes="a\r\nb", facts={})
    form |= {"notes": "a\nb", "facts": "null", "title": "Aliens", "tones": ["dark"]}
    assert (await site.post(f"film/edit?pk={film.pk}", form)).status == 303
    film = await Film.objects.aget()
    assert (film.title, film.begins, film.notes, film.facts) == ("Aliens", exact, "a\r\nb", {})
    assert [tone.word async for tone in film.tones.all()] == ["dark"]
    # The tones as they were: nothing is written for them.
    assert (await site.post(f"film/edit?pk={film.pk}", form)).status == 303
    assert not any("tones" in sql for sql in site.queries if not sql.startswith("SELECT"))


async def test_what_the_model_refuses_is_said_at_its_field(cinema):
    film, site = await one_film(), Browser()
    house = str(film.cinema_id)

    async def errors(path="film/create", **values):
        page = await site.post(path, sent(**values))
        assert page.status == 422
        return page.errors

    found = await errors(
        title="x" * 31,
        cinema="",
        minutes="-1",
        price="dear",
        score="high",
        age="7",
        token="1",
        begins="soon",
        at="late",
        site="no",
        code="a b",
        facts="{",
        tones=["none"],
    )
    assert found["title"].startswith("Ensure this value has at most 30 characters")
    assert found["cinema"] == "This field cannot be null."
    assert found["minutes"] == "Ensure this value is greater than or equal to 0."
    assert "must be a decimal number" in found["price"]
    assert "must be a float" in found["score"]
    assert found["age"] == "Value 7 is not a valid choice."
    assert "is not a valid UUID" in found["token"]
    assert "invalid format" in found["begins"]
    assert "invalid format" in found["at"]
    assert found["site"] == "Enter a valid URL."
    assert found["code"].startswith("Enter a valid “slug”")
    assert found["tones"].startswith("Select a valid choice")
    assert (await errors(title="a\0b", cinema=house))["title"] == "Null characters are not allowed."
    assert (await errors(cinema="99"))["cinema"].startswith("Select a valid choice")
    # What concerns the whole stands at the top, and nothing that was typed is lost.
    assert (await errors(cinema=house, title="Nothing"))[""] == "A film is something."
    assert (await errors(cinema=house))[""] == "Film with this Name and Cinema already exists."
    assert "film_price_positive" in (await errors(cinema=house, title="New", price="-1"))[""]
    page = await site.post(f"film/edit?pk={film.pk}", sent(cinema=house, title="", notes="kept", price="1,5"))
    assert "kept</textarea>" in page.html
    assert 'value="1,5"' in page.html
    assert "This field cannot be blank." in page.errors["title"]
    assert await Film.objects.acount() == 1
    # Rows that the user may not see are no choice, in neither direction.
    secret = await Cinema.objects.acreate(name="Secret")
    assert (await errors(cinema=str(secret.pk)))["cinema"].startswith("Select a valid choice")
    assert (await site.get(f"cinema/edit?pk={secret.pk}")).status == 404
    assert (await site.post(f"cinema/edit?pk={secret.pk}", {"name": "Mine"})).status == 404
    assert (await site.get(f"cinema/edit?pk={secret.pk}", spy="1")).status == 200


def roles(*rows):
    """What a browser sends of the rows of the children."""
    return {
        f"inlines.role.{place}.{name}": value for place, row in enumerate(rows) for name, value in row.items()
    }


async def test_children_are_stored_with_their_parent_or_not_at_all(cinema):
    film, site = await one_film(), Browser()
    house = str(film.cinema_id)
    kept, gone = [await Role.objects.acreate(film=film, actor=name) for name in ("Ripley", "Kane")]
    other = await Role.objects.acreate(
        film=await Film.objects.acreate(title="Other", cinema_id=film.cinema_id), actor="Me"
    )
    path = f"film/edit?pk={film.pk}"
    page = await site.get(path)
    assert 'value="Ripley"' in page.html
    assert 'value="Kane"' in page.html
    assert 'value="Me"' not in page.html
    rows = roles(
        {"pk": str(kept.pk), "actor": "Ellen", "fee": "5"},
        {"actor": "Kane", "fee": "1"},
        {"actor": "", "fee": ""},
        {"pk": str(gone.pk), "actor": "Kane", "DELETE": "1"},
    )
    assert (await site.post(path, sent(cinema=house, title="Alien 2", **rows))).status == 303
    stored = [(role.actor, role.fee) async for role in film.roles.order_by("actor")]
    assert stored == [("Ellen", 5), ("Kane", 1)]
    # One child is wrong: neither it nor the others nor the parent are stored.
    for wrong, name, said in (
        ({"actor": "Ellen"}, "", "Role with this Film and Actor already exists."),
        (
            {"actor": "x" * 21},
            "inlines.role.1.actor",
            "Ensure this value has at most 20 characters (it has 21).",
        ),
        ({"actor": "", "fee": "many"}, "inlines.role.1.fee", "“many” value must be an integer."),
    ):
        page = await site.post(path, sent(cinema=house, title="Alien 3", **roles({"actor": "Ash"}, wrong)))
        assert (page.status, page.errors[name]) == (422, said)
        assert 'value="Ash"' in page.html
        assert await film.roles.acount() == 2
    assert (await Film.objects.aget(pk=film.pk)).title == "Alien 2"
    page = await site.post(
        "film/create", sent(cinema=house, title="New", **roles({"actor": "A"}, {"actor": "A"}))
    )
    assert page.status == 422, page.errors
    assert not await Film.objects.filter(title="New").aexists()
    # Children of others, and what the user may not do.
    for row, headers, status in (
        ({"pk": str(other.pk), "actor": "Mine"}, {}, 404),
        ({"pk": str(other.pk), "DELETE": "1"}, {}, 404),
        ({"pk": "x", "actor": "Mine"}, {}, 404),
        ({"pk": str(kept.pk), "DELETE": "1"}, {"no-firing": "1"}, 403),
    ):
        page = await site.post(path, sent(cinema=house, title="Alien 4", **roles(row)), headers)
        assert page.status == status
    assert (await Role.objects.aget(pk=other.pk)).actor == "Me"
    assert (await Film.objects.aget(pk=film.pk)).title == "Alien 2"
    page = await site.post("film/create", sent(cinema=house, title="New", **roles({"actor": "A"})))
    assert (page.status, page.errors) == (303, {"": ""})
    assert await Role.objects.filter(film__title="New", actor="A").aexists()
    await a_pool_is_empty()


async def test_what_goes_along_is_shown_before_it_is_deleted(cinema):
    film, site = await one_film(), Browser()
    await Role.objects.abulk_create([Role(film=film, actor=f"Actor {number:02}") for number in range(12)])
    await Tone.objects.acreate(word="dark")
    await film.tones.aadd("dark")
    page = await site.get(f"film/delete?pk={film.pk}")
    assert "12 roles" in page.text
    assert "Actor 09 and 2 more" in page.text
    assert "1 film-tone relationship" in page.text
    assert len(site.selects) == 6
    assert await Role.objects.acount() == 12
    # What is protected names who refers to it, and stays.
    page = await site.get(f"cinema/delete?pk={film.cinema_id}")
    assert "still referred to by: 1 film Alien at Apollo" in page.text
    assert "Yes, delete" not in page.text
    page = await site.post("cinema/delete", {"pks": str(film.cinema_id)})
    assert page.status == 409
    assert "1 film (Alien at Apollo)" in page.text
    # From a list: an action that asks first, of all that were chosen.
    other = await Film.objects.acreate(title="Other", cinema_id=film.cinema_id)
    page = await site.post(f"_api/film/action?name=delete&pks={film.pk}&pks={other.pk}", {})
    assert page.status == 200
    assert "Other at Apollo" in page.text
    assert "12 roles" in page.text
    assert await Film.objects.acount() == 2
    page = await site.post(
        "film/delete?_origin=/admin/film/list%3Fq%3DA", {"pks": [str(film.pk), str(other.pk)]}
    )
    assert (page.status, page.answer.headers["location"]) == (303, "/admin/film/list?q=A")
    assert await Film.objects.acount() == await Role.objects.acount() == 0
    assert (await site.get(f"film/delete?pk={film.pk}")).status == 404
    page = await site.post("film/delete?_origin=https://example.com/", {"pks": "x"})
    assert page.status == 404
    await a_pool_is_empty()


async def test_actions_change_all_rows_or_none(cinema):
    films = [await one_film()]
    films += [
        await Film.objects.acreate(title=name, cinema_id=films[0].cinema_id) for name in ("Brazil", "Psycho")
    ]
    site = Browser()

    async def prices():
        return [price async for price in Film.objects.order_by("id").values_list("price", flat=True)]

    keys = "&".join(f"pks={film.pk}" for film in films[:2])
    page = await site.post(f"_api/film/action?name=dearer&{keys}", {})
    assert (page.status, await prices()) == (200, [Decimal("10.50"), Decimal("10.50"), Decimal("9.50")])
    page = await site.post("_api/film/action?name=dearer&all=1&_list_query=q%3Ds", {})
    assert page.answer.json() == {"msg": "Psycho costs what it costs."}
    assert (page.status, await prices()) == (400, [Decimal("10.50"), Decimal("10.50"), Decimal("9.50")])
    assert (await site.post(f"_api/film/row-action?name=forget&pk={films[0].pk}", {})).status == 200
    assert not (await Film.objects.aget(pk=films[0].pk)).seen
    for path in (
        "row-action?name=forget&pk=0",
        "row-action?name=delete&pk=1",
        "row-action?name=x&pk=1",
        "action?name=x&pks=1",
    ):
        assert (await site.post(f"_api/film/{path}", {})).status == 400
    # One value of a list, edited where it stands.
    edit = f"_api/film/inline-edit?pk={films[0].pk}&field=minutes"
    assert (await site.post(edit, {"minutes": "90"})).status == 200
    assert (await Film.objects.aget(pk=films[0].pk)).minutes == 90
    page = await site.post(edit, {"minutes": "-9"})
    assert page.errors["minutes"] == "Ensure this value is greater than or equal to 0."
    assert (await site.post(edit.replace("minutes", "title"), {"title": "x"})).status == 403
    await a_pool_is_empty()


async def a_pool_is_empty():
    for alias, faces in pool_stats().items():
        assert [face for face, figures in faces.items() if figures["in_use"]] == [], alias
