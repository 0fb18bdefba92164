"""Django's models with django-async-backend's managers and its connections, one for each task.

Left out, as its documentation has no way for them: ``prefetch_related``, ``aiterator``.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from django.db.models import F, Max
from django_async_backend.db import async_connections, async_new_connection
from django_async_backend.db.transaction import async_atomic

from benchmarks.contenders import Contender
from benchmarks.contenders.django_orm import Draft, Querysets, renumbered, totals
from benchmarks.operations import LISTED, OPERATIONS
from benchmarks.roads import Place, Road


class DjangoAsyncBackend(Contender):
    task: Any = None

    def __init__(self, road: Road, place: Place) -> None:
        super().__init__(road, place)
        self.sets = Querysets("async_objects")
        for name in ["prepare", *(operation.name for operation in OPERATIONS)]:
            if method := getattr(self, name, None):
                setattr(self, name, self.in_own_task(method))

    def in_own_task(self, method: Any) -> Any:
        """A connection belongs to the task that used it first: one of an ended task goes back to the pool."""

        async def call(*arguments: Any) -> Any:
            if self.task is not (task := asyncio.current_task()):
                await self.release()
                self.task = task
            return await method(*arguments)

        return call

    async def release(self) -> None:
        await async_connections["default"].close()
        del async_connections["default"]

    async def close(self) -> None:
        await self.release()
        await async_connections["default"].close_pool()

    async def prepare(self, operation: str, argument: Any) -> Any:
        match operation:
            case "save" | "save_field":
                return await self.sets.drafts.aget(pk=argument[0]), argument[1]
            case "delete_instance":
                return await self.sets.drafts.aget(pk=argument)
            case "update_many":
                return [found async for found in self.sets.drafts.order_by("id")]
        return argument

    async def get(self, key: int) -> Any:
        return await self.sets.books.aget(pk=key)

    async def get_wide(self, key: int) -> Any:
        return await self.sets.wides.aget(pk=key)

    async def page(self, author_id: int) -> Any:
        return [found async for found in self.sets.page(author_id)]

    async def in_100(self, keys: list[int]) -> Any:
        return [found async for found in self.sets.with_keys(keys)]

    async def complex_filter(self, slug: str) -> Any:
        return [found async for found in self.sets.complex(slug)]

    async def list_some(self, count: int) -> Any:
        return [found async for found in self.sets.listed(count)]

    list_all = list_some

    async def list_wide(self, count: int) -> Any:
        return [found async for found in self.sets.wides.order_by("id")[:count]]

    async def values(self, count: int) -> Any:
        return [found async for found in self.sets.listed(count).values(*LISTED)]

    async def values_list(self, count: int) -> Any:
        return [found async for found in self.sets.listed(count).values_list(*LISTED)]

    async def select_related(self, count: int) -> Any:
        return [found async for found in self.sets.listed(count).select_related("author")]

    async def count(self, author_id: int) -> Any:
        return await self.sets.of_author(author_id).acount()

    async def exists(self, author_id: int) -> Any:
        return await self.sets.long_books(author_id).aexists()

    async def aggregate(self, author_id: int) -> Any:
        return await self.sets.of_author(author_id).aaggregate(**totals(), price=Max("price"))

    async def group_by(self, _: None) -> Any:
        return [found async for found in self.sets.by_author()]

    async def insert(self, values: dict[str, Any]) -> Any:
        return await self.sets.drafts.acreate(**values)

    async def inserts(self, rows: list[dict[str, Any]]) -> Any:
        async with async_atomic():
            for values in rows:
                await self.sets.drafts.acreate(**values)

    async def insert_many(self, rows: list[dict[str, Any]]) -> Any:
        return await self.sets.drafts.abulk_create([Draft(**values) for values in rows])

    async def save(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.async_save()

    async def save_field(self, change: tuple[Draft, Decimal]) -> Any:
        draft, draft.price = change
        await draft.async_save(update_fields=["price"])

    async def update(self, change: tuple[int, Decimal]) -> Any:
        key, price = change
        return await self.sets.drafts.filter(pk=key).aupdate(price=price)

    async def update_f(self, start: int) -> Any:
        return await self.sets.some_drafts(start).aupdate(pages=F("pages") + 1)

    async def update_many(self, drafts: list[Draft]) -> Any:
        return await self.sets.drafts.abulk_update(renumbered(drafts), ["pages"])

    async def get_or_create(self, values: dict[str, Any]) -> Any:
        return (await self.sets.drafts.aget_or_create(isbn=values["isbn"], defaults=values))[0]

    async def delete(self, key: int) -> Any:
        return await self.sets.drafts.filter(pk=key).adelete()

    async def delete_instance(self, draft: Draft) -> Any:
        return await draft.async_delete()

    async def transaction(self, given: tuple[dict[str, Any], int, Decimal]) -> Any:
        values, key, price = given
        async with async_atomic():
            await self.sets.drafts.acreate(**values)
            async with async_atomic():
                await self.sets.drafts.filter(pk=key).aupdate(price=price)
            async with async_atomic():
                await self.sets.drafts.filter(pk=key).aupdate(pages=F("pages") + 1)

    async def gets_10(self, keys: list[int]) -> Any:
        return await asyncio.gather(*[async_new_connection(self.get(key)) for key in keys])

    gets_50 = gets_100 = gets_10
