"""SQLAlchemy's ORM: a session for each request, and the unit of work for the updates."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.service.contenders import Service


class Base(DeclarativeBase):
    pass


class World(Base):
    __tablename__ = "world"
    id: Mapped[int] = mapped_column(primary_key=True)
    randomnumber: Mapped[int]


class Fortune(Base):
    __tablename__ = "fortune"
    id: Mapped[int] = mapped_column(primary_key=True)
    message: Mapped[str] = mapped_column(String(2048))


async def get(session: AsyncSession, key: int) -> World:
    return await session.get_one(World, key)


class OrmService(Service):
    @contextlib.asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncGenerator[None, None]:
        engine = create_async_engine(self.place.url("asyncpg"), pool_size=self.pool_size, max_overflow=0)
        self.session = async_sessionmaker(engine, expire_on_commit=False)
        yield
        await engine.dispose()

    async def one(self, key: int) -> World:
        async with self.session() as session:
            return await get(session, key)

    async def several(self, keys: Sequence[int]) -> list[World]:
        async with self.session() as session:
            return [await get(session, key) for key in keys]

    async def fortunes(self) -> Sequence[Fortune]:
        async with self.session() as session:
            return (await session.scalars(select(Fortune))).all()

    async def change(self, numbers: Mapping[int, int]) -> list[World]:
        async with self.session.begin() as session:
            worlds = [await get(session, key) for key in numbers]
            for world in worlds:
                world.randomnumber = numbers[world.id]
        return worlds


service = OrmService
