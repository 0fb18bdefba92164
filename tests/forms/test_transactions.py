"""One `atomic` for both worlds, in the forms of the guides."""

from __future__ import annotations

import asyncio
import functools
from decimal import Decimal

import pytest

import facade
from facade import aatomic, atomic, transaction
from facade.models import F
from tests.forms.models import Account


def balances(database):
    # SQLite's are numbers: outside of facade they need to be rounded.
    return [
        round(Decimal(row[0]), 2) for row in database.observe("SELECT balance FROM forms_account ORDER BY id")
    ]


BEFORE, AFTER = [Decimal(100), Decimal("0.1")], [Decimal("69.9"), Decimal("30.2")]
AMOUNT = Decimal("30.10")


def transfer(from_id, to_id, amount):
    """The transfer of the guides, as a sync function."""
    with transaction.atomic():
        from_account = Account.objects.select_for_update().get(id=from_id)
        to_account = Account.objects.select_for_update().get(id=to_id)
        from_account.balance -= amount
        to_account.balance += amount
        from_account.save()
        to_account.save()
    return {"success": True}


async def atransfer(from_id, to_id, amount):
    await Account.objects.filter(id=from_id).aupdate(balance=F("balance") - amount)
    await Account.objects.filter(id=to_id).aupdate(balance=F("balance") + amount)
    return {"success": True}


async def in_a_block(*given):
    async with atomic():
        return await atransfer(*given)


async def in_a_block_by_its_seed_name(*given):
    async with aatomic():
        return await atransfer(*given)


async def by_run(*given):
    return await facade.run(transfer, *given)


async def in_a_thread(*given):
    return await asyncio.to_thread(transfer, *given)


async def by_sync_to_async(*given):
    sync = pytest.importorskip("asgiref.sync")
    return await sync.sync_to_async(transfer)(*given)


WAYS = [
    in_a_block,
    in_a_block_by_its_seed_name,
    atomic(atransfer),
    atomic(durable=True)(atransfer),
    transaction.atomic("default")(atransfer),
    by_run,
    in_a_thread,
    by_sync_to_async,
]


async def test_a_transfer_in_async_code(accounts, database):
    for way in WAYS:
        assert await way(1, 2, AMOUNT) == {"success": True}
        assert balances(database) == AFTER, way
        await way(2, 1, AMOUNT)
        assert balances(database) == BEFORE, way


SYNC_WAYS = [transfer, atomic(transfer), atomic(using="default")(transfer), aatomic(transfer)]


def test_a_transfer_in_sync_code(accounts, database):
    for way in SYNC_WAYS:
        assert way(1, 2, AMOUNT) == {"success": True}
        assert balances(database) == AFTER
        way(2, 1, AMOUNT)
        assert balances(database) == BEFORE


async def test_a_transfer_that_fails_leaves_nothing_in_async_code(accounts, database):
    @atomic
    async def failing():
        await atransfer(1, 2, AMOUNT)
        raise LookupError

    @functools.partial(facade.run)
    def failing_run():
        transfer(1, 2, AMOUNT)
        with atomic():
            transfer(1, 2, AMOUNT)
            raise LookupError

    with pytest.raises(LookupError):
        await failing()
    assert balances(database) == BEFORE
    with pytest.raises(LookupError):
        await failing_run
    assert balances(database) == AFTER, "the first transfer had a block of its own"


def test_a_transfer_that_fails_leaves_nothing_in_sync_code(accounts, database):
    with pytest.raises(Account.DoesNotExist):
        transfer(1, 99, AMOUNT)
    with pytest.raises(LookupError), atomic():
        transfer(1, 2, AMOUNT)
        raise LookupError
    assert balances(database) == BEFORE


async def test_an_inner_block_that_fails_keeps_the_outer_work(accounts, database):
    done = []
    async with atomic():
        await Account.objects.acreate(owner="cyd", balance=1)
        with pytest.raises(LookupError):
            async with atomic():
                await atransfer(1, 2, AMOUNT)
                transaction.on_commit(lambda: done.append("inner"))
                raise LookupError
        transaction.on_commit(lambda: done.append("outer"))
    assert (balances(database), done) == ([*BEFORE, Decimal(1)], ["outer"])
