"""Services on Starlette; needs it: ``pip install 'sqlalchemy-facade[starlette]'``."""

from __future__ import annotations

try:
    import starlette as _  # noqa: F401 - is it there?
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        "facade.contrib.starlette needs Starlette: pip install 'sqlalchemy-facade[starlette]'",
        name=missing.name,
    ) from missing

from facade.contrib.service.lifespan import lifespan
from facade.contrib.starlette.answers import exception_handlers, health

__all__ = ["exception_handlers", "health", "lifespan"]
