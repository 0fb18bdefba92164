"""Cases drawn by hypothesis, run by facade and by Django; see the package's docstring."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.differential.explained import explanation
from tests.differential.running import Runner, report
from tests.differential.worlds import both_worlds

READS = int(os.environ.get("FACADE_DIFFERENTIAL_READS", "250"))
WRITES = int(os.environ.get("FACADE_DIFFERENTIAL_WRITES", "60"))


def _oracle():
    try:
        major, minor, *_ = version("django").split(".")
    except PackageNotFoundError:
        return (0, 0)
    return int(major), int(minor)


pytestmark = [
    pytest.mark.skipif(_oracle() < (6, 1), reason="Django 6.1, the oracle, is not installed"),
    pytest.mark.faces("sync"),
    # Django's own.
    pytest.mark.filterwarnings("ignore:::django"),
    pytest.mark.filterwarnings("ignore:Calling select_related"),
    pytest.mark.filterwarnings("ignore:Using None as the right-hand side"),
]


@pytest.fixture
def runner(database):
    with both_worlds(database.url) as worlds:
        yield Runner(*worlds)


def check(runner, cases, writing):
    """Run cases until one differs; hypothesis then makes it small, and its report is a reproduction."""

    @settings(
        max_examples=cases, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink], report_multiple_bugs=False,
    )  # fmt: skip
    @given(st.randoms(use_true_random=False))
    def compare(draw):
        case, ours, theirs, found = runner.one(draw, writing)
        if found and not explanation(case, ours, theirs, found):
            pytest.fail(report(case, ours, theirs, found), pytrace=False)

    compare()


def test_querysets_answer_as_djangos_do(runner):
    check(runner, READS, writing=False)


def test_writes_leave_the_tables_as_djangos_do(runner):
    check(runner, WRITES, writing=True)
