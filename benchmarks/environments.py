"""Interpreters that have what a contender needs: this one, or one in an environment that is made for it.

Some contenders need another SQLAlchemy than the newest, or would change a version that another one has: nobody is
measured with somebody else's requirements.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.contenders import Absent

VARIABLE = "FACADE_BENCH_ENVIRONMENTS"
"""The environment variable with the folder for environments; otherwise the user's cache has them."""
MARK = "complete"


def interpreter(requires: Sequence[str]) -> str:
    """An interpreter that has these packages; raises ``Absent`` where they cannot be installed."""
    if all(map(_is_installed, requires)):
        return sys.executable
    folder = _folder(requires)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / MARK).exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, python, requires)
        (folder / MARK).write_text("\n".join(requires), encoding="utf-8")
    return str(python)


def versions(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Package → version, of those that an interpreter has."""
    code = (
        "import sys\nfrom importlib import metadata\n"
        "for name in sys.argv[1:]:\n"
        "    try: print(name, metadata.version(name))\n"
        "    except metadata.PackageNotFoundError: pass"
    )
    found = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True)
    return dict(line.split() for line in found.stdout.splitlines())


def _is_installed(requirement: str) -> bool:
    wanted = Requirement(requirement)
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _folder(requires: Sequence[str]) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facade-benchmarks"
    parent = Path(os.environ.get(VARIABLE) or cache)
    text = "\n".join([sys.version, *sorted(requires)])
    return parent / f"{Requirement(requires[0]).name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _make(folder: Path, python: Path, requires: Sequence[str]) -> None:
    if uv := shutil.which("uv"):
        commands = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *requires],
        ]
    else:
        commands = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *requires],
        ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise Absent(f"cannot be installed: {reason[-1].strip()}"[:300])
