"""Prints the tour: the idea, code, SQL, first rows and figures of each stop, and what comes after the last."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from facade.cli.layout import python_lines, sql_lines, text_lines
from facade.foundation.texts import one_line, plural

FIRST = 3
STATEMENTS = 9
COMMAND = 29
REPEATED = 3
WIDE = 60
NEXT = (
    ("facade demo --full", "all steps, and a table of their times"),
    ("facade demo --serve", "a service on the flights, its API page, its admin"),
    ("facade demo --database URL", "the same on PostgreSQL or MariaDB"),
    ("docs/tutorial.md", "from nothing to models, queries, async code"),
)
THEME = "ansi_dark"


@dataclass(frozen=True, slots=True)
class Run:
    """A stop on one face: what came back, by which statements, how long it took first, and at best when repeated."""

    result: object
    statements: tuple[str, ...]
    seconds: float
    again: float

    def gives_the_same_as(self, other: Run) -> bool:
        """Tell whether both came by as many statements to the same."""
        return len(self.statements) == len(other.statements) and _told(self.result) == _told(other.result)


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to show of one stop."""

    title: str
    idea: str
    code: str
    other: str
    sync: Run
    awaited: Run
    rows: int
    note: str = ""


def statements_of(queries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the SQL of captured queries."""
    return tuple(str(query["sql"]) for query in queries)


def source(function: Callable[..., Any]) -> str:
    """The body of a function as its reader would write it."""
    _, _, body = inspect.getsource(function).partition(":\n")
    text = re.sub(r'^""".*?"""', "", textwrap.dedent(body).strip(), flags=re.DOTALL).strip()
    return re.sub(r"^return ", "", text, flags=re.MULTILINE)


def count(result: object) -> int:
    """Return how many rows a result is."""
    if isinstance(result, str):
        return len(result.splitlines())
    return len(result) if isinstance(result, list) else 1


def _told(result: object) -> list[str]:
    return [str(row) for row in result] if isinstance(result, list) else [str(result)]


def first_rows(result: object) -> list[str]:
    """The first rows of a result, one line each."""
    if isinstance(result, list):
        shown = [str(row) for row in result[:FIRST]]
        return shown + [f"… {len(result) - FIRST} more"] * (len(result) > FIRST)
    if isinstance(result, dict):
        return [", ".join(f"{name}: {value}" for name, value in result.items())]
    return str(result).splitlines()[: FIRST + 2]


def print_heading(console: Console, title: str, idea: str, place: str = "") -> None:
    """Print what stands over a page."""
    console.print()
    console.rule(Text(f"{place} {title}".strip(), style="bold"), align="left", style="dim")
    print_text(console, idea)


def print_page(console: Console, page: Page, place: str) -> None:
    """Print one stop; ``place`` says where in the tour it is."""
    print_heading(console, page.title, page.idea, place)
    console.print()
    margin = print_code(console, page.code)
    print_text(console, f"under asyncio: {page.other}", indent=margin, style="dim italic")
    console.print()
    run = page.sync
    shown = run.statements if len(run.statements) <= STATEMENTS else run.statements[:FIRST]
    for statement in shown:
        _print_lines(console, "sql", sql_lines(short(statement), console.width - 2 * margin), 2 * margin)
    if left_out := len(run.statements) - len(shown):
        print_text(console, f"… {plural(left_out, 'more statement')}", indent=2 * margin, style="dim")
    for row in first_rows(run.result):
        print_text(console, f"→ {row}", indent=max(2 * margin, 2))
    print_text(console, _figures(page), style="dim")
    if page.note:
        print_text(console, page.note, style="dim")


def _figures(page: Page) -> str:
    sync, awaited = page.sync, page.awaited
    counted = plural(len(sync.statements), "statement")
    return f"{counted}; sync\xa0{duration(sync.again)}, async\xa0{duration(awaited.again)}; first\xa0{duration(sync.seconds)}"


def print_code(console: Console, code: str) -> int:
    """Print Python code, and return how far it is indented: a narrow terminal needs all its columns."""
    margin = 2 if console.width >= WIDE else 0
    _print_lines(console, "python", python_lines(code, console.width - margin), margin)
    return margin


def _print_lines(console: Console, language: str, lines: Sequence[str], indent: int = 0) -> None:
    """Print code in colours; its lines are not broken again."""
    text = Syntax("", language, theme=THEME).highlight("\n".join(lines))
    text.rstrip()
    text.highlight_regex("…", "not underline default")  # no mistake of SQL's, but left out
    for line in text.split():
        console.print(Text(" " * indent) + line, soft_wrap=True)


def print_text(console: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """Print words in lines that fit."""
    for line in text_lines(text, console.width - indent, indent="  " if indent else ""):
        console.print(Text(" " * indent + line, style=style), soft_wrap=True)


def short(statement: str) -> str:
    """A statement without most of its column list."""
    return re.sub(
        r"^((?:EXPLAIN .*?)?SELECT (?:DISTINCT )?(?:(?! FROM ).){25,70}?), (?:(?! FROM ).){60,} (FROM )",
        r"\1, … \2",
        one_line(statement),
    )


def print_summary(console: Console, pages: Sequence[Page]) -> None:
    """The table at the end: a line for each stop, with both faces side by side."""
    console.print()
    console.rule(Text("Summary", style="bold"), align="left", style="dim")
    table = Table("step", box=None, padding=(0, 1, 0, 0))
    for name in ("SQL", "rows", "first", "sync", "async"):
        table.add_column(name, justify="right", no_wrap=True)
    for page in pages:
        times = (page.sync.seconds, page.sync.again, page.awaited.again)
        counts = (len(page.sync.statements), page.rows)
        table.add_row(page.title, *(f"{count:,}" for count in counts), *map(compact, times))
    console.print(table)
    print_text(console, "Times in milliseconds.", style="dim")


def print_next(console: Console, pages: Sequence[Page], *, full: bool) -> None:
    """Print what the tour has shown on the whole, and what there is to do now."""
    same = sum(page.sync.gives_the_same_as(page.awaited) for page in pages)
    console.print()
    console.rule(Text("What next", style="bold"), align="left", style="dim")
    print_text(
        console,
        f"{same} of {plural(len(pages), 'step')} gave the same by as many statements on both faces. Times are the best of "
        f"{REPEATED}; the first one includes planning the query, whose plan is kept for both.",
    )
    console.print()
    for command, what in NEXT[full:]:
        wide = f"{command:<{COMMAND}}{what}"
        if len(wide) + 2 <= console.width:
            print_text(console, wide, indent=2)
        else:
            print_text(console, command, indent=2, style="bold")
            print_text(console, what, indent=6)


def duration(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}\xa0ms" if seconds < 1 else f"{seconds:.2f}\xa0s"


def compact(seconds: float) -> str:
    milliseconds = seconds * 1e3
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:,.0f}"
