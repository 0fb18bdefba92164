"""SQLAlchemy Core: a connection for each request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, select, update
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.service.contenders import Numbered, Service

metadata = MetaData()
world = Table(
    "world",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("randomnumber", Integer, nullable=False),
)
fortune = Table(
    "fortune",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("message", String(2048), nullable=False),
)


class CoreService(Service):
    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        self.engine = create_async_engine(self.place.url("asyncpg"), pool_size=self.pool_size, max_overflow=0)
        yield
        await self.engine.dispose()

    async def one(self, key: int) -> Any:
        async with self.engine.connect() as connection:
            return (await connection.execute(select(world).where(world.c.id == key))).one()

    async def several(self, keys: Sequence[int]) -> Sequence[Any]:
        async with self.engine.connect() as connection:
            return [(await connection.execute(select(world).where(world.c.id == key))).one() for key in keys]

    async def fortunes(self) -> Sequence[Any]:
        async with self.engine.connect() as connection:
            return (await connection.execute(select(fortune))).all()

    async def change(self, numbers: Mapping[int, int]) -> Sequence[Any]:
        renumber = (
            update(world).where(world.c.id == bindparam("key")).values(randomnumber=bindparam("number"))
        )
        rows = [{"key": key, "number": number} for key, number in numbers.items()]
        async with self.engine.begin() as connection:
            for key in numbers:
                (await connection.execute(select(world).where(world.c.id == key))).one()
            await connection.execute(renumber, rows)
        return [Numbered(key, number) for key, number in numbers.items()]


service = CoreService
