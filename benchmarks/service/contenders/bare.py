"""asyncpg with its own pool: what is left when nothing is between."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import asyncpg

from benchmarks.service.contenders import Numbered, Service

READ = "SELECT id, randomnumber FROM world WHERE id = $1"
WRITE = "UPDATE world SET randomnumber = $2 WHERE id = $1"


class Row(asyncpg.Record):
    def __getattr__(self, name: str) -> Any:
        return self[name]


class BareService(Service):
    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        size, where = self.pool_size, self.place.keywords("database")
        async with asyncpg.create_pool(min_size=size, max_size=size, record_class=Row, **where) as self.pool:
            yield

    async def one(self, key: int) -> Any:
        async with self.pool.acquire() as connection:
            return await connection.fetchrow(READ, key)

    async def several(self, keys: Sequence[int]) -> Sequence[Any]:
        async with self.pool.acquire() as connection:
            return [await connection.fetchrow(READ, key) for key in keys]

    async def fortunes(self) -> Sequence[Any]:
        async with self.pool.acquire() as connection:
            return await connection.fetch("SELECT id, message FROM fortune")

    async def change(self, numbers: Mapping[int, int]) -> Sequence[Any]:
        async with self.pool.acquire() as connection:
            for key in numbers:
                await connection.fetchrow(READ, key)
            await connection.executemany(WRITE, numbers.items())
        return [Numbered(key, number) for key, number in numbers.items()]


service = BareService
