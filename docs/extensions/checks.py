"""What `Model.check()` may find, read from the code that finds it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import facade

PACKAGE = Path(facade.__file__).parent
FILES = [PACKAGE / "meta" / "model_checks.py", *sorted((PACKAGE / "fields").rglob("*.py"))]
ID = re.compile(r"(?:(?:models|fields)\.)?[EW]\d{3}")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
OPEN = "…"  # stands for what the message has from the declaration


@dataclass(frozen=True)
class Check:
    """One finding: its id, its message, and what helps, if that is said."""

    id: str
    message: str
    hint: str = ""


def checks() -> list[Check]:
    """Return all that may be found, by the ids."""
    found = [check for path in FILES for function in _functions(path) for check in _checks_in(function, path)]
    return sorted(
        set(found),
        key=lambda check: (check.id.partition(".")[0], check.id.partition(".")[2][1:], check.message),
    )


def ids_in_the_code() -> set[str]:
    """Return the ids that stand in the code, whatever stands around them."""
    return {
        _full(node.value, path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value)
    }


def described() -> str:
    """Return a table of the checks in Markdown."""
    lines = ["| Id | What is wrong | What helps |", "|---|---|---|"]
    lines += [f"| `{check.id}` | {_cell(check.message)} | {_cell(check.hint)} |" for check in checks()]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


def _full(id_: str, path: Path) -> str:
    return id_ if "." in id_ else f"{'models' if path.parent.name == 'meta' else 'fields'}.{id_}"


def _functions(path: Path):
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS)]


def _checks_in(function: ast.AST, path: Path):
    texts = _assigned(function)
    constants = {
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and ID.fullmatch(str(node.value))
    }
    told = set()
    for call in (node for node in ast.walk(function) if isinstance(node, (ast.Call, ast.Tuple, ast.Return))):
        arguments = getattr(call, "args", None) or getattr(call, "elts", None) or []
        for place, argument in enumerate(arguments):
            if argument in constants:
                written = [_text(one, texts) for one in (*arguments[:place], *arguments[place + 1 :])]
                written = [text for text in written if text]
                if written and len(max(written, key=len)) > 12:
                    told.add(argument)
                    yield Check(_full(argument.value, path), written[0], " ".join(written[1:2]))
    # Those that a loop goes over have the text of the call that names them.
    named = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and "id" in map(ast.unparse, node.args)
    ]
    written = [_text(one, texts) for call in named for one in call.args]
    if not any(written):
        written = [_text(node, []) for node in ast.walk(function)]
    for argument in constants - told:
        yield Check(_full(argument.value, path), max(written, key=len))


def _assigned(function: ast.AST) -> list[tuple[int, str, str]]:
    """Return the texts that are assigned to names in a function: line, name, text."""
    return [
        (node.lineno, node.targets[0].id, text)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and (text := _text(node.value, []))
    ]


def _text(node: ast.AST, known: list[tuple[int, str, str]]) -> str:
    """Return a text as it is written, with a sign for what it takes from elsewhere."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) and not ID.fullmatch(node.value) else ""
    if isinstance(node, ast.Name):
        before = [(line, text) for line, name, text in known if name == node.id and line <= node.lineno]
        return max(before, default=(0, ""))[1]
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, known) if isinstance(part, ast.Constant) else OPEN for part in node.values)
    return ""
