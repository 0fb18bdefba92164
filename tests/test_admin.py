"""The admin's lists and forms, over HTTP."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest

from tests.cinema import ALL, Browser, Cinema, Film, Role, Showing, Tone


@pytest.fixture
def cinema(database):
    database.create(*ALL)
    return database


async def filled(number=4):
    """Store films; the first one plays at the first cinema, and so on."""
    houses = [await Cinema.objects.acreate(name=name) for name in ("Apollo", "Rex")]
    await Tone.objects.abulk_create([Tone(word="dark"), Tone(word="loud")])
    films = [
        Film(title=title, cinema=houses[place % 2], minutes=60 + place, price=Decimal(place))
        for place, title in zip(range(number), ("Alien", "Brazil", "Cabaret", "Dune", "Psycho"), strict=False)
    ]
    for film in films:
        await film.asave()
        await film.tones.aset(["dark", "loud"])
    return films


async def test_a_list_takes_one_query_and_one_for_each_column_of_several(cinema):
    films, site = await filled(), Browser()
    page = await site.get("film/list")
    assert page.rows == [str(film.pk) for film in films[:3]]
    assert "Alien" in page.text
    assert "Apollo" in page.text
    assert "dark" in page.text
    assert "Dune" not in page.text
    assert "1 - 3" in page.text.replace("to", "-") or "4" in page.text
    assert len(site.selects) == 3  # the page with its cinemas, the tones of the page, the number of all
    assert len(site.queries) == 3
    assert (await site.get("film/list?page=2")).rows == [str(films[3].pk)]
    assert (await site.get(f"film/list?page={10**40}")).rows == []
    assert (await site.get("film/list?page_size=7")).status == 400
    # The getter reads `obj.cinema`, which is read along; the text of a showing reads film and cinema: once for the page.
    await Showing.objects.abulk_create([Showing(film=film) for film in films])
    page = await site.get("showing/list")
    assert len(page.rows) == 4
    assert "Dune at Rex" in page.text
    assert len(site.selects) == 3  # the page with its films, the cinemas of all films, the number of all


async def test_lists_are_searched_filtered_and_ordered(cinema):
    alien, brazil, cabaret, dune, psycho = await filled(5)
    site = Browser()

    async def found(**query):
        return (
            await site.get(f"film/list?page_size=100&{'&'.join(f'{k}={v}' for k, v in query.items())}")
        ).rows

    def keys(*films):
        return [str(film.pk) for film in films]

    assert await found(q="ALIEN") == keys(alien)
    assert await found(q="l n") == keys(alien)  # each word, wherever
    assert await found(q="62") == keys(cabaret)  # whole numbers, exactly
    assert await found(q="%25") == []
    assert await found(filter="title__contains=a") == keys(alien, brazil, cabaret)
    assert await found(filter="title__startswith=a%20OR%20minutes__gte=63") == keys(alien, dune, psycho)
    assert await found(
        filter="price__between=1..2.0%20AND%20(title__eq=Brazil%20OR%20title__eq=Dune)"
    ) == keys(brazil)
    assert await found(filter="title__not_contains=a") == keys(dune, psycho)
    assert await found(filter=f"cinema__eq={alien.cinema_id}") == keys(alien, cabaret, psycho)
    assert await found(filter="age__in=18") == []
    assert await found(filter="age__in=0,18%20AND%20seen__is_true") == keys(
        alien, brazil, cabaret, dune, psycho
    )
    assert await found(filter="liked__in=true") == await found(filter="begins__is_not_null") == []
    assert len(await found(filter="made__between=2000-01-01T00:00..2999-01-01T00:00")) == 5
    assert await found(sort="price__desc") == keys(psycho, dune, cabaret, brazil, alien)
    assert await found(sort="cinema__desc") == keys(
        brazil, dune, alien, cabaret, psycho
    )  # by its own ordering
    for wrong in (
        "minutes__gt=many",
        "age__in=old",
        "price__eq=nan%2B",
        "begins__eq=soon",
        "cinema__eq=x",
        "tones__eq=1",
    ):
        page = await site.get(f"film/list?filter={wrong}")
        assert page.status == 400, wrong
    assert (await site.get("film/list?q=%00")).status == 400
    assert (await site.get("film/list?filter=title__eq=%00")).status == 400
    # A search over a relation to many finds a row once.
    page = await site.get("cinema/list?q=a")
    assert (page.rows, "Showing 1 to 2 of 2" in page.text) == (
        [str(alien.cinema_id), str(brazil.cinema_id)],
        True,
    )
    assert (await site.get("cinema/list?q=une")).rows == [str(dune.cinema_id)]


async def test_select_boxes_ask_for_related_rows(cinema):
    await filled()
    site = Browser()
    await Cinema.objects.acreate(name="<b>Bold</b>")
    answer = json.loads((await site.get("_api/cinema/relation-lookup?q=bold")).html)
    assert answer["total"] == 1
    assert answer["items"][0]["_meta"]["select2"]["result"] == "<span>&lt;b&gt;Bold&lt;/b&gt;</span>"
    assert len(site.selects) == 2
    rows = [str(one.pk) async for one in Cinema.objects.all()]
    answer = json.loads((await site.get(f"_api/cinema/relation-lookup?pks={rows[0]}&pks=x")).html)
    assert [item["pk"] for item in answer["items"]] == rows[:1]


async def test_a_box_offers_what_may_be_chosen(cinema):
    films, site = await filled(), Browser()
    await Film.objects.filter(pk=films[1].pk).aupdate(seen=False)
    page = await site.get("showing/create")
    assert 'data-url="http://localhost/admin/_api/showing/choices/film"' in page.html

    async def offered(path, **headers):
        answer = await site.get(f"_api/{path}", **headers)
        return (
            [item["pk"] for item in json.loads(answer.html)["items"]]
            if answer.status == 200
            else answer.status
        )

    # limit_choices_to leaves out what was not seen; what is chosen already is shown all the same.
    assert await offered("showing/choices/film") == [str(films[place].pk) for place in (0, 2, 3)]
    assert await offered("showing/choices/film?q=dune") == [str(films[3].pk)]
    assert await offered("showing/choices/film?skip=1&limit=1") == [str(films[2].pk)]
    assert await offered(f"showing/choices/film?pks={films[1].pk}") == [str(films[1].pk)]
    assert await offered("film/choices/tones?q=LOUD") == ["loud"]
    assert len(site.selects) == 2
    await Cinema.objects.acreate(name="Secret")
    assert len(await offered("film/choices/cinema")) == 2
    assert len(await offered("film/choices/cinema", spy="1")) == 3
    assert await offered("film/choices/title") == await offered("film/choices/x.y") == 404
    assert await offered("film/choices/cinema?q=%00") == 400
    assert await offered("film/choices/cinema?skip=x&limit=-1") == await offered("film/choices/cinema")
    assert await offered(f"film/choices/cinema?skip={'9' * 30}") == []
    assert "<b>" not in (await site.get("_api/film/choices/cinema")).html


async def test_pages_show_what_is_stored(cinema):
    film = (await filled(1))[0]
    film.poster, film.facts, film.lasts = b"\0\1", {"a": [1]}, dt.timedelta(minutes=61)
    film.liked, film.site, film.age = False, "https://example.com/x", 99
    await film.asave()
    await Role.objects.abulk_create(
        [Role(film=film, actor="Sigourney", fee=7), Role(film=film, actor="<i>John</i>")]
    )
    site = Browser()
    page = await site.get(f"film/detail?pk={film.pk}")
    for text in (
        "Alien",
        "Apollo",
        "dark",
        "2 bytes",
        "1:01:00",
        "99",
        "No",
        "https://example.com/x",
        "Sigourney",
    ):
        assert text in page.text
    assert "<i>John" not in page.html
    assert len(site.selects) == 3  # the film with its cinema, its tones, its roles
    # The value of a choice that exists no more, and a form of it.
    assert (await site.get("film/list")).status == (await site.get(f"film/edit?pk={film.pk}")).status == 200
    assert len(site.selects) == 3  # the film, its tones, its roles
    for key in ("0", "x", "1,2", f"{10**30}", "%00", ""):
        assert (await site.get(f"film/detail?pk={key}")).status == 404
    page = await site.get(f"cinema/detail?pk={film.cinema_id}")
    assert "Alien at Apollo" in page.text  # the films that refer to it
    assert len(site.selects) == 2
