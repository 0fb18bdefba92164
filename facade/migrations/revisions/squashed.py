"""Several revisions' files as one: their functions one after the other, under the last one's id."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from alembic.util import CommandError

from facade.migrations.runs.dialects import RUNS_ON, line_of, shared
from facade.migrations.runs.progress import title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alembic.script import Script

__all__ = ["source_of"]

_OWN = frozenset({"revision", "down_revision", "branch_labels", "depends_on", "replaces", RUNS_ON})
_WAYS = ("upgrade", "downgrade")
_FUTURE = "__future__"

_TEMPLATE = '''"""{message}

Revision ID: {revision}
Revises: {revises}
Replaces: {replaced}
"""

{imports}

revision = {revision!r}
down_revision = {down_revision!r}
branch_labels = None
depends_on = None
# A database that stands at one of these has to be migrated by a version of the program that still has them.
replaces = {replaces!r}
{runs_on}

{definitions}


def upgrade() -> None:
{upgrades}


def downgrade() -> None:
{downgrades}
'''


@dataclass
class _Parts:
    """What the files hold, apart from the names of the revisions."""

    imports: dict[str, None] = field(default_factory=dict)
    definitions: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=lambda: {way: [] for way in _WAYS})


def source_of(scripts: Sequence[Script], message: str) -> str:
    """Return the text of one file instead of the scripts', which follow each other.

    Raises CommandError where two of them define one name, or were made on different kinds of databases.
    """
    line = line_of(shared(scripts))
    parts = _Parts()
    for script in scripts:
        _take(script, parts)
    replaces = [name for one in scripts for name in (*getattr(one.module, "replaces", ()), one.revision)][:-1]
    imports = sorted(parts.imports, key=lambda line: _FUTURE not in line)
    return _TEMPLATE.format(
        message=message,
        revision=scripts[-1].revision,
        revises=scripts[0].down_revision or "",
        replaced=", ".join(replaces),
        imports="\n".join(imports),
        down_revision=scripts[0].down_revision,
        replaces=tuple(replaces),
        runs_on=f"{line}\n" if line else "",
        definitions="\n\n\n".join(parts.definitions),
        upgrades=_body(parts.calls["upgrade"]),
        downgrades=_body(parts.calls["downgrade"][::-1]),
    )


def _body(calls: list[str]) -> str:
    return "\n".join(f"    {name}()" for name in calls) or "    pass"


def _take(script: Script, parts: _Parts) -> None:
    text = Path(script.path).read_text("utf-8")
    suffix = re.sub(r"\W", "_", script.revision)
    for node in ast.parse(text).body:
        source = _source(text, node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            parts.imports[source] = None
        elif isinstance(node, ast.FunctionDef) and node.name in _WAYS:
            name = f"{node.name}_{suffix}"
            parts.definitions.append(source.replace(f"def {node.name}(", f"def {name}(", 1))
            parts.calls[node.name].append(name)
        elif not _is_said_anew(node):
            _claim(script, node, parts)
            parts.definitions.append(source)


def _source(text: str, node: ast.stmt) -> str:
    """Return a statement's text, its decorators included."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


def _is_said_anew(node: ast.stmt) -> bool:
    """Tell the docstring and what names the revision."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return bool(names := {*_names(node)}) and names <= _OWN


def _names(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
        return
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    yield from (
        one.id
        for target in targets
        if target is not None
        for one in ast.walk(target)
        if isinstance(one, ast.Name)
    )


def _claim(script: Script, node: ast.stmt, parts: _Parts) -> None:
    for name in _names(node):
        owner = parts.owners.setdefault(name, title(script))
        if owner != title(script):
            raise CommandError(
                f"{owner} and {title(script)} both define {name!r}: give it another name in one of them."
            )
