"""Django's ORM language on SQLAlchemy Core, for sync code and asyncio."""

__version__ = "0.1.0.dev0"
