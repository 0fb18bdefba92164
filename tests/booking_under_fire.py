"""The sample service as the test of its endurance runs it: with endpoints that fail, and one that shows the process's pools.

    uvicorn --factory tests.booking_under_fire:create_app --workers 2
"""

from __future__ import annotations

import os

from fastapi import FastAPI
from tickets import app as service
from tickets import sales

import facade


def create_app() -> FastAPI:
    app = service.create_app()

    @app.post("/crash")
    @facade.atomic
    async def crash(payer: int, payee: int, reason: str) -> None:
        """Move money, and fail before the end of the block."""
        await sales.transfer(payer, payee, 1, reason)
        raise RuntimeError("injected")

    @app.get("/process")
    async def process() -> dict:
        return {"pid": os.getpid(), "pools": facade.pool_stats()["default"]}

    return app
