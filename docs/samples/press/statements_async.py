"""The work of `press.statements` for `async def` endpoints: run_sync() lends each function the session inside."""

from __future__ import annotations

import uuid

from sqlalchemy.ext.asyncio import AsyncSession

from press import statements
from press.schemas import Filters, NewOrder, NewTitle, Receipt, Statistics, Title, TitleChanges, TitlePage


async def list_titles(session: AsyncSession, filters: Filters) -> TitlePage:
    return await session.run_sync(statements.list_titles, filters)


async def get_title(session: AsyncSession, key: uuid.UUID) -> Title:
    return await session.run_sync(statements.get_title, key)


async def create_title(session: AsyncSession, new: NewTitle) -> Title:
    return await session.run_sync(statements.create_title, new)


async def change_title(session: AsyncSession, key: uuid.UUID, changes: TitleChanges) -> Title:
    return await session.run_sync(statements.change_title, key, changes)


async def delete_title(session: AsyncSession, key: uuid.UUID) -> None:
    await session.run_sync(statements.delete_title, key)


async def place_order(session: AsyncSession, new: NewOrder) -> Receipt:
    return await session.run_sync(statements.place_order, new)


async def statistics(session: AsyncSession) -> Statistics:
    return await session.run_sync(statements.statistics)
