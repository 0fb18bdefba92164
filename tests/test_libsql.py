"""libsql, where its wheel is installed: SQLite without the functions that facade gives to it."""

from __future__ import annotations

import pytest

import facade
from facade import transaction
from facade.configuration import override
from facade.exceptions import UnsupportedFeature
from tests import corpus

pytest.importorskip("sqlalchemy_libsql")


REFUSED = (
    "aggregates: groups of a computed value", "dates: hours", "dates: month", "dates: the day", "dates: truncated",
    "json: a key", "json: a path", "json: in a list",
)  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("libsql") / "stored.db"
    with override(DATABASES={"default": "sqlite://", "libsql": f"sqlite+libsql:///{path}"}):
        for alias in ("default", "libsql"):
            facade.create_all(corpus.MODELS, using=alias)
            corpus.fill(alias)
        yield
        facade.connections["libsql"].close()


def rows(ask, alias):
    return [
        row
        if not hasattr(row, "_meta")
        else {name: value for name, value in vars(row).items() if name[0] != "_"}
        for row in ask(lambda model: model.objects.using(alias))
    ]


@pytest.mark.parametrize("name", corpus.QUERYSETS)
def test_a_queryset_finds_what_it_finds_on_sqlite_or_is_refused(stored, name):
    ask = corpus.QUERYSETS[name]
    if name.startswith(REFUSED):
        with pytest.raises(UnsupportedFeature, match="not supported on libsql"):
            rows(ask, "libsql")
    else:
        assert rows(ask, "libsql") == rows(ask, "default")


def test_writes_and_blocks(stored):
    studios = corpus.Studio.objects.using("libsql")
    with pytest.raises(ZeroDivisionError), transaction.atomic(using="libsql"):
        made = studios.create(name="new")
        with transaction.atomic(using="libsql"):
            assert studios.filter(pk=made.pk).update(city="Rome") == 1
        raise ZeroDivisionError
    assert not studios.filter(name="new").exists()
    with pytest.raises(ValueError, match="UNIQUE"):  # the driver has no classes of errors
        corpus.Genre.objects.using("libsql").create(name="Rock")
