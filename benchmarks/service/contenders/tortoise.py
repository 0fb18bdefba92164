"""Tortoise, opened by what it has for Starlette."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from tortoise import fields, models
from tortoise.contrib.starlette import RegisterTortoise

from benchmarks.service.contenders import Service


class World(models.Model):
    id = fields.IntField(primary_key=True, generated=False)
    randomnumber = fields.IntField()

    class Meta:
        table = "world"


class Fortune(models.Model):
    id = fields.IntField(primary_key=True, generated=False)
    message = fields.CharField(max_length=2048)

    class Meta:
        table = "fortune"


class TortoiseService(Service):
    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        size = {"minsize": self.pool_size, "maxsize": self.pool_size}
        credentials = self.place.keywords("database") | size
        config = {
            "connections": {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}},
            "apps": {"service": {"models": [__name__], "default_connection": "default"}},
        }
        async with RegisterTortoise(app, config=config):
            yield

    async def one(self, key: int) -> World:
        return await World.get(id=key)

    async def several(self, keys: Sequence[int]) -> list[World]:
        return [await World.get(id=key) for key in keys]

    async def fortunes(self) -> list[Fortune]:
        return await Fortune.all()

    async def change(self, numbers: Mapping[int, int]) -> list[World]:
        worlds = await self.several(list(numbers))
        for world in worlds:
            world.randomnumber = numbers[world.id]
        await World.bulk_update(worlds, fields=["randomnumber"])
        return worlds


service = TortoiseService
