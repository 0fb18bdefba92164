"""The errors of the first hour name what is wrong and the way out, in few lines."""

from __future__ import annotations

import traceback
from importlib.util import find_spec

import pytest
from sqlalchemy.exc import DBAPIError

from facade import configure, connections, models
from facade.configuration import override
from facade.exceptions import ConnectionDoesNotExist, FieldError, ImproperlyConfigured
from facade.models import Lookup

FRAMES = 6  # Django shows 4 to 11


class Visitor(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "tests"
        managed = False


class OfTheirOwn(Lookup):
    lookup_name = "of_their_own"

    def __init__(self, left, right):
        raise FieldError("no such thing here")


def frames_of(act):
    """Return the frames below the caller of an act that raises before any SQL."""
    with pytest.raises((FieldError, ValueError)) as caught:
        act()
    return traceback.extract_tb(caught.value.__traceback__)[2:]


def test_without_configuration_the_error_says_how_to_configure():
    with (
        override(DATABASES={}),
        pytest.raises(ConnectionDoesNotExist, match=r"facade\.configure\(DATABASES=\{"),
    ):
        connections["default"]


def test_an_unknown_alias_is_told_with_those_that_there_are():
    with (
        override(DATABASES={"default": "sqlite://", "archive": "sqlite://"}),
        pytest.raises(ConnectionDoesNotExist) as no,
    ):
        connections["archives"]
    assert str(no.value) == "The connection 'archives' doesn't exist. DATABASES has 'default', 'archive'."


def test_a_table_that_is_not_there_is_told_with_what_makes_it(face, database):
    with pytest.raises(DBAPIError) as missing:
        face(Visitor.objects.count)
    assert "facade.create_all()" in missing.value.__notes__[0]
    with pytest.raises(DBAPIError) as other, connections["default"].cursor() as cursor:
        cursor.execute("SELECT two FROM (SELECT 1 AS one) AS t")
    assert not hasattr(other.value, "__notes__")


@pytest.mark.parametrize(
    "url", ["sqlite://library.db", "sqlite://me:secret@library.db/x", "sqlite+aiosqlite://library.db"]
)
def test_a_sqlite_url_with_too_few_slashes_is_found_when_it_is_configured(url):
    with pytest.raises(ImproperlyConfigured, match=r"'library.db' .*sqlite:///library.db") as refused:
        configure(DATABASES={"default": url})
    assert "secret" not in str(refused.value)


@pytest.mark.skipif(find_spec("MySQLdb") is not None, reason="needs an environment without mysqlclient")
def test_a_named_driver_that_is_not_installed_is_told_by_the_name_that_pip_knows():
    with override(DATABASES={"default": "mysql+mysqldb://root@127.0.0.1:1/x"}):
        with pytest.raises(ImproperlyConfigured, match=r"mysqldb, .* is not installed\. Install mysqlclient"):
            connections["default"].engine  # noqa: B018


@pytest.mark.parametrize(
    "act",
    [
        lambda: Visitor.objects.filter(nmae="Ada"),
        lambda: Visitor.objects.get(nmae="Ada"),
        lambda: Visitor.objects.filter(name__foo="Ada"),
        lambda: Visitor.objects.order_by("nmae"),
        lambda: Visitor.objects.annotate(n=models.Count("books")),
        lambda: Visitor.objects.values("nmae"),
        lambda: Visitor.objects.filter(pk="Ada"),
        lambda: Visitor.objects.filter(models.Q(nmae="Ada")).exclude(name="Ada"),
    ],
)
def test_a_misspelt_name_or_a_wrong_value_shows_few_frames(act):
    frames = frames_of(act)
    assert len(frames) <= FRAMES, frames


def test_code_of_ones_own_that_took_part_is_shown():
    models.CharField.register_lookup(OfTheirOwn)
    try:
        frames = frames_of(lambda: Visitor.objects.filter(name__of_their_own="Ada"))
    finally:
        models.CharField._unregister_lookup(OfTheirOwn)
    assert frames[-1].filename == __file__
