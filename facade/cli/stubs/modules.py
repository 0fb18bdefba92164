"""A module with models as a stub: its functions and classes without their bodies, its models with all that facade adds."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from facade.cli.stubs.classes import ModelStub
from facade.cli.stubs.names import Names
from facade.cli.stubs.schemas import added_fields, is_schema, made_schema
from facade.orm.instances.model import Model

HEADER = "# Written by `facade stubs`; what is changed here is lost when it runs again."
_SILENCED = """\
# mypy: disable-error-code="override, misc, assignment, no-untyped-def, no-untyped-call, type-arg"
# ty: ignore[incompatible-method-override, incompatible-attribute-override]
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false, reportInvalidStubStatement=false
from collections.abc import Iterable as _Iterable, Sequence as _Sequence
from typing import Any as _Any, ClassVar as _ClassVar, Literal as _Literal, TypedDict as _TypedDict
from typing_extensions import Self as _Self, TypeAlias as _TypeAlias, Unpack as _Unpack
import datetime as _dt
import decimal as _decimal
import uuid as _uuid
from sqlalchemy import SQLColumnExpression as _Column
from facade import fields as _fields, models as _models"""
_ALIASES = """\
_Expression: _TypeAlias = _fields.Operand | _Column[_Any] | _models.QuerySet[_Any, _Any]
_Condition: _TypeAlias = _models.Q | _fields.Operand | _Column[bool]"""

Function = ast.FunctionDef | ast.AsyncFunctionDef
_KEPT = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign)


class ForeignStub(Exception):
    """A stub that somebody else has written is in the way."""


def stub_of(name: str, depth: int = 1) -> tuple[Path, str] | None:
    """Return the source file of a module and the text of its stub, None for a module without models.

    Keywords go over `depth` relations. Raises ImportError where the module cannot be imported.
    """
    module = importlib.import_module(name)
    path = inspect.getsourcefile(module)
    if path is None:
        raise ImportError(f"{name} has no source file.")
    writer = _Writer(name, vars(module), depth)
    body = writer.statements(ast.parse(Path(path).read_text(encoding="utf-8")).body)
    if not writer.found:
        return None
    parts = [HEADER, _SILENCED, *writer.names.lines(), "", _ALIASES, "", *body, ""]
    return Path(path), "\n".join(parts)


def write_stub(name: str, out: Path | None, depth: int, check: bool) -> tuple[Path, bool] | None:
    """Write the stub of a module beside it, or below `out`; return its path and whether it was another one before.

    With `check` nothing is written. None for a module without models. Raises ForeignStub for a file that is not facade's.
    """
    found = stub_of(name, depth)
    if found is None:
        return None
    source, text = found
    target = source.with_suffix(".pyi")
    if out is not None:
        package = [*name.split("."), "__init__"] if source.name == "__init__.py" else name.split(".")
        target = out.joinpath(*package).with_suffix(".pyi")
    before = target.read_text(encoding="utf-8") if target.exists() else None
    if before is not None and not before.startswith(HEADER):
        raise ForeignStub(
            f"{target} is not from `facade stubs`: move it away, or write elsewhere with --out."
        )
    if before != text and not check:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return target, before != text


class _Writer:
    """Turns the statements of a module into those of its stub."""

    def __init__(self, module: str, space: dict[str, Any], depth: int) -> None:
        self.space, self.depth = space, depth
        self.names = Names(module)
        self.found = False

    def statements(self, body: Iterable[ast.stmt]) -> list[str]:
        """Return the lines of a module's, or of a plain class's, statements."""
        return [line for node in body for line in self._statement(node)]

    def _statement(self, node: ast.stmt) -> Iterator[str]:
        if isinstance(node, Function):
            yield from _signature(node)
        elif isinstance(node, ast.ClassDef):
            model = self._model(node)
            yield from self._class(node) if model is None else self._model_class(node, model)
        elif (made := self._made_schema(node)) is not None:
            self.found = True
            yield from made_schema(*made, self.names)
        elif isinstance(node, ast.If) and not _is_main(node.test):
            yield from self._branches(node)
        elif isinstance(node, ast.Try):
            yield from ("try:", *_indented(self.statements(node.body)))
            for handler in node.handlers:
                of = "" if handler.type is None else f" {ast.unparse(handler.type)}"
                yield from (f"except{of}:", *_indented(self.statements(handler.body)))
        elif isinstance(node, _KEPT) and getattr(node, "module", None) != "__future__":
            yield from ast.unparse(node).splitlines()

    def _branches(self, node: ast.If) -> Iterator[str]:
        yield from (f"if {ast.unparse(node.test)}:", *_indented(self.statements(node.body)))
        if node.orelse:
            yield from ("else:", *_indented(self.statements(node.orelse)))

    def _class(self, node: ast.ClassDef) -> Iterator[str]:
        yield from _head(node)
        body = _Writer(self.names.module, {}, self.depth).statements(node.body)
        kind = self.space.get(node.name)
        if is_schema(kind) and kind.__module__ == self.names.module:
            told = {name for item in node.body for name in _says(item)}
            added = [*added_fields(kind, self.names, told)]
            self.found = self.found or bool(added)
            body = [*added, *body]
        yield from _indented(body)

    def _made_schema(self, node: ast.stmt) -> tuple[str, Any] | None:
        """Return the name and the schema that an assignment makes: ``BookOut = schema_for(Book)``."""
        is_call = isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for name in sorted(_says(node)) if is_call else ():
            if is_schema(kind := self.space.get(name)):
                return name, kind
        return None

    def _model(self, node: ast.ClassDef) -> type[Any] | None:
        kind = self.space.get(node.name)
        is_model = isinstance(kind, type) and issubclass(kind, Model) and kind is not Model
        return kind if is_model and kind.__module__ == self.names.module else None

    def _model_class(self, node: ast.ClassDef, model: type[Any]) -> Iterator[str]:
        self.found = True
        stub = ModelStub(model, self.names, self.depth)
        own = [
            item
            for item in node.body
            if not _is_meta(item) and not _says(item) & (stub.foretold if _is_bare(item) else stub.made)
        ]
        lines = [*stub.attributes({name for item in own for name in _says(item)}), *self.statements(own)]
        yield from _head(node)
        yield from _indented(lines)
        for companion in stub.companions():
            yield from companion.splitlines()


def _says(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a class body gives."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_bare(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and node.value is None


def _is_meta(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == "Meta"


def _is_main(test: ast.expr) -> bool:
    return ast.unparse(test) == "__name__ == '__main__'"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines] or ["    ..."]


def _head(node: ast.ClassDef) -> Iterator[str]:
    empty = ast.ClassDef(**{**vars(node), "body": [ast.Expr(ast.Constant(...))]})
    *head, _ = ast.unparse(ast.fix_missing_locations(empty)).splitlines()
    yield from head


def _signature(node: Function) -> Iterator[str]:
    """Yield a function without its body; an asynchronous generator is a plain function of an iterator."""
    is_generator = isinstance(node, ast.AsyncFunctionDef) and any(
        isinstance(part, ast.Yield) for part in _own(node)
    )
    kind: Any = ast.FunctionDef if is_generator else type(node)
    empty = kind(**{**vars(node), "body": [ast.Expr(ast.Constant(...))]})
    yield from ast.unparse(ast.fix_missing_locations(empty)).splitlines()


def _own(node: Function) -> Iterator[ast.AST]:
    """Yield the parts of a function that are not in functions of its own."""
    todo: list[ast.AST] = list(node.body)
    while todo:
        part = todo.pop()
        yield part
        if not isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            todo += ast.iter_child_nodes(part)
