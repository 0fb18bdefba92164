"""The operations that a revision's file calls, read without running it."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.script import Script

__all__ = ["operations_of"]

_LONGEST = 100
_NO_OPERATIONS = frozenset({"f", "get_bind", "get_context", "batch_alter_table"})


def operations_of(script: Script, way: str) -> list[str]:
    """Return a line for each operation of a function, ``upgrade`` or ``downgrade``: what it does, and to what."""
    function = getattr(script.module, way, None)
    if function is None:
        return []
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return [*_lines(tree, "")]


def _lines(tree: ast.AST, table: str) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.With):
            yield from _lines(node, _table_of(node) or table)
            continue
        if isinstance(node, ast.Call) and (name := _operation(node)):
            yield textwrap.shorten(
                f"{name} {', '.join(_words(node, table))}".strip(), _LONGEST, placeholder=" …"
            )
            continue
        yield from _lines(node, table)


def _operation(node: ast.Call) -> str | None:
    function = node.func
    if not isinstance(function, ast.Attribute) or ast.unparse(function.value) not in ("op", "batch_op"):
        return None
    return None if function.attr in _NO_OPERATIONS else function.attr


def _table_of(node: ast.With) -> str | None:
    """Return the table that a batch is for."""
    call = node.items[0].context_expr
    if isinstance(call, ast.Call) and ast.unparse(call.func) == "op.batch_alter_table" and call.args:
        return _word(call.args[0])
    return None


def _words(node: ast.Call, table: str) -> Iterator[str]:
    """Yield the names and texts that an operation takes; a function or a statement that comes first, as it is written."""
    assert isinstance(node.func, ast.Attribute)
    if ast.unparse(node.func.value) == "batch_op":
        yield table
    words = [*map(_word, node.args)]
    if words and words[0] is None and not isinstance(node.args[0], ast.Constant):
        words[0] = ast.unparse(node.args[0])
    yield from filter(None, words)
    yield from (
        f"{one.arg}={word}"
        for one in node.keywords
        if one.arg == "new_column_name" and (word := _word(one.value))
    )


def _word(node: ast.expr) -> str | None:
    """Return a text, the name in `op.f(…)`, or that of a `sa.Column(…)`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    wraps = (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("f", "Column", "text")
    )
    if wraps and isinstance(node, ast.Call) and node.args:
        return _word(node.args[0])
    return None
