"""The changes that no release has yet, from their files."""

from __future__ import annotations

import tomllib
from pathlib import Path

DOCS = Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["towncrier"]


def described() -> str:
    """Return the changes as Markdown, by their kinds."""
    lines = []
    for kind in CONFIGURATION["type"]:
        texts = [
            path.read_text().strip() for path in sorted((DOCS / "changes").glob(f"*.{kind['directory']}*.md"))
        ]
        if texts:
            lines += [f"**{kind['name']}**", "", *("- " + text.replace("\n", "\n  ") for text in texts), ""]
    return "\n".join(lines)
