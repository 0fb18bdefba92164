"""Prints the tour: code, SQL, figures and first rows of each stop, and the summary at the end."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table

FIRST = 3
STATEMENTS = 9
FACES = ("sync", "async")
THEME = "ansi_dark"


@dataclass(frozen=True, slots=True)
class Record:
    """One cell of the summary: a step on one face. The first time includes making the plan, the next do not."""

    title: str
    face: str
    statements: int
    rows: int
    seconds: float
    again: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to show of one stop."""

    record: Record
    code: str
    statements: tuple[str, ...]
    first_rows: tuple[str, ...]
    note: str = ""

    @classmethod
    def of(
        cls,
        title: str,
        face: str,
        function: Callable[..., Any],
        result: object,
        queries: Sequence[Mapping[str, Any]],
        seconds: float,
    ) -> Page:
        """The page of a function that was called and of the queries that it caused."""
        record = Record(title, face, len(queries), _count(result), seconds)
        code = source(function, awaited=face == "async")
        return cls(record, code, tuple(str(query["sql"]) for query in queries), tuple(first_rows(result)))

    def noting(self, text: str) -> Page:
        return replace(self, note=text)

    def repeated(self, seconds: float) -> Page:
        return replace(self, record=replace(self.record, again=seconds))

    def reading(self, rows: int) -> Page:
        return replace(self, record=replace(self.record, rows=rows))


def source(function: Callable[..., Any], *, awaited: bool = False) -> str:
    """The body of a function as its reader would write it; a lone queryset is awaited under asyncio."""
    _, _, body = inspect.getsource(function).partition(":\n")
    text = re.sub(r'^""".*?"""', "", textwrap.dedent(body).strip(), flags=re.DOTALL).strip()
    lone = "await " if awaited and not re.search(r"\b(await|async) ", text) else ""
    return re.sub(r"^return ", lone, text, flags=re.MULTILINE)


def _count(result: object) -> int:
    if isinstance(result, str):
        return len(result.splitlines())
    return len(result) if isinstance(result, list) else 1


def first_rows(result: object) -> list[str]:
    """The first rows of a result, one line each."""
    if isinstance(result, list):
        shown = [str(row) for row in result[:FIRST]]
        return shown + [f"… {len(result) - FIRST} more"] * (len(result) > FIRST)
    if isinstance(result, dict):
        return [", ".join(f"{name}: {value}" for name, value in result.items())]
    return str(result).splitlines()[: FIRST + 2]


def print_page(console: Console, page: Page) -> None:
    record = page.record
    console.print(f"\n[bold]{record.title}[/bold]")
    console.print(Padding(Syntax(page.code, "python", theme=THEME, word_wrap=True), (0, 2)))
    statements = page.statements if len(page.statements) <= STATEMENTS else page.statements[:FIRST]
    for statement in statements:
        console.print(Padding(Syntax(short(statement), "sql", theme=THEME, word_wrap=True), (0, 4)))
    if left_out := len(page.statements) - len(statements):
        console.print(f"    … {_plural(left_out, 'more statement')}", style="dim")
    for row in page.first_rows:
        console.print(f"    → {row}", markup=False, highlight=False)
    figures = [_plural(record.statements, "statement"), _duration(record.seconds)]
    if record.again is not None:
        figures.append(f"once more: {_duration(record.again)}")
    console.print(f"    {'; '.join([', '.join(figures), *filter(None, [page.note])])}", style="dim")


def short(statement: str) -> str:
    """A statement without most of its column list."""
    return re.sub(
        r"^((?:EXPLAIN .*?)?SELECT (?:DISTINCT )?.{60,90}?), .{60,}? (FROM )",
        r"\1, … \2",
        " ".join(statement.split()),
    )


def print_summary(console: Console, records: Sequence[Record]) -> None:
    """The table at the end: a line for each step, with both faces side by side."""
    console.print()
    console.rule("Summary")
    table = Table("step", box=None)
    for name in ("SQL", "rows", *(cell for face in FACES for cell in (face, "again"))):
        table.add_column(name, justify="right")
    for title in dict.fromkeys(record.title for record in records):
        faces = {record.face: record for record in records if record.title == title}
        first = next(iter(faces.values()))
        times = (cell for face in FACES for cell in _times(faces.get(face)))
        table.add_row(title, f"{first.statements:,}", f"{first.rows:,}", *times)
    console.print(table)
    total = sum(record.statements for record in records)
    console.print(
        f"\n{_plural(total, 'statement')} in {_duration(sum(r.seconds for r in records))}. "
        "The first time includes making the plan; again, the plan is there.",
        style="dim",
    )


def _times(record: Record | None) -> tuple[str, str]:
    if record is None:
        return "", ""
    return _duration(record.seconds), "" if record.again is None else _duration(record.again)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
