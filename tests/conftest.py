"""What all tests share. Three fixtures are enough for most of them::

    from tests.models import Author

    def test_get_finds_the_row(face, database):
        database.create(Author)
        author = face(Author.objects.create, name="Ada")
        assert face(Author.objects.get, pk=author.pk) == author

``face`` (`fix_face.py`) runs the same plain ``def`` test twice, as synchronous code and under asyncio.
``database`` (`fix_databases.py`) runs it on an empty SQLite file and on empty databases of PostgreSQL and MariaDB, all with the
aliases "default" and "other". ``assert_queries`` counts statements: ``with assert_queries(1): ...``.

A test that is about asyncio itself is an ``async def`` test with ``database`` only. Its connections are closed before
its event loop is.

A test runs on all three databases. ``@pytest.mark.without("mariadb", reason="its XOR of NULL is NULL, as in Django")``
skips what a server cannot do, and the summary tells the reason; a parameter takes the mark, too. A test that is about
something of one server's own says so: ``@pytest.mark.vendors("postgres")`` runs it there only, and
``@pytest.mark.faces("async")`` on that face only.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

if sys.dont_write_bytecode:
    # Workers, and the programs that tests start, would each compile all that they import.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = [
    "tests.fix_calls",
    "tests.fix_commands",
    "tests.fix_databases",
    "tests.fix_face",
    "tests.fix_session",
]


def pytest_collection_finish(session):
    """Let the garbage collector pass over what stays to the end: modules, and thousands of collected tests."""
    gc.collect()
    gc.freeze()
