"""What the layers below a `Database` know of the one they work for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from facade.db.settings.config import DatabaseSettings
    from facade.vendors import Vendor


class Place(Protocol):
    """A configured database, seen from below: its names and its settings, and none of what runs statements."""

    alias: str
    """Its name in ``DATABASES``."""

    vendor: str
    """Which database it is: ``sqlite``, ``postgresql`` or ``mysql`` (MariaDB, too)."""

    features: Vendor
    """What such a database can do."""

    settings: DatabaseSettings
    """Its part of ``DATABASES``, read and checked."""
