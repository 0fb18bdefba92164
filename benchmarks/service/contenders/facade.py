"""facade, on its default driver for asyncio or on psycopg."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import facade
from benchmarks.roads import Place
from benchmarks.service.contenders import Service
from facade import models


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


class FacadeService(Service):
    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        yield
        await facade.aclose_all()

    async def one(self, key: int) -> World:
        return await World.objects.aget(pk=key)

    async def several(self, keys: Sequence[int]) -> list[World]:
        return [await World.objects.aget(pk=key) for key in keys]

    async def fortunes(self) -> list[Fortune]:
        return await Fortune.objects.all()

    async def change(self, numbers: Mapping[int, int]) -> list[World]:
        worlds = await self.several(list(numbers))
        for world in worlds:
            world.randomnumber = numbers[world.pk]
        await World.objects.abulk_update(worlds, ["randomnumber"])
        return worlds


def _configured(place: Place, pool_size: int, driver: str) -> FacadeService:
    database = {"URL": place.url(driver), "POOL_SIZE": pool_size, "MAX_OVERFLOW": 0}
    facade.configure(DATABASES={"default": database})
    return FacadeService(place, pool_size)


def service(place: Place, pool_size: int) -> FacadeService:
    return _configured(place, pool_size, "asyncpg")


def service_on_psycopg(place: Place, pool_size: int) -> FacadeService:
    return _configured(place, pool_size, "psycopg")
