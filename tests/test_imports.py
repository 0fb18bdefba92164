"""What a program does not use is not imported with the models, and comes with its first use."""

from __future__ import annotations

import copy
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import facade
from facade import validators
from facade.foundation.imports import is_imported, later

ROOT = Path(facade.__file__).parent.parent
NOT_NEEDED = (
    "aiomysql",
    "aiosqlite",
    "alembic",
    "asyncmy",
    "asyncpg",
    "libsql",
    "MySQLdb",
    "psycopg",
    "psycopg2",
    "pymysql",
    "rich",
    "secrets",
    "sqlalchemy.dialects.mssql",
    "sqlalchemy.dialects.mysql",
    "sqlalchemy.dialects.oracle",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.ext.asyncio",
    "sqlalchemy.orm",
    "typer",
)
MODULES_MAX = 320
"""How many modules come on top of those that `import sqlalchemy` brings."""


def run(program):
    """Return what a program prints that runs in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def imported_by(program):
    """Return the modules that there are after a program, as far as they are not needed for models."""
    return run(f"{program}\nimport sys\nprint(*(name for name in {NOT_NEEDED!r} if name in sys.modules))")


@pytest.mark.parametrize("program", ["import facade", "import facade.models", "from facade.models import *"])
def test_the_models_come_without_what_they_do_not_need(program):
    assert imported_by(program) == []


def test_the_models_come_with_no_more_modules_than_they_did():
    count = "import sys, sqlalchemy; before = {*sys.modules}; import facade.models; print(len({*sys.modules} - before))"
    assert int(run(count)[0]) <= MODULES_MAX


def test_the_whole_namespace_is_there():
    missing = "import facade, facade.models as m; print([n for o in (m, facade) for n in o.__all__ if n not in dir(o)])"
    assert run(missing) == ["[]"]


TABLE = """
from facade import configure, create_all, models
configure(DATABASES={'default': 'sqlite:///:memory:'})
class Author(models.Model):
    name = models.CharField(max_length=9)
    born = models.DateField(null=True)
    data = models.JSONField(default=dict)
    class Meta:
        app_label = 'x'
create_all()
Author.objects.create(name='Ada')
assert [a.name for a in Author.objects.filter(name__iexact='ada')] == ['Ada']
assert Author.objects.update_or_create(name='Ada', defaults={'data': {'a': 1}})[1] is False
"""


def test_a_program_on_sqlite_comes_without_the_others():
    assert imported_by(TABLE) == ["secrets", "sqlalchemy.dialects.sqlite"]


def test_joining_a_connection_takes_no_session():
    program = """
import sqlalchemy
from facade import using_connection
create = "CREATE TABLE x_author (id INTEGER, name TEXT, born DATE, data TEXT)"
with sqlalchemy.create_engine("sqlite://").connect() as connection, using_connection(connection):
    connection.exec_driver_sql(create)
    print([*Author.objects.all()])
"""
    found = run(f"{TABLE}{program}\nimport sys\nprint('sqlalchemy.orm' in sys.modules)")
    assert found == ["[]", "False"]


def test_what_is_configured_later_finds_its_words():
    program = """
from facade.vendors import vendor_named
from sqlalchemy import create_mock_engine
from facade.sql.core.words import words_of
from threading import Thread
found = {}
def ask(url):
    for name, dialect in dialects.items():
        found.setdefault(name, set()).add(id(words_of(dialect)))
dialects = {name: create_mock_engine(f"{name}://", print).dialect for name in ("mysql", "mssql", "sqlite")}
threads = [Thread(target=ask, args=("",)) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*(len(ids) for ids in found.values()), *(type(words_of(d)).__name__ for d in dialects.values()))
"""
    assert run(f"{TABLE}{program}")[:3] == ["1", "1", "1"]


# -- later ------------------------------------------------------------------------------------------------------------


def test_a_module_comes_with_the_first_use():
    program = (
        "import sys\nfrom facade.foundation.imports import is_imported, later\ncolors = later('colorsys')\n"
        "print(is_imported(colors), hasattr(colors, '__wrapped__'), is_imported(colors))\n"
        "print(colors.rgb_to_hsv(0, 0, 0)[2], is_imported(colors), 'rgb_to_hsv' in vars(colors))"
    )
    assert run(program) == ["False", "False", "False", "0", "True", "True"]


def test_what_a_module_has_not_is_missed_there():
    with pytest.raises(AttributeError, match="module 'colorsys' has no attribute 'nothing'"):
        later("colorsys").nothing  # noqa: B018 - it is looked up
    assert is_imported(later("sys"))


def test_a_module_that_is_not_installed_says_so():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        later("no_such_module").anything  # noqa: B018 - it is looked up


# -- expressions of the validators ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (validators.URLValidator.regex, "http://example.com"),
        (validators.URLValidator().regex, "http://example.com"),
        (validators.EmailValidator.user_regex, "ada"),
        (validators.EmailValidator.domain_regex, "example.com"),
        (validators.validate_domain_name.regex, "example.com"),
        (validators.DomainNameValidator(accept_idna=False).regex, "example.com"),
    ],
)
def test_an_expression_is_compiled_when_it_is_used(expression, text):
    assert isinstance(expression, re.Pattern)
    assert expression.search(text)
    assert expression.flags & re.IGNORECASE
    for same in (pickle.loads(pickle.dumps(expression)), copy.copy(expression), copy.deepcopy(expression)):
        assert same == expression
        assert hash(same) == hash(expression)
    assert expression != re.compile("a")
    assert repr(expression) == repr(re.compile(expression.pattern, expression.flags))


def test_hosts_are_compiled_with_their_first_check():
    program = """
import re
from re import _compiler
compiled = []
before, _compiler.compile = _compiler.compile, lambda p, *a: compiled.append(p) or before(p, *a)
from facade import models
models.URLField(), models.EmailField()
hosts = [p for p in compiled if isinstance(p, str) and '{1,63}' in p]
print(len(hosts))
models.EmailField().clean('ada@example.com', None)
print(len([p for p in compiled if isinstance(p, str) and '{1,63}' in p]))
"""
    assert run(program) == ["0", "1"]


def test_a_regular_expression_of_the_user_is_checked_where_it_is_given():
    with pytest.raises(re.error):
        validators.RegexValidator("(")
