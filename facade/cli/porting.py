"""The command that ports a Django project's modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facade.cli.port import files
from facade.foundation.imports import later

if TYPE_CHECKING:
    from facade.cli.port import rewriting
else:
    # It needs libcst.
    rewriting = later("facade.cli.port.rewriting")

__all__ = ["register"]


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
        for path in files.modules(paths):
            work.see(path)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "libcst":
            raise
        typer.echo("Porting needs libcst: pip install 'sqlalchemy-facade[port]'", err=True)
        raise typer.Exit(2) from None
    work.sum_up()
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

    def see(self, path: Path) -> None:
        """Port one file, or say why it stays as it is."""
        if files.is_migration(path):
            return
        try:
            old = path.read_bytes()
            if not any(root.encode() in old for root in rewriting.ROOTS):
                return
            ported = rewriting.port(old)
        except (OSError, *rewriting.UNREADABLE) as error:
            self._keep(path, f"cannot be read: {_line(error)}")
            return
        if ported.code == old:
            self._report(path, ported.findings)
        elif not self.partly and any(finding.blocks for finding in ported.findings):
            self._report(path, ported.findings)
            self._keep(path, "left as it is: rewritten in part, it would not run (--partly does it)")
        else:
            self._change(path, old, ported)

    def _change(self, path: Path, old: bytes, ported: rewriting.Ported) -> None:
        if self.write:
            try:
                files.write(path, ported.code)
            except OSError as error:
                self._keep(path, f"cannot be written: {_line(error)}")
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

    def sum_up(self) -> None:
        """Print the last line."""
        files_ = f"{self.changed} file{'' if self.changed == 1 else 's'}"
        done = (
            f"{files_} written"
            if self.write
            else f"{files_} would change{' (--write does it)' * bool(self.changed)}"
        )
        kept = f", {self.kept} left as {'it is' if self.kept == 1 else 'they are'}" if self.kept else ""
        places = f"{self.left} place{'' if self.left == 1 else 's'}"
        typer.echo(f"{done}{kept}; {places if self.left else 'nothing'} to look at.")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
