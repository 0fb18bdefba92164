"""django-async-backend: Django's models, with managers that ask the database on asyncio's own connections."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from django.db import models
from django_async_backend.db import async_connections, close_old_async_connections
from django_async_backend.db.models.base import AsyncModelMixin
from starlette.middleware import Middleware

from benchmarks.service.contenders import Service


class World(AsyncModelMixin, models.Model):
    id = models.IntegerField(primary_key=True)
    randomnumber = models.IntegerField()

    class Meta:
        app_label = "service"
        db_table = "world"


class Fortune(AsyncModelMixin, models.Model):
    id = models.IntegerField(primary_key=True)
    message = models.CharField(max_length=2048)

    class Meta:
        app_label = "service"
        db_table = "fortune"


class RequestsConnection:
    """Gives a request's connection back to the pool at its end, as the library does at the end of Django's."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                await close_old_async_connections()


class AsyncBackendService(Service):
    middleware = (Middleware(RequestsConnection),)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        yield
        await async_connections["default"].close_pool()

    async def one(self, key: int) -> World:
        return await World.async_objects.aget(pk=key)

    async def several(self, keys: Sequence[int]) -> list[World]:
        return [await World.async_objects.aget(pk=key) for key in keys]

    async def fortunes(self) -> list[Fortune]:
        return [fortune async for fortune in Fortune.async_objects.all()]

    async def change(self, numbers: Mapping[int, int]) -> list[World]:
        worlds = await self.several(list(numbers))
        for world in worlds:
            world.randomnumber = numbers[world.pk]
        await World.async_objects.abulk_update(worlds, ["randomnumber"])
        return worlds


service = AsyncBackendService
