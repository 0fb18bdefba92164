"""Django's ORM by its ``a`` methods, with what Django's own ASGI handler has around each request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import close_old_connections, connection, models
from starlette.middleware import Middleware

from benchmarks.service.contenders import Service


class World(models.Model):
    id = models.IntegerField(primary_key=True)
    randomnumber = models.IntegerField()

    class Meta:
        app_label = "service"
        db_table = "world"


class Fortune(models.Model):
    id = models.IntegerField(primary_key=True)
    message = models.CharField(max_length=2048)

    class Meta:
        app_label = "service"
        db_table = "fortune"


class RequestsThread:
    """A thread for each request, which gives its connection back at the end."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        async with ThreadSensitiveContext():
            try:
                await self.app(scope, receive, send)
            finally:
                await sync_to_async(close_old_connections)()


class DjangoService(Service):
    middleware = (Middleware(RequestsThread),)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        yield
        connection.close_pool()

    async def one(self, key: int) -> World:
        return await World.objects.aget(pk=key)

    async def several(self, keys: Sequence[int]) -> list[World]:
        return [await World.objects.aget(pk=key) for key in keys]

    async def fortunes(self) -> list[Fortune]:
        return [fortune async for fortune in Fortune.objects.all()]

    async def change(self, numbers: Mapping[int, int]) -> list[World]:
        worlds = await self.several(list(numbers))
        for world in worlds:
            world.randomnumber = numbers[world.pk]
        await World.objects.abulk_update(worlds, ["randomnumber"])
        return worlds


service = DjangoService
