"""Links lead to files, and to headings, that are there: in the pages that Sphinx builds, and in those it does not see."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts),
    *(ROOT / "benchmarks").rglob("*.md"),
]
FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1`*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
NOT_OF_AN_ANCHOR = re.compile(r"[^\w\- ]")


def prose(page):
    return FENCE.sub("", page.read_text())


def links(page):
    return [link for link in LINK.findall(CODE.sub("", prose(page))) if not re.match(r"[a-z]+:", link)]


@cache
def anchors(page):
    """Return the anchors of a page, as GitHub and MyST make them of headings."""
    text = prose(page)
    titles = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(text))
    made = {NOT_OF_AN_ANCHOR.sub("", title.lower()).strip().replace(" ", "-") for title in titles}
    return made | set(TARGET.findall(text))


def start(page):
    """Return where the links of a page begin: fragments of the changelog become part of a page in the root."""
    return ROOT if page.parent.name == "changes" else page.parent


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    lost = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (start(page) / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []
