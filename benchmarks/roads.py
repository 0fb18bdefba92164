"""The roads to a database that are measured: which database, which face, which driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

Vendor = Literal["sqlite", "postgres", "mariadb"]
Face = Literal["sync", "async"]


TITLES: dict[Vendor, str] = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB"}


@dataclass(frozen=True, slots=True)
class Road:
    """One way of reaching a database; every road has its own bare driver to compare with."""

    vendor: Vendor
    face: Face
    driver: str

    @property
    def name(self) -> str:
        return f"{self.vendor}-{self.face}-{self.driver}"

    @property
    def title(self) -> str:
        return f"{TITLES[self.vendor]}, {self.face} ({self.driver})"


ROADS = (
    Road("sqlite", "sync", "sqlite3"),
    Road("sqlite", "async", "aiosqlite"),
    Road("postgres", "sync", "psycopg"),
    Road("postgres", "async", "asyncpg"),
    Road("postgres", "async", "psycopg"),
    Road("mariadb", "sync", "pymysql"),
    Road("mariadb", "async", "asyncmy"),
)


SCHEMES: dict[Vendor, str] = {"sqlite": "sqlite", "postgres": "postgresql", "mariadb": "mariadb"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where one contender's own copy of the data lives."""

    vendor: Vendor
    name: str
    """The file's path (SQLite) or the database's name."""
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)

    def url(self, driver: str = "") -> str:
        """The place as an URL; ``driver`` is SQLAlchemy's name for one, or nothing for a plain URL."""
        scheme = SCHEMES[self.vendor] + (driver and f"+{driver}")
        if self.vendor == "sqlite":
            return f"{scheme}:///{self.name}"
        if self.host.startswith("/"):  # a unix socket's directory
            return f"{scheme}://{self._login()}/{self.name}?host={quote(self.host, safe='')}"
        return f"{scheme}://{self._login()}{self.host}:{self.port}/{self.name}"

    def _login(self) -> str:
        password = self.password and f":{quote(self.password, safe='')}"
        return f"{quote(self.user, safe='')}{password}@" if self.user else ""

    def keywords(self, database_key: str = "dbname") -> dict[str, Any]:
        """Keyword arguments for a server's driver's ``connect``, without those that are empty."""
        found = {"host": self.host, "port": self.port, "user": self.user, "password": self.password}
        return {database_key: self.name} | {key: value for key, value in found.items() if value}


def sqlalchemy_url(road: Road, place: Place) -> str:
    """The place's URL with the road's driver, as SQLAlchemy spells it."""
    return place.url("pysqlite" if road.driver == "sqlite3" else road.driver)
