"""The pages on commands do what they say: their files are written, their commands run, and what they print is compared."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

from tests.fix_commands import on_sqlite

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^```(py|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.py)\n")
ID = re.compile(r"\b(\d{4})_[0-9a-f]{6}")
SECONDS = re.compile(r"\(\d+\.\d s\)")


def same(printed):
    """Take random ids and times for equal."""
    return SECONDS.sub("(0.0 s)", ID.sub(r"\1_", printed))


def orders(block):
    """Yield each command of a block, and what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield shlex.split(command), printed


@pytest.mark.parametrize("page", ["migrations.md"])
def test_the_commands_on_each_page(page, tmp_path, commands):
    project = on_sqlite(tmp_path, commands)
    checker = doctest.OutputChecker()
    for kind, block in FENCE.findall((ROOT / "docs" / page).read_text()):
        if kind == "py":
            if name := FILE.match(block):
                (tmp_path / name[1]).write_text(block)
            continue
        for (program, *arguments), wanted in orders(block):
            printed = (tmp_path / arguments[0]).read_text() if program == "cat" else project.show(*arguments)
            if not checker.check_output(same(wanted), same(printed), doctest.ELLIPSIS):
                pytest.fail(f"{page}: {program} {' '.join(arguments)}\n{printed}", pytrace=False)
