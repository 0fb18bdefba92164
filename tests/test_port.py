"""``facade port``: imports are rewritten, nothing else is; what has no counterpart is reported, and no file is broken."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import stat
import sys
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facade import models
from facade.cli.port import counterparts, files, rewriting
from facade.cli.program import app
from facade.testing import isolate_apps

ROOT = Path(__file__).parent.parent
SAMPLE = """\
#!/usr/bin/env python
# © the shop
from django.db import models, transaction as tx  # the two
from django.db.models import F, Q
from django.db.models.fields.related import ForeignKey
from django.db.utils import IntegrityError
from django.db import (
    connection,
    # told apart
    DatabaseError,  # when it fails
    router,
)
import django.utils.timezone as tz
from django.utils import dateparse
from django.core.exceptions import ValidationError; import os
from django.core.paginator import Paginator
from django.core import validators
from django.core.files.storage import FileSystemStorage
from django.dispatch import receiver
from django.db.models.signals import post_save
from django.db.models.constants import LOOKUP_SEP
from django.test.utils import CaptureQueriesContext
from django.apps import apps
from .other import models as others
if True: from django.db.models.functions import Lower


def later( ):
    '''Imports late.'''
    from django.db.models import Count, functions as f
    return Count("id"),   f.Upper("name")


class Shop(models.Model):
    name = models.CharField(max_length=20,validators=[validators.MinLengthValidator(2)])
    opened = models.DateTimeField(default=tz.now)

    class Meta:
        ordering = [Lower("name")]
"""
WANTED = """\
#!/usr/bin/env python
# © the shop
from facade import models, transaction as tx  # the two
from facade.models import F, Q
from facade.models.fields import ForeignKey
from facade.exceptions import IntegrityError
from facade import (
    connection,
    # told apart
    router,
)
from facade.exceptions import (
    DatabaseError,  # when it fails
)
import facade.timezone as tz
from facade.parsing import dates as dateparse
from facade.exceptions import ValidationError; import os
from facade.paginator import Paginator
from facade import validators
from facade.files import FileSystemStorage
from facade.dispatch import receiver
from facade.models.signals import post_save
from facade.models.lookups import LOOKUP_SEP
from facade import CaptureQueriesContext
from facade.apps import apps
from .other import models as others
if True: from facade.models.functions import Lower
"""
NO_COUNTERPART = [
    ("from django.db import reset_queries", "django.db.reset_queries", False),
    ("from django.apps import AppConfig", "django.apps.AppConfig", False),
    ("from django.core.files.storage import storages", "django.core.files.storage.storages", True),
    ("from django.core.checks import Error, register", "django.core.checks.register", True),
    ("from django.utils import timezone\ntimezone.utc", "django.utils.timezone.utc", True),
    ("from django.conf import settings", "django.conf.settings", False),
    (
        "from django.conf import settings\nx = models.ForeignKey(settings.AUTH_USER_MODEL)",
        "django.conf.settings.AUTH_USER_MODEL",
        False,
    ),
    ("from django.db import models\nx = models.ForeignKey(to='auth.User')", "django.contrib.auth", False),
    ("from django.utils.functional import cached_property", "django.utils.functional.cached_property", False),
    ("from django.contrib.auth.models import User", "django.contrib.auth.models.User", True),
    ("from django.contrib import admin", "django.contrib.admin", True),
    ("from rest_framework import serializers", "rest_framework.serializers", True),
    ("from django.db.models.sql import *", "django.db.models.sql.*", True),
    ("import django", "django", False),
    ("import django.db.models", "django.db.models", True),
    ("from django.db import models\nmodels.NullBooleanField", "django.db.models.NullBooleanField", True),
    ("from django.db import models\nmodels.functions.Lowest", "django.db.models.functions.Lowest", True),
    ("import django.utils.timezone as tz\ntz.fixed", "django.utils.timezone.fixed", True),
    ("import os; from django.db import models, reset_queries", "django.db.models", True),
]
LEFT = "from django.contrib.auth.models import User\nfrom django.db import models\n"


@pytest.fixture
def port(tmp_path, monkeypatch):
    """Write one module, run the command, and return its exit code, what it printed and what the module is then."""
    monkeypatch.chdir(tmp_path)

    def run(source, *arguments, name="shop.py"):
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        done = CliRunner().invoke(app, ["port", name, *arguments])
        return done.exit_code, done.output, path.read_bytes()

    return run


def test_imports_are_rewritten_and_nothing_else(port):
    code, printed, written = port(SAMPLE, "--write")
    assert (code, printed) == (0, "shop.py: written\n1 file written; nothing to look at.\n")
    _, between, rest = SAMPLE.partition("\n\n")
    rest = rest.replace("django.db.models import Count", "facade.models import Count")
    assert written.decode() == WANTED + between[1:] + rest


def test_what_is_rewritten_once_is_not_rewritten_again(port):
    assert port(WANTED, "--write") == (0, "0 files written; nothing to look at.\n", WANTED.encode())


def test_without_write_the_changes_are_shown_only(port):
    code, printed, written = port(SAMPLE)
    assert (code, written) == (0, SAMPLE.encode())
    removed = re.findall(r"^-(?!--)(.*)", printed, re.MULTILINE)
    assert [line for line in SAMPLE.splitlines() if "django" in line] == [
        line for line in removed if "django" in line
    ]
    assert printed.endswith("1 file would change (--write does it); nothing to look at.\n")


@pytest.mark.parametrize(("source", "what", "blocks"), NO_COUNTERPART, ids=lambda value: str(value)[:40])
def test_what_has_no_counterpart_is_reported_with_line_and_remedy(source, what, blocks):
    ported = rewriting.port(f"\n{source}\n".encode())
    found = next(finding for finding in ported.findings if finding.what == what)
    assert found.line == source.count("\n") + 2
    assert found.remedy
    assert found.blocks is blocks


def test_names_that_stay_get_an_import_of_their_own(port):
    source = "from django.db import models, reset_queries  # both\n"
    code, printed, written = port(source, "--write")
    assert code == 1
    assert written == b"from facade import models  # both\nfrom django.db import reset_queries\n"
    assert "shop.py:2: django.db.reset_queries: " in printed


def test_a_module_that_would_not_run_is_left_as_it_is(port):
    code, printed, written = port(LEFT, "--write")
    assert (code, written.decode()) == (1, LEFT)
    assert "shop.py:1: django.contrib.auth.models.User: write a model of your own" in printed
    assert "shop.py: left as it is" in printed
    code, _, written = port(LEFT, "--write", "--partly")
    assert (code, written.decode()) == (1, LEFT.replace("django.db import", "facade import"))


@pytest.mark.parametrize(
    "source",
    [
        b"from django.db import models\r\nx = 1\r\n",
        "\ufefffrom django.db import models\n".encode(),
        "# coding: latin-1\nfrom django.db import models\nx = 'é'\n".encode("latin-1"),
        b"from django.db import models",
        b"\tif 1:\n\t\tfrom django.db import models\n"[1:],
    ],
    ids=["ends of lines", "byte order mark", "encoding", "no last line end", "tabs"],
)
def test_bytes_are_kept(port, source):
    assert port(source, "--write")[2] == source.replace(b"django.db", b"facade")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (b"from django.db import models\nx = (\n", "cannot be read"),
        (b"# coding: none\nfrom django.db import models\n", "cannot be read"),
        (b"from django.db import models\nx = '\xff'\n", "cannot be read"),
    ],
    ids=["syntax", "unknown encoding", "wrong encoding"],
)
def test_what_is_no_python_is_named_and_left(port, source, why):
    code, printed, written = port(source, "--write")
    assert (code, written) == (1, source)
    assert f"shop.py: {why}" in printed


def test_folders_are_searched_for_modules_but_not_environments_and_migrations(port, tmp_path):
    for name in (
        "shop/deep/views.py",
        "shop/.git/x.py",
        "shop/env/x.py",
        "shop/migrations/0001.py",
        "shop/x.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("from django.db import models\n")
    (tmp_path / "shop/env/pyvenv.cfg").touch()
    (tmp_path / "shop/round").symlink_to(tmp_path)
    done = CliRunner().invoke(app, ["port", "shop", "--write"])
    assert done.output == f"{Path('shop/deep/views.py')}: written\n1 file written; nothing to look at.\n"


MODELS = "from django.db import models\nclass {name}(models.Model): pass\n"
BLOCKED = "from django.contrib.postgres.fields import ArrayField\n" + MODELS
PROJECT = {
    "shop/models.py": MODELS.format(name="Shop"),
    "shop/admin.py": "from django.contrib import admin\nfrom django.db import models\nfrom .models import Shop\n",
    "shop/reports.py": "from django.db.models import Q\nimport shop.models\n",
    "crm/__init__.py": "",
    "crm/models/__init__.py": "from .client import Client\n",
    "crm/models/client.py": BLOCKED.format(name="Client") + "from ..rules import check\n",
    "crm/rules.py": "from django.core.exceptions import ValidationError\ncheck = ValidationError\n",
    "crm/queries.py": "from django.db.models import Q\nfrom crm.models import Client\n",
    "crm/pages.py": "from django.core.paginator import Paginator\nfrom . import queries\n",
    "crm/invoices.py": MODELS.format(name="Invoice") + "from crm.rules import check\n",
    "crm/dates.py": "from django.utils import timezone\n",
    "bills/models.py": MODELS.format(name="Bill"),
}


def test_what_imports_each_other_is_ported_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in PROJECT.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    done = CliRunner().invoke(app, ["port", ".", "--write"])
    assert re.findall(r"^(\S+): written$", done.output, re.MULTILINE) == [
        "bills/models.py", "crm/dates.py", "shop/models.py", "shop/reports.py"
    ]  # fmt: skip
    assert re.findall(r"^(\S+): left .*because crm/models/client.py is", done.output, re.MULTILINE) == [
        "crm/invoices.py", "crm/pages.py", "crm/queries.py", "crm/rules.py"
    ]  # fmt: skip
    assert re.findall(r"^(\S+): left .*: rewritten in part", done.output, re.MULTILINE) == [
        "crm/models/client.py", "shop/admin.py"
    ]  # fmt: skip
    assert CliRunner().invoke(app, ["port", ".", "--write", "--partly"]).output.count(": written") == 6


def test_a_path_that_is_not_there_is_refused(port):
    assert CliRunner().invoke(app, ["port", "nowhere.py"]).exit_code == 2


def test_without_libcst_the_command_says_how_to_get_it(port, monkeypatch):
    monkeypatch.setitem(sys.modules, "libcst", None)
    monkeypatch.delitem(sys.modules, "facade.cli.port.rewriting")
    code, printed, written = port(SAMPLE, "--write")
    assert (code, written) == (2, SAMPLE.encode())
    assert printed == "Porting needs libcst: pip install 'sqlalchemy-facade[port]'\n"


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_file_keeps_its_permissions_and_a_link_its_target(tmp_path):
    path, link = tmp_path / "x.py", tmp_path / "y.py"
    path.write_text("old")
    path.chmod(0o750)
    link.symlink_to(path)
    files.write(link, b"new")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode), link.is_symlink()) == ("new", 0o750, True)
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_every_place_is_there_and_public():
    for django, targets in counterparts.PLACES.items():
        assert [name for name in targets if importlib.util.find_spec(name) is None] == [], django


@pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="needs Django")
def test_every_name_that_has_a_place_is_that_of_django_and_importable():
    for django in counterparts.PLACES:
        module = importlib.import_module(django)
        for name in getattr(module, "__all__", ()):
            if (place := counterparts.place_of(django, name)) is not None:
                namespace = {}
                exec(f"from {place.module} import {place.name}", namespace)
                assert callable(namespace[place.name]) == callable(getattr(module, name)), name


@pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="needs Django")
def test_of_the_names_of_models_only_retired_and_internal_ones_have_no_place():
    module = importlib.import_module("django.db.models")
    assert [name for name in module.__all__ if counterparts.place_of("django.db.models", name) is None] == [
        "Empty",
        "IPAddressField",
        "NullBooleanField",
        "OrderWrt",
        "DEFERRED",
    ]


def test_pages_that_remedies_name_are_there():
    named = {page for text in counterparts.REMEDIES.values() for page in re.findall(r"docs/[\w-]+\.md", text)}
    assert [page for page in named if not (ROOT / page).exists()] == []


def test_the_page_has_the_table_of_places():
    page = (ROOT / "docs" / "porting.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", page, re.MULTILINE)
    assert {django: tuple(re.findall(r"[\w.]+", targets)) for django, targets in rows} == {
        django: targets for django, targets in counterparts.PLACES.items() if targets != ("facade",)
    }


def sources_of_django():
    """The modules with models of Django's own tests, where FACADE_DJANGO_TESTS names their folder, and a few of its contrib."""
    named = os.environ.get("FACADE_DJANGO_TESTS")
    folder = Path(named) if named else None
    wanted = (
        "aggregation",
        "basic",
        "custom_columns",
        "lookup",
        "m2m_through",
        "model_inheritance",
        "queries",
    )
    return [] if folder is None else [folder / name / "models.py" for name in wanted]


@pytest.mark.skipif(not sources_of_django(), reason="FACADE_DJANGO_TESTS names no folder with Django's tests")
@pytest.mark.parametrize("path", sources_of_django(), ids=lambda path: path.parent.name)
def test_modules_of_djangos_own_tests_run_when_they_are_ported(path, monkeypatch):
    ported = rewriting.port(path.read_bytes())
    assert ported.findings == []
    label = path.parent.name
    module = types.ModuleType(f"{label}.models")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with isolate_apps(label) as apps:
        exec(compile(ported.code, path, "exec"), vars(module))
        assert any(issubclass(model, models.Model) for model in apps.get_models())


@pytest.mark.skipif(importlib.util.find_spec("django") is None, reason="needs Django")
@pytest.mark.parametrize(
    "name", ["sites/models.py", "redirects/models.py", "sessions/base_session.py", "auth/base_user.py"]
)
def test_modules_of_django_itself_stay_valid(name):
    path = Path(importlib.util.find_spec("django").origin).parent / "contrib" / name
    source = path.read_bytes()
    ported = rewriting.port(source)
    old, new = ast.parse(source), ast.parse(ported.code)
    assert not any(
        isinstance(node, ast.ImportFrom) and node.module == "django.db" for node in ast.walk(new)
    ), "the modules of django.db have their places"
    for tree in (old, new):
        tree.body = [node for node in tree.body if not isinstance(node, (ast.Import, ast.ImportFrom))]
    assert ast.dump(old) == ast.dump(new)
