"""Money and seats: they add up, whatever happens."""

from __future__ import annotations

from decimal import Decimal

from tickets.models import Account, Booking, Entry, Event


def balance(account):
    """The balance, which has to be what its entries say."""
    account.refresh_from_db()
    return account.balance


def book(client, account, event, tickets):
    return client.post("/bookings", json={"account": account.pk, "event": event.pk, "tickets": tickets})


def test_a_booking_moves_seats_and_money(client, ann, show):
    answer = book(client, ann, show, 2)
    assert (answer.status_code, answer.json()["paid"]) == (201, "14.70")
    show.refresh_from_db()
    assert (show.sold, balance(ann)) == (2, Decimal("5.30"))
    assert list(ann.entries.values_list("amount", "reason")) == [(Decimal("-14.70"), f"event {show.pk}")]


def test_a_booking_that_is_refused_leaves_nothing(client, ann, show):
    answer = book(client, ann, show, 3)
    assert (answer.status_code, answer.json()) == (409, {"detail": "Ann has not enough money."})
    answer = book(client, ann, show, 4)
    assert (answer.status_code, answer.json()) == (409, {"detail": "Show has only 3 seats left."})
    assert book(client, ann, show, 0).status_code == 422
    assert (Booking.objects.count(), Entry.objects.count()) == (0, 0)
    assert (Event.objects.get().sold, balance(ann)) == (0, Decimal("20.00"))


def test_who_cancels_gets_the_money_back(client, ann, show):
    reference = book(client, ann, show, 2).json()["reference"]
    assert client.delete(f"/bookings/{reference}").json()["balance"] == "20.00"
    assert client.delete(f"/bookings/{reference}").status_code == 404
    assert Event.objects.get().sold == 0


def test_a_cent_is_a_cent(client, ann):
    bob = Account.objects.create(name="Bob", email="bob@example.org")
    for _ in range(30):
        answer = client.post("/transfers", json={"payer": ann.pk, "payee": bob.pk, "amount": "0.01"})
        assert answer.status_code == 200
    assert (balance(ann), balance(bob)) == (Decimal("19.70"), Decimal("0.30"))
    assert (
        client.post("/transfers", json={"payer": ann.pk, "payee": ann.pk, "amount": "1"}).status_code == 409
    )
    assert (
        client.post("/transfers", json={"payer": ann.pk, "payee": bob.pk, "amount": "0.001"}).status_code
        == 422
    )
    assert (
        client.post("/transfers", json={"payer": bob.pk, "payee": ann.pk, "amount": "0.31"}).status_code
        == 409
    )
    assert (balance(ann), balance(bob)) == (Decimal("19.70"), Decimal("0.30"))


def test_accounts(client, ann):
    assert (
        client.post("/accounts", json={"name": "Bob", "email": "bob@example.org"}).json()["balance"] == "0.00"
    )
    answer = client.post("/accounts", json={"name": "Ann", "email": "ann@example.org"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "email"]
    assert client.post(f"/accounts/{ann.pk}/deposits", json={"amount": "0.30"}).json()["balance"] == "20.30"


def test_bookings_are_paged_by_a_cursor_and_exported(client, ann, show):
    for _ in range(2):
        assert book(client, ann, show, 1).status_code == 201
    path = f"/accounts/{ann.pk}/bookings"
    first = client.get(path, params={"size": 1}).json()
    second = client.get(path, params={"size": 1, "cursor": first["next"]}).json()
    assert first["items"][0]["reference"] != second["items"][0]["reference"]
    assert second["next"] is None
    lines = client.get("/bookings.ndjson").text.splitlines()
    assert len(lines) == 2
    assert '"paid":"7.35"' in lines[0]
