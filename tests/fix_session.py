"""How a whole run goes: in how many processes, and what is told at its end."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config):
    """Half as many more as there are cores, since tests wait for servers; none for a single file, done before they start."""
    chosen = config.option.file_or_dir
    if len(chosen) == 1 and not Path(chosen[0]).is_dir():
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + cores // 2


def pytest_terminal_summary(terminalreporter):
    """Say what was skipped, one line for each reason."""
    skipped = Counter(reason_of(report) for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section("skipped")
    for reason, count in skipped.most_common():
        terminalreporter.write_line(f"{count:>5}  {reason}")


def reason_of(report):
    """The reason as the test gives it; a report has file, line and "Skipped: ..."."""
    longrepr = report.longrepr
    return (longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)).removeprefix("Skipped: ")
