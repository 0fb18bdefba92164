"""The command that ports a Django project's modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facade.cli.port import files
from facade.cli.port.project import Project
from facade.foundation.imports import later
from facade.foundation.texts import one_line, plural

if TYPE_CHECKING:
    from facade.cli.port import rewriting
else:
    # It needs libcst.
    rewriting = later("facade.cli.port.rewriting")

__all__ = ["register"]

_WOULD_NOT_RUN = ": rewritten in part, it would not run"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("port")(port)


def port(
    paths: Annotated[list[Path], typer.Argument(help="Modules, and folders with modules.", exists=True)],
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Write the files; without it the changes are only shown.")
    ] = False,
    partly: Annotated[
        bool,
        typer.Option("--partly", help="Rewrite, too, what would not run before the rest is done by hand."),
    ] = False,
) -> None:
    """Rewrite a Django project's imports for facade, and report what has no counterpart.

    Exits with 0 where nothing is left to do, with 1 where something is, with 2 where a path is wrong.
    """
    work = _Work(write=write, partly=partly)
    try:
        work.do(paths)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "libcst":
            raise
        typer.echo("Porting needs libcst: pip install 'sqlalchemy-facade[port]'", err=True)
        raise typer.Exit(2) from None
    if work.left or work.kept:
        raise typer.Exit(1)


@dataclass
class _Work:
    """What was done so far."""

    write: bool
    partly: bool
    changed: int = 0
    left: int = 0
    kept: int = 0

    def do(self, paths: Iterable[Path]) -> None:
        """Port all modules, or say why they stay as they are."""
        sources = dict(self._read(paths))
        ported = dict(self._ported(sources))
        blocked = {path for path, one in ported.items() if any(finding.blocks for finding in one.findings)}
        held = Project.of(sources).held_by(blocked) if blocked and not self.partly else {}
        for path, one in ported.items():
            if one.code == sources[path]:
                self._report(path, one.findings)
            elif self.partly or not (path in blocked or path in held):
                self._change(path, sources[path], one)
            else:
                self._report(path, one.findings)
                why = f", because {held[path]} is" if path not in blocked else _WOULD_NOT_RUN
                self._keep(path, f"left as it is{why} (--partly rewrites it)")
        self._sum_up()

    def _read(self, paths: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
        for path in files.modules(paths):
            if not files.is_migration(path):
                try:
                    yield path, path.read_bytes()
                except OSError as error:
                    self._keep(path, f"cannot be read: {one_line(error)}")

    def _ported(self, sources: Mapping[Path, bytes]) -> Iterator[tuple[Path, rewriting.Ported]]:
        for path, source in sources.items():
            if any(root.encode() in source for root in rewriting.ROOTS):
                try:
                    yield path, rewriting.port(source)
                except rewriting.UNREADABLE as error:
                    self._keep(path, f"cannot be read: {one_line(error)}")

    def _change(self, path: Path, old: bytes, ported: rewriting.Ported) -> None:
        if self.write:
            try:
                files.write(path, ported.code)
            except OSError as error:
                self._keep(path, f"cannot be written: {one_line(error)}")
                return
            typer.echo(f"{path}: written")
        else:
            typer.echo(files.difference(path, old, ported.code), nl=False)
        self.changed += 1
        self._report(path, ported.findings_in_new if self.write else ported.findings)

    def _report(self, path: Path, findings: Sequence[rewriting.Finding]) -> None:
        for finding in findings:
            typer.echo(f"{path}:{finding.line}: {finding.what}: {finding.remedy}")
        self.left += len(findings)

    def _keep(self, path: Path, why: str) -> None:
        typer.echo(f"{path}: {why}")
        self.kept += 1

    def _sum_up(self) -> None:
        """Print the last line."""
        files_ = plural(self.changed, "file")
        done = (
            f"{files_} written"
            if self.write
            else f"{files_} would change{' (--write does it)' * bool(self.changed)}"
        )
        kept = f", {self.kept} left as {'it is' if self.kept == 1 else 'they are'}" if self.kept else ""
        typer.echo(f"{done}{kept}; {plural(self.left, 'place') if self.left else 'nothing'} to look at.")
