"""psycopg2: PostgreSQL in sync code."""

from __future__ import annotations

from dataclasses import replace

from facade.drivers.others import POSTGRESQL
from facade.drivers.psycopg import PSYCOPG, translate

PSYCOPG2 = replace(
    POSTGRESQL,
    name="psycopg2",
    aliases=("psycopg2cffi",),
    faces=("sync",),
    module="psycopg2",
    paramstyle="format",
    words=PSYCOPG.words,
    translate=translate,
    is_libpq=True,
    gives_views=True,
)
