"""A table for tests of transactions, written with bare statements and read by an observer outside of facade."""

from __future__ import annotations

from contextlib import closing

from facade import bridge
from facade.db.channels.channel import Statement
from facade.db.connection import connections

KEYS = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "serial PRIMARY KEY",
    "mysql": "integer PRIMARY KEY AUTO_INCREMENT",
}


class Entries:
    """The table ``entry`` with a unique ``name``, on both aliases.

    Its verbs run as synchronous code does, in a thread or inside a worker; the ones with an ``a`` are their twins.
    """

    def __init__(self, database):
        self.database = database
        self.vendor = database.vendor
        for alias in ("default", "other"):
            key = KEYS[self.vendor]
            database.observe(
                f"CREATE TABLE entry (id {key}, name varchar(200) UNIQUE, n integer DEFAULT 0)", alias
            )

    def add(self, name, using="default"):
        return self.run(f"INSERT INTO entry (name) VALUES ('{name}')", using)

    def run(self, sql, using="default"):
        return connections[using].execute(Statement(sql), ())

    def read(self, sql="SELECT name FROM entry ORDER BY id", using="default"):
        rows = connections[using].fetch(Statement(sql, reads=True, returns=True), ())
        return [row[0] for row in rows]

    def stream(self, chunk_size=2, order="id", using="default"):
        statement = Statement(f"SELECT name FROM entry ORDER BY {order}", reads=True, returns=True)
        with closing(connections[using].stream(statement, (), chunk_size)) as chunks:
            for chunk in chunks:
                yield from (row[0] for row in chunk)

    def pause(self, seconds, using="default"):
        """Keep the server busy; SQLite has no such statement and just computes for about as long."""
        if self.vendor == "postgresql":
            self.read(f"SELECT pg_sleep({seconds})", using)
        elif self.vendor == "mysql":
            self.read(f"SELECT sleep({seconds})", using)
        else:
            steps = int(seconds * 4_000_000)
            numbers = f"WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t WHERE x < {steps})"
            self.read(f"{numbers} SELECT max(x) FROM t", using)

    aadd = bridge.twin(add)
    arun = bridge.twin(run)
    aread = bridge.twin(read)
    apause = bridge.twin(pause)

    def astream(self, chunk_size=2, order="id", using="default"):
        return bridge.iterate(self.stream(chunk_size, order, using))

    @property
    def stored(self):
        """The committed names, in the order of their keys."""
        return self.stored_on("default")

    def stored_on(self, using):
        return [name for (name,) in self.database.observe("SELECT name FROM entry ORDER BY id", using)]

    def open_transactions(self):
        """How many connections of other clients have a transaction open, or a statement running, on the server."""
        if self.vendor != "postgresql":
            return 0
        return self.database.observe(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND state <> 'idle'"
        )[0][0]
