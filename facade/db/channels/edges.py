"""Statements of asyncpg's with the first or the last day or moment that Python knows: it writes infinity for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facade.types.edges import CONVERTERS

if TYPE_CHECKING:
    from asyncpg import Connection


async def write_edges(raw: Connection) -> None:
    """Let an `asyncpg.Connection` write these days and moments as themselves."""
    for name, (write, read) in CONVERTERS.items():
        await raw.set_type_codec(name, schema="pg_catalog", encoder=write, decoder=read, format="tuple")


async def forget_edges(raw: Connection) -> None:
    """Let an `asyncpg.Connection` convert as it did."""
    for name in CONVERTERS:
        await raw.reset_type_codec(name, schema="pg_catalog")
