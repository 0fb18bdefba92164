"""Tabs of the code blocks that are for one face: in Markdown they stand below **Sync** and **Async**, readable anywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TAB = re.compile(r"^\*\*(Sync|Async)\*\*\n\n(```.*?^```)$", re.MULTILINE | re.DOTALL)


def make_tabs(app: Sphinx, page: str, source: list[str]) -> None:
    """Put tabs into the text of a page that has just been read."""
    source[0] = TAB.sub(r":::{tab} \1\n\2\n:::", source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Have Sphinx call it."""
    app.connect("source-read", make_tabs)
    return {"parallel_read_safe": True}
