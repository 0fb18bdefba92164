"""What the service tells of events, and who may change them."""

from __future__ import annotations

from conftest import event
from tickets.models import Event, Venue

from facade.testing import assert_num_queries


def titles(client, **query):
    answer = client.get("/events", params=query)
    assert answer.status_code == 200, answer.text
    return [found["title"] for found in answer.json()["items"]]


def test_a_page_of_events(client, hall):
    for day in range(1, 6):
        event(hall, f"Day {day}", day, tags=("rock", "open air"))
    answer = client.get("/events", params={"page": 2, "size": 2}).json()
    assert {name: answer[name] for name in ("page", "size", "total", "pages", "has_next")} == {
        "page": 2,
        "size": 2,
        "total": 5,
        "pages": 3,
        "has_next": True,
    }
    first = answer["items"][0]
    assert (first["title"], first["starts"], first["price"]) == ("Day 3", "2030-01-03T20:00:00Z", "10.00")
    assert first["venue"] == {"id": hall.pk, "name": "Old Hall", "city": "Lodz"}
    assert [tag["label"] for tag in first["tags"]] == ["open air", "rock"]


def test_a_page_takes_three_statements_however_long_it_is(client, hall):
    for day in range(1, 21):
        event(hall, f"Day {day}", day, tags=("rock",))
    with assert_num_queries(3):  # the page with its venues, its tags, and how many events there are
        assert len(titles(client, size=10)) == 10


def test_events_are_filtered_searched_and_ordered(client, hall):
    park = Venue.objects.create(name="Park", city="Gdynia")
    event(hall, "Opera", 1, tags=("music",), price="90.00")
    event(hall, "Chess", 2, price="5.00")
    event(park, "Concert", 3, tags=("music", "open air"), price="30.00")
    assert titles(client) == ["Opera", "Chess", "Concert"]
    assert titles(client, venue__city="Gdynia") == ["Concert"]
    assert titles(client, price__lte="30") == ["Chess", "Concert"]
    assert titles(client, starts__gte="2030-01-02T00:00:00Z") == ["Chess", "Concert"]
    assert titles(client, tags__label__in=["music", "open air"]) == ["Opera", "Concert"]
    assert titles(client, search="hall op") == ["Opera"]
    assert titles(client, ordering="-price") == ["Opera", "Concert", "Chess"]
    assert client.get("/events", params={"venue__name": "Park"}).status_code == 422
    assert client.get("/events", params={"ordering": "sold"}).status_code == 422


def test_an_event_that_is_not_there(client):
    answer = client.get("/events/1")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Event matching query does not exist."})


def test_an_event_is_made_and_changed(client, hall):
    new = {
        "venue_id": hall.pk,
        "title": "Show",
        "starts": "2030-05-01T18:00:00Z",
        "price": "7.35",
        "seats": 3,
    }
    answer = client.post("/events", json={**new, "tags": []})
    assert answer.status_code == 201, answer.text
    key = answer.json()["id"]
    assert client.patch(f"/events/{key}", json={"price": "8.00"}).json()["price"] == "8.00"
    found = Event.objects.get()
    assert (str(found.price), found.seats, found.title) == ("8.00", 3, "Show")


def test_what_is_wrong_is_told_field_by_field(client, hall):
    new = {
        "venue_id": 99,
        "title": "Show",
        "starts": "2030-05-01T18:00:00Z",
        "price": "-1.00",
        "seats": -1,
        "tags": [],
    }
    answer = client.post("/events", json=new)
    assert answer.status_code == 422
    assert {error["loc"][-1] for error in answer.json()["detail"]} >= {"seats"}
    assert client.post("/events", json={**new, "seats": 1}).status_code == 422
    assert Event.objects.count() == 0


def test_the_board(client, show):
    (shown,) = client.get("/board").json()
    assert shown["title"] == "Show"
    assert shown["venue"] == {"name": "Old Hall", "city": "Lodz"}


def test_the_report(client, show):
    assert client.get("/report").json() == [{"venue": "Old Hall", "events": 1, "tickets": 0}]


def test_the_admin_is_for_those_who_log_in(client, hall):
    event(hall, "Chess by candlelight")
    assert "Chess" not in client.get("/admin/event/list").text
    token = client.cookies["starlette_admin_csrftoken"]  # against requests that another page makes

    def log_in(password):
        form = {"username": "office", "password": password}
        return client.post("/admin/login", data=form, headers={"X-CSRFToken": token}).status_code

    assert log_in("guessed") == 400
    assert "Chess" not in client.get("/admin/event/list").text
    assert log_in("open sesame") == 200
    assert "Chess by candlelight" in client.get("/admin/event/list").text


def test_the_health_page(client):
    assert client.get("/healthz").json() == {"status": "ok", "databases": {"default": "ok"}}
