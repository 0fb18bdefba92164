"""What `migrate` prints while it goes on: a line for each revision, with a spinner where there is a terminal."""

from __future__ import annotations

from time import perf_counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status

from facade.migrations.runs.progress import Progress

__all__ = ["TerminalProgress"]


class TerminalProgress(Progress):
    """Prints as Django does, each line when its revision is committed; elsewhere its beginning first, to show where it hangs."""

    def __init__(self, console: Console | None = None) -> None:
        super().__init__()
        self.console = console or Console(soft_wrap=True, highlight=False)
        self._status: Status | None = None
        self._started = 0.0
        self._line = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._stop()
        if kind is not None and self._line:
            self._print(f"{self._line if self.console.is_terminal else ''} FAILED", "red")
        elif kind is None and not self.applied:
            self.console.print("No migrations to apply.")

    def waiting(self, message: str) -> None:
        self._print(message, "yellow")

    def enter(self, schema: str | None) -> None:
        super().enter(schema)
        if schema is not None:
            self._print(f"Schema {schema}")

    def begin(self, revision: str, *, up: bool, faked: bool = False) -> None:
        super().begin(revision, up=up, faked=faked)
        self._line = f"  {'Applying' if up else 'Unapplying'} {revision}..."
        self._started, self._faked = perf_counter(), faked
        if self.console.is_terminal:
            self._status = self.console.status(self._line)
            self._status.start()
        else:
            self._print(self._line, end="")

    def end(self) -> None:
        super().end()
        self._stop()
        word = "FAKED" if self._faked else "OK"
        took = f" ({perf_counter() - self._started:.1f} s)"
        self._print(f"{self._line if self.console.is_terminal else ''} {word}{took}", "green")
        self._line = ""

    def say(self, message: str) -> None:
        self._print(message)

    def make_room(self) -> None:
        if self._status is not None:
            self._stop()
            self._print(self._line)

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _print(self, text: str, style: str = "", end: str = "\n") -> None:
        self.console.print(text, style=style, end=end, markup=False)
        self.console.file.flush()
