"""Type checkers, without a plugin, agree with what `tests/typing` says of the public types."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CHECKS = {"mypy": ["--strict", "tests/typing"], "pyright": ["tests/typing"]}


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKS)
def test_a_type_checker_agrees(checker):
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    command = [sys.executable, "-m", checker, *CHECKS[checker]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
