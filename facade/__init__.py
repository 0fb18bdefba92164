"""Django's ORM language on SQLAlchemy Core, for sync code and asyncio."""

from facade.version import __version__

__all__ = ["__version__"]
