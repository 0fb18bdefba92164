"""A differential test: the same source is run by facade and by Django, on the same tables with the same rows.

A case is a line of Python (`cases.py`) that strategies put together (`querysets.py`, `writes.py`, from `conditions.py`,
`expressions.py`, `constants.py`); it is its own reproduction. Two worlds (`worlds.py`) evaluate it with models that are declared
once (`models.py`) over rows stored once (`rows.py`). Compared (`outcomes.py`) are rows, their order where there is one, values with their
Python types, what is loaded, the number of statements, the class of errors, and after writes every table. Every tenth case
runs on the async face. Differences that stand have a reason each (`explained.py`, `explained_reads.py`, `explained_writes.py`, by
what `reasons.py` finds); nothing that facade does wrong is there.

Django is the oracle, not a dependency: where it is not installed, the tests are skipped.

The ordinary suite runs a few hundred cases for a database; `nox -s differential` as many as
FACADE_DIFFERENTIAL_READS and FACADE_DIFFERENTIAL_WRITES say; both on MariaDB, too, where FACADE_TEST_MARIADB names a server.
To look for more, with another seed::

    python -m tests.differential sqlite:////tmp/new.sqlite3 --cases 5000 --seed 7 [--writes]
    python -m tests.differential mysql://root@127.0.0.1:3306/new --cases 5000 --seed 7 [--writes]
"""
