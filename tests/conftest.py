"""What all tests share. Three fixtures are enough for most of them::

    from tests.models import Author

    def test_get_finds_the_row(face, database):
        database.create(Author)
        author = face(Author.objects.create, name="Ada")
        assert face(Author.objects.get, pk=author.pk) == author

``face`` (`fix_face.py`) runs the same plain ``def`` test twice, as synchronous code and under asyncio.
``database`` (`fix_databases.py`) runs it on an empty SQLite file and on an empty PostgreSQL database, both with the
aliases "default" and "other". ``assert_queries`` counts statements: ``with assert_queries(1): ...``.

A test that is about asyncio itself is an ``async def`` test with ``database`` only. Its connections are closed before
its event loop is.

Markers: ``@pytest.mark.portable`` runs the test on MariaDB, too, where FACADE_TEST_MARIADB names a server;
``@pytest.mark.vendors("postgres")`` runs it on the named databases only; ``@pytest.mark.faces("async")`` likewise.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.dont_write_bytecode:
    # Workers, and the programs that tests start, would each compile all that they import.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

pytest_plugins = ["tests.fix_databases", "tests.fix_face", "tests.fix_session"]
