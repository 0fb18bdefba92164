"""Draws the pages of the tour as one SVG that shows them in turn; without animation it shows the first."""

from __future__ import annotations

import io
import re

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

__all__ = ["Recorder"]

WIDTH = 80
SECONDS = 7
COMMAND = "$ facade demo"
#: Colours that can be read on the window's own ground, which is there on light pages and on dark ones.
THEME = TerminalTheme(
    (24, 27, 33),
    (222, 226, 230),
    [(90, 96, 105), (255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221), (222, 226, 230)],
    [(139, 148, 158), (255, 161, 152), (126, 231, 135), (242, 204, 96), (165, 214, 255), (226, 197, 255), (179, 240, 255), (255, 255, 255)],
)  # fmt: skip
PAGE = """\
<g class="page" style="animation-delay:{delay}s"><style>{styles}</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g></g>
"""
PICTURE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="facade demo in a terminal">
<style>
text {{ font: 20px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }}
.page {{ opacity: 0; animation: turn {all}s step-end infinite }}
.page:first-of-type {{ opacity: 1 }}
@keyframes turn {{ 0% {{ opacity: 1 }} {share:.4f}% {{ opacity: 0 }} 100% {{ opacity: 0 }} }}
@media (prefers-reduced-motion: reduce) {{ .page {{ animation: none }} }}
</style>
{pages}</svg>
"""


class Recorder:
    """A console that keeps what was printed, page by page."""

    def __init__(self) -> None:
        self.console = Console(
            file=io.StringIO(),
            record=True,
            width=WIDTH,
            force_terminal=True,
            color_system="truecolor",
            highlight=False,
        )
        self._pages: list[str] = []
        self._tallest = 0

    def turns(self) -> bool:
        """End a page, and go on."""
        text = self.console.export_text(clear=True, styles=True).strip("\n")
        self._pages.append(text)
        self._tallest = max(self._tallest, text.count("\n") + 1)
        return True

    def begin(self) -> None:
        """Forget what was printed so far, and show the command instead."""
        self.console.export_text(clear=True)
        self.console.print(COMMAND, style="bold")

    def svg(self) -> str:
        """Return the picture: as high as the longest page needs."""
        drawn = [self._drawn(number, page) for number, page in enumerate(self._pages)]
        size = re.search(r'<rect fill="#[0-9a-f]+" stroke[^>]* width="([\d.]+)" height="([\d.]+)"', drawn[0])
        assert size is not None
        return PICTURE.format(
            width=float(size[1]) + 2,
            height=float(size[2]) + 2,
            all=SECONDS * len(drawn),
            share=100 / len(drawn),
            pages="".join(drawn),
        )

    def _drawn(self, number: int, page: str) -> str:
        console = Console(file=io.StringIO(), record=True, width=WIDTH)
        console.print(Text.from_ansi(page), soft_wrap=True)
        console.print("\n" * (self._tallest - page.count("\n") - 2))
        return console.export_svg(
            title="facade demo",
            theme=THEME,
            code_format=PAGE.replace("{delay}", str(number * SECONDS)),
            unique_id=f"p{number}",
        )
