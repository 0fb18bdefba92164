"""Whether the links in a built site lead to pages, and to places on them, that it has: `python -m docs.extensions.anchors docs/_build`."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page, and the places that links may lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.places |= {given[name] for name in ("id", "name") if given.get(name)}
        self.links += [given[name] for name in ("href", "src") if given.get(name)]


def lost(root: Path) -> list[str]:
    """Return the links that lead nowhere, with the pages that have them."""
    pages = {path.resolve(): Page(path.resolve()) for path in root.rglob("*.html")}
    return [
        f"{page.path.relative_to(root.resolve())}: {link}"
        for page in pages.values()
        for link in page.links
        if not _leads_somewhere(page, link, pages)
    ]


def _leads_somewhere(page: Page, link: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
    if not target.exists():
        return False
    place = unquote(parts.fragment)
    return not place or target not in pages or place in pages[target].places


if __name__ == "__main__":
    found = lost(Path(sys.argv[1]))
    sys.exit("\n".join(["Links that lead nowhere:", *found]) if found else 0)
