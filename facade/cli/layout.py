"""Lays code and SQL out in lines that fit a terminal: broken between words and arguments, never inside a name."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator

from facade.foundation.texts import one_line

__all__ = ["python_lines", "sql_lines", "text_lines"]

INDENT = "    "
NARROWEST = 24
OPENING, CLOSING = "([{", ")]}"
STRING = re.compile(r'"[^"\n]*"')
BEFORE = re.compile(r"(?:\w+ = |return |await |(?:async )?for \w+ in |(?:async )?with )*")
CALL = re.compile(r"\.\w+\(")
CLAUSES = (
    *("FROM", "(?:LEFT OUTER |INNER )?JOIN", "WHERE", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "SET"),
    *("VALUES", "ON CONFLICT", "ON DUPLICATE KEY", "RETURNING"),
)
#: What a text, a quoted name or a pair of brackets holds stays together; spaces before a clause do not.
CLAUSE = re.compile(
    rf"""('[^']*'|"[^"]*"|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))|(?<!OUTER)(?<!DELETE)\s+(?=(?:{"|".join(CLAUSES)})\b)"""
)
WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")


def text_lines(text: str, width: int, *, indent: str = "") -> list[str]:
    """Return a text in lines of at most ``width`` columns, those after the first indented; words stay whole.

    A space that does not break stays where it is, and is an ordinary one then.
    """
    lines = textwrap.wrap(
        text, max(width, NARROWEST), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\xa0", " ") for line in lines] or [""]


def sql_lines(statement: str, width: int) -> list[str]:
    """Return a statement with a line for each clause, and more where they are long."""
    apart = CLAUSE.sub(lambda found: found[1] or "\n", one_line(statement))
    return [line for clause in apart.split("\n") for line in _filled(WORD.findall(clause), width)]


def _filled(words: Iterable[str], width: int) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = f"  {word}"
        else:
            line = f"{line} {word}".lstrip() if not line.startswith("  ") else f"{line} {word}"
    if line:
        yield line


def python_lines(source: str, width: int) -> list[str]:
    """Return code of which no line is longer than ``width``, where its names and texts allow it; it means the same."""
    lines = []
    for line in _whole_lines(source):
        code = line.lstrip()
        indent = line[: len(line) - len(code)]
        room = max(width - len(indent), NARROWEST)
        code, mark, comment = code.partition("  # ")
        if mark and len(code) + len(mark) + len(comment) > room:
            lines += [indent + part for part in text_lines(f"# {comment}", room, indent="# ")]
        elif mark:
            code = f"{code}{mark}{comment}"
        lines += [indent + part for part in _laid_out(code, room)]
    return lines


def _whole_lines(source: str) -> Iterator[str]:
    """Yield each statement in one line, however it was broken."""
    gathered, depth = "", 0
    for line in source.splitlines():
        depth += sum((character in OPENING) - (character in CLOSING) for character in _masked(line))
        gathered = _joined(gathered, line) if gathered else line
        if depth == 0:
            yield _without_parentheses(gathered)
            gathered = ""


def _joined(left: str, line: str) -> str:
    right = line.strip()
    if right[0] in CLOSING:
        return left.removesuffix(",") + right
    return left + right if left[-1] in OPENING or right[0] == "." else f"{left} {right}"


def _without_parentheses(line: str) -> str:
    """Leave out those that stand around a whole expression: they come back where it needs more lines."""
    found = re.fullmatch(rf"(\s*{BEFORE.pattern})\((.*)\)(:?)", line)
    if found is None or not _is_closed(found[2]) or "," in _at_top(found[2]):
        return line
    return f"{found[1]}{found[2]}{found[3]}"


def _is_closed(text: str) -> bool:
    depth = 0
    for character in _masked(text):
        depth += (character in OPENING) - (character in CLOSING)
        if depth < 0:
            return False
    return depth == 0


def _laid_out(code: str, width: int) -> list[str]:
    if len(code) <= width:
        return [code]
    start = BEFORE.match(code)
    before = start[0] if start else ""
    expression = code[len(before) :].removesuffix(":")
    colon = ":" if code.endswith(":") else ""
    top = _at_top(expression)
    if len(dots := [call.start() for call in CALL.finditer(top)]) > 1:
        ends = [*dots[1:], len(expression)]
        links = [expression[: dots[1]], *(expression[a:b] for a, b in itertools.pairwise(ends))]
        return [f"{before}(", *_inside(links, width), f"){colon}"]
    if len(operands := _parts(expression, top, r" (?=[|&] )")) > 1:
        return [f"{before}(", *_inside(operands, width), f"){colon}"]
    return _opened(before, expression, colon, width)


def _opened(before: str, expression: str, colon: str, width: int) -> list[str]:
    """Break in the brackets that hold most."""
    pairs = [*_brackets(expression)]
    opening, closing = max(pairs, key=lambda pair: pair[1] - pair[0], default=(0, 0))
    if closing - opening < 2:
        return [f"{before}{expression}{colon}"]
    held = expression[opening + 1 : closing]
    if len(held) <= width - len(INDENT):
        lines = [INDENT + held]
    else:
        items = _parts(held, _at_top(held), r", ")
        operands = _parts(held, _at_top(held), r" (?=[|&] )")
        lines = _inside(operands, width) if len(items) == 1 else _inside(items, width, ",")
    return [f"{before}{expression[: opening + 1]}", *lines, f"{expression[closing:]}{colon}"]


def _inside(parts: Iterable[str], width: int, end: str = "") -> list[str]:
    lines = []
    for part in parts:
        *first, last = _laid_out(part, width - len(INDENT) - len(end))
        lines += [*(INDENT + line for line in first), INDENT + last + end]
    return lines


def _parts(text: str, top: str, between: str) -> list[str]:
    edges = [0, *(edge for found in re.finditer(between, top) for edge in found.span()), len(text)]
    return [text[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _masked(text: str) -> str:
    """Return the text with its strings blotted out."""
    return STRING.sub(lambda found: "x" * len(found[0]), text)


def _brackets(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the outermost brackets open and close."""
    depth = opening = 0
    for place, character in enumerate(_masked(text)):
        if character in OPENING:
            opening = opening if depth else place
            depth += 1
        elif character in CLOSING:
            depth -= 1
            if depth == 0:
                yield opening, place


def _at_top(text: str) -> str:
    """Return the text with what its brackets hold blotted out."""
    shown = list(_masked(text))
    for opening, closing in _brackets(text):
        shown[opening + 1 : closing] = "x" * (closing - opening - 1)
    return "".join(shown)
