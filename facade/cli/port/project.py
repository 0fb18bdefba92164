"""Which modules of a project have to stay as they are because others do: what imports each other is ported together."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Project"]


@dataclass
class Project:
    """The modules that are ported in one go: what they import of each other, and which of them define models."""

    imports: dict[Path, set[Path]] = field(default_factory=dict)
    define_models: set[Path] = field(default_factory=set)

    @classmethod
    def of(cls, sources: Mapping[Path, bytes]) -> Project:
        """Read the imports of all modules; one that is no Python has none."""
        project, places = cls(), _places(sources)
        for path, source in sources.items():
            try:
                tree = ast.parse(source)
            except (SyntaxError, ValueError, RecursionError):
                project.imports[path] = set()
                continue
            project.imports[path] = {found for found in _imported(tree, path, places) if found != path}
            if any(_is_model(node) for node in ast.walk(tree)):
                project.define_models.add(path)
        return project

    def held_by(self, left: Iterable[Path]) -> dict[Path, Path]:
        """Return the modules that stay with those that are left as they are, each with the one that it stays for.

        Modules with models hold what they import, and whatever imports them. Others, such as admin.py, hold nothing: they
        are only users of models.
        """
        importers = defaultdict(set)
        for path, imported in self.imports.items():
            for other in imported:
                importers[other].add(path)
        held: dict[Path, Path] = {}
        waiting = [(path, path) for path in left if path in self.define_models]
        while waiting:
            path, reason = waiting.pop()
            needed = self.imports.get(path, set()) if path in self.define_models or path == reason else set()
            for other in sorted(needed | importers[path]):
                if other not in held:
                    held[other] = reason
                    waiting.append((other, reason))
        return held


def _is_model(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        ast.unparse(base).endswith(("Model", "AbstractUser", "AbstractBaseUser")) for base in node.bases
    )


def _places(paths: Iterable[Path]) -> dict[tuple[str, ...], list[Path]]:
    """Return the modules by the ends of their dotted names, as absolute imports may write them."""
    places = defaultdict(list)
    for path in paths:
        parts = _parts(path)
        for start in range(len(parts)):
            places[parts[start:]].append(path)
    return places


def _parts(path: Path) -> tuple[str, ...]:
    parts = path.resolve().with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def _imported(tree: ast.Module, path: Path, places: Mapping[tuple[str, ...], list[Path]]) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from places.get(tuple(alias.name.split(".")), ())
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                module = (*path.resolve().parts[: -node.level], *module)
            yield from places.get(module, ())
            for alias in node.names:
                yield from places.get((*module, alias.name), ())
