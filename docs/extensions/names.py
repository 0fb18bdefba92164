"""What the pages of the reference name, and what Python knows of it."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REFERENCE = Path(__file__).parent.parent / "reference"
LISTING = re.compile(r"^```\{names\} (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ALL_MEMBERS = ".*"

# Methods that ABCs, enums and metaclasses bring along: Python's documentation has them.
PYTHONS = frozenset({"mro", "register"})

#: How docstrings of other packages name things.
OTHERS_LINK = re.compile(r"\[(\w+)\]\[[\w.]+\]")


@dataclass(frozen=True)
class Name:
    """A public name: `path` below `module`; `same_as` is the full name of what it is another name for."""

    module: str
    path: str
    same_as: str = ""

    @property
    def full(self) -> str:
        return f"{self.module}.{self.path}"

    @property
    def owner(self):
        """The module or class that has it."""
        found = importlib.import_module(self.module)
        for part in self.path.split(".")[:-1]:
            found = getattr(found, part)
        return found

    @property
    def last(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def value(self):
        """What stands there; a descriptor itself, not what it makes of the class."""
        if inspect.isclass(self.owner):
            return inspect.getattr_static(self.owner, self.last, None)
        return getattr(self.owner, self.last)

    def exists(self) -> bool:
        try:
            owner = self.owner
        except (AttributeError, ImportError):
            return False
        return hasattr(owner, self.last) or self.last in getattr(owner, "__annotations__", {})

    @property
    def twin(self) -> str:
        """The name of its awaitable twin, beside it; empty where it has none."""
        for name in (f"a{self.last}", f"{self.last}_async"):
            if hasattr(self.owner, name) and _is_twin(
                getattr(self.owner, name), getattr(self.owner, self.last)
            ):
                return name
        return ""


def _is_twin(one, other) -> bool:
    return (
        inspect.isroutine(one) and inspect.isroutine(other) and inspect.getdoc(one) == inspect.getdoc(other)
    )


def listed(module: str, lines: str) -> list[Name]:
    """Return the names of one list: a name, `name = full.name.of.another`, or `Class.*` on each line."""
    found = []
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, _, same_as = map(str.strip, line.partition("="))
        if name.endswith(ALL_MEMBERS):
            found += members(Name(module, name.removesuffix(ALL_MEMBERS)))
        else:
            found.append(Name(module, name, same_as))
    return found


@cache
def members(name: Name) -> tuple[Name, ...]:
    """Return the public members of a class, in the order in which they are written; twins go with their originals."""
    cls = getattr(name.owner, name.last)
    written = {
        member: None
        for base in cls.__mro__
        if base.__module__.startswith("facade")
        for member in vars(base)
        if not member.startswith("_") and member not in PYTHONS
    }
    found = [Name(name.module, f"{name.path}.{member}") for member in written]
    twins = {member.twin for member in found} - {""}
    return tuple(member for member in found if member.last not in twins and documentation(member))


@cache
def pages() -> dict[str, list[Name]]:
    """Return the names on each page of the reference, by the page's name."""
    return {
        page.stem: [
            name for module, lines in LISTING.findall(page.read_text()) for name in listed(module, lines)
        ]
        for page in sorted(REFERENCE.glob("*.md"))
    }


def documentation(name: Name) -> str:
    """Return the text of a name: its docstring, or the text that stands behind it in its module or class."""
    value = name.value
    if home := foreign(value):
        text = OTHERS_LINK.sub(r"`\1`", (inspect.getdoc(value) or "").split("\n\n")[0])
        return f"{text}\n\nIt is `{home}.{value.__name__}`."
    if inspect.isclass(name.owner):
        if not isinstance(value, type) and (inspect.isroutine(value) or inspect.isdatadescriptor(value)):
            return inspect.getdoc(value) or ""
        texts = (_text_behind(base, name.last) for base in name.owner.__mro__)
        return next(filter(None, texts), "") or _own(value)
    if inspect.isclass(value):
        return _own(value)
    if inspect.isroutine(value) or inspect.ismodule(value):
        return inspect.getdoc(value) or ""
    return text_in_module(name.module, name.last)


def foreign(value) -> str:
    """Return the module of a class or function of another package; empty for facade's own, and for values."""
    home = getattr(value, "__module__", None) if inspect.isclass(value) or inspect.isfunction(value) else None
    return "" if home is None or home.partition(".")[0] in {"facade", "library"} else home


def _own(value) -> str:
    """Return the docstring of a class itself, or of a descriptor's, not that of what it derives from."""
    if not inspect.isclass(value) and type(value).__module__ == "builtins":
        return ""
    return inspect.cleandoc(getattr(value, "__dict__", {}).get("__doc__") or "")


def _text_behind(cls: type, attribute: str) -> str:
    if not cls.__module__.startswith("facade"):
        return ""
    for node in _tree(cls.__module__).body:
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            return _texts(node.body).get(attribute, "")
    return ""


@cache
def text_in_module(module: str, name: str) -> str:
    """Return the text behind an assignment, wherever the name was imported from."""
    body = _tree(module).body
    if name in (texts := _texts(body)):
        return texts[name]
    for node in body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("facade"):
            for alias in node.names:
                if alias.name == "*" and (text := text_in_module(node.module, name)):
                    return text
                if (alias.asname or alias.name) == name:
                    return text_in_module(node.module, alias.name)
    return ""


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(Path(importlib.import_module(module).__file__).read_text())


def _texts(body: list[ast.stmt]) -> dict[str, str]:
    """Return the texts that stand right behind assignments, by the names that are assigned."""
    found = {}
    for node, following in itertools.pairwise(body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        text = getattr(getattr(following, "value", None), "value", None)
        if isinstance(following, ast.Expr) and isinstance(text, str):
            found |= {target.id: inspect.cleandoc(text) for target in targets if isinstance(target, ast.Name)}
    return found
