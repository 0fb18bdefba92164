"""The recipes of docs/ are right when many follow them at the same time, in threads and in tasks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import pytest

import facade
from facade import transaction
from facade.testing import isolate_apps
from tests.test_docs import ROOT, Reader, blocks_of


@pytest.fixture
def recipe(database, tmp_path, monkeypatch):
    """Run the modules of a page and get their names; what the page does at its prompt is left out."""
    monkeypatch.chdir(tmp_path)

    def load(name, first=None):
        reader = Reader(ROOT / "docs" / f"{name}.md", (database.url, True))
        text = reader.page.read_text()
        modules = [block[2] for block in blocks_of(text) if block[1] == "python"]
        for source in modules[:first]:
            reader.run_module(reader.on_the_server(source), 1)
        return SimpleNamespace(**reader.names)

    with isolate_apps("library"):
        yield load


@pytest.fixture
def at_once(face):
    """Run functions side by side, and get what each returned, or raised."""

    def outcome(work):
        try:
            return work()
        except Exception as error:
            return error

    async def in_tasks(works):
        return await asyncio.gather(*(facade.run(outcome, work) for work in works))

    def in_threads(works):
        with ThreadPoolExecutor(len(works)) as threads:
            return list(threads.map(outcome, works))

    return lambda *works: face.wait(in_tasks(works)) if face.is_async else in_threads(works)


def test_no_more_is_taken_than_there_is(face, recipe, at_once):
    page = recipe("locking")
    lamp = page.Item.objects.create(name="lamp", stock=5)
    taken = at_once(*[partial(page.take, lamp.pk, 1)] * 8)
    assert sorted(taken) == [False] * 3 + [True] * 5
    assert page.Item.objects.get().stock == 0


def test_one_of_many_changes_a_version(face, recipe, at_once):
    page = recipe("locking")
    lamp = page.Item.objects.create(name="lamp")
    told = at_once(*(partial(page.change, lamp.pk, version=1, name=f"lamp {n}") for n in range(6)))
    assert [type(one) for one in told if one is not None] == [page.Stale] * 5
    assert page.Item.objects.get().version == 2


def test_rows_that_are_locked_in_one_order_keep_their_sum(face, recipe, at_once):
    page = recipe("locking")
    one, two, three = page.Item.objects.bulk_create([page.Item(name=n, stock=20) for n in "abc"])
    pairs = [(one, two), (two, three), (three, one), (two, one), (three, two), (one, three)] * 2
    assert at_once(*(partial(page.move, a.pk, b.pk, 1) for a, b in pairs)) == [None] * 12
    assert [item.stock for item in page.Item.objects.order_by("pk")] == [20, 20, 20]


def test_a_rule_over_all_rows_holds_where_transactions_are_serializable(face, recipe, at_once):
    page = recipe("locking")
    added = at_once(*(partial(page.add_within, 10, f"item {n}", 4) for n in range(4)))
    assert sorted(added) == [False, False, True, True]


def test_a_request_that_is_repeated_meanwhile_is_carried_out_once(face, recipe, at_once):
    page = recipe("outbox")
    account = page.Account.objects.create()
    answers = at_once(*[partial(page.deposit, "key", account.pk, 10)] * 6)
    assert answers == [{"balance": 10}] * 6
    assert page.Account.objects.get().balance == 10
    assert page.Message.objects.count() == 1


def test_several_workers_send_each_message_once(face, recipe, at_once):
    page = recipe("outbox")
    page.Message.objects.bulk_create([page.Message(topic="t", body=n) for n in range(12)])
    sent = []

    def work():
        while page.deliver(lambda message: sent.append(message.body), limit=2):
            pass

    assert at_once(*[work] * 3) == [None] * 3
    assert sorted(sent) == list(range(12))


@pytest.mark.faces("async")
def test_several_tasks_send_each_message_once(face, recipe):
    page = recipe("outbox")
    page.Message.objects.bulk_create([page.Message(topic="t", body=n) for n in range(12)])
    sent = []

    async def send(message):
        await asyncio.sleep(0)
        sent.append(message.body)

    async def work():
        while await page.adeliver(send, limit=2):
            pass

    async def all_of_them():
        await asyncio.gather(*(work() for _ in range(3)))

    face.wait(all_of_them())
    assert sorted(sent) == list(range(12))


def test_money_is_neither_lost_nor_made(face, recipe, at_once):
    page = recipe("money")
    accounts = [page.Account.objects.create(owner=name, currency="EUR", units=100) for name in "abc"]
    one, two, three = (account.pk for account in accounts)
    pairs = [(one, two), (two, three), (three, one), (two, one), (three, two), (one, three)] * 2
    told = at_once(*(partial(page.transfer, a, b, "0.60", "EUR") for a, b in pairs))
    assert {type(one) for one in told} <= {type(None), page.Refused}
    units = list(page.Account.objects.values_list("units", flat=True))
    assert sum(units) == 300
    assert min(units) >= 0


def test_branches_that_are_moved_below_each_other_make_no_circle(face, recipe, at_once):
    page = recipe("trees")
    root = page.Part.objects.create(name="root")
    left, right = page.Part.objects.bulk_create([page.Part(name=n, parent=root) for n in ("left", "right")])
    told = at_once(*[partial(page.move, left.pk, right.pk), partial(page.move, right.pk, left.pk)] * 2)
    assert {type(one) for one in told} == {type(None), page.Circle}
    assert page.Part.objects.filter(pk__in=page.subtree(root.pk)).count() == 3


@pytest.mark.without("mariadb", reason="it has no conditional constraints, as the page says")
def test_a_title_that_is_free_again_is_taken_once(face, recipe, at_once):
    page = recipe("soft-deletion")
    shelf = page.Shelf.objects.create(name="shelf")
    page.Paper.objects.create(shelf=shelf, title="title").delete()
    make = partial(page.Paper.objects.get_or_create, title="title", defaults={"shelf": shelf})
    assert sorted(made for _, made in at_once(*[make] * 6)) == [False] * 5 + [True]
    removed = at_once(*[page.Paper.objects.get().delete] * 4)
    assert sorted(count for count, _ in removed) == [0, 0, 0, 1]


@pytest.mark.without("mariadb", reason="it takes no unique_fields, as the page says")
def test_loads_of_the_same_rows_do_not_wait_for_each_other_in_circles(face, recipe, at_once):
    page = recipe("bulk-loads")
    codes = [f"code {number}" for number in range(60)]
    rows = [[(code, price) for code in order] for price, order in enumerate([codes, codes[::-1]] * 2)]
    assert at_once(*(partial(page.load, some, size=30) for some in rows)) == [None] * 4
    assert page.Item.objects.count() == 60


def test_keys_that_are_set_meanwhile_are_all_there(face, recipe, at_once):
    page = recipe("json")
    event = page.Event.objects.create(data={})
    rows = page.Event.objects.filter(pk=event.pk)
    at_once(*(partial(rows.update, data=page.with_key("data", f"key {n}", {"n": n})) for n in range(6)))
    assert page.Event.objects.get().data == {f"key {n}": {"n": n} for n in range(6)}


def test_a_cache_keeps_no_rows_that_were_read_before_a_commit(face, recipe):
    page = recipe("caching")
    page.set_rate("USD", 1)
    dollars = page.Rate.objects.filter(currency="USD")

    def changed_while_read():
        rows = list(dollars.all())
        page.set_rate("USD", 2)
        yield from rows

    assert [rate.value for rate in page.cache.get("USD", changed_while_read())] == [1]
    assert [rate.value for rate in face(page.cache.get, "USD", dollars.all())] == [2]


@pytest.mark.faces("sync")
def test_a_cache_is_emptied_after_the_commit_and_not_filled_before(face, recipe, at_once):
    page = recipe("caching")
    page.set_rate("USD", 1)
    dollars = page.Rate.objects.filter(currency="USD")
    with transaction.atomic():
        page.set_rate("USD", 2)
        assert [rate.value for rate in page.cache.get("USD", dollars.all())] == [2]
        (rows,) = at_once(partial(page.cache.get, "USD", dollars.all()))
        assert [rate.value for rate in rows] == [1]
    assert [rate.value for rate in page.cache.get("USD", dollars.all())] == [2]


@pytest.mark.without("mariadb", reason="the page has no triggers for it")
def test_every_write_has_its_row_in_the_history(face, recipe, at_once):
    page = recipe("history", first=4)
    account = page.Account.objects.create(owner="Ada")
    more = page.F("limit") + 1
    at_once(*[partial(page.Account.objects.filter(pk=account.pk).update, limit=more)] * 6)
    after = [change.after["limit"] for change in page.Change.objects.order_by("pk")]
    assert after == [0, 1, 2, 3, 4, 5, 6]
