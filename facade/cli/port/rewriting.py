"""Rewrites the imports of one module, and finds what stays with Django; whatever is not an import stays as it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import MetadataWrapper, PositionProvider

from facade.cli.port.counterparts import (
    PLACES,
    Place,
    has_name,
    is_module,
    mixes,
    module_for,
    place_of,
    remedy,
)

__all__ = ["ROOTS", "UNREADABLE", "Finding", "Ported", "port"]

ROOTS = ("django", "rest_framework", "django_filters")
UNREADABLE = (cst.ParserSyntaxError, UnicodeError, LookupError, SyntaxError, RecursionError)
WIDTH = 88
Line = cst.SimpleStatementLine


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """A line with something that facade has no counterpart for, and what to do.

    Where it ``blocks``, a module of which the rest was rewritten would not run.
    """

    line: int
    what: str
    remedy: str
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Ported:
    """The new text of a module, and what is left to do: by the lines of the old text, and by those of the new one."""

    code: bytes
    findings: list[Finding] = field(default_factory=list)
    findings_in_new: list[Finding] = field(default_factory=list)


def port(source: bytes) -> Ported:
    r"""Return a module whose imports name facade where it has what they name.

    Raises libcst's ParserSyntaxError for what is no Python. Comments, formatting, encoding and ends of lines stay.

    >>> ported = port(b"from django.db import models, reset_queries  # both\n")
    >>> print(ported.code.decode(), end="")
    from facade import models  # both
    from django.db import reset_queries
    >>> ported.findings_in_new[0].line
    2
    """
    old = cst.parse_module(source)
    names = _Names()
    old.visit(names)
    new = old.visit(_Imports())
    code, findings = new.bytes, _found(old, names.modules)
    again = findings if code == source else _found(cst.parse_module(code), names.modules)
    return Ported(code, findings, again)


def _found(tree: cst.Module, modules: dict[str, str]) -> list[Finding]:
    search = _Search(modules)
    MetadataWrapper(tree, unsafe_skip_copy=True).visit(search)
    return sorted(set(search.findings))


def _module_of(node: cst.ImportFrom) -> str:
    """Return the module that names are imported from, if it is one of Django's world."""
    if node.relative or node.module is None:
        return ""
    name = get_full_name_for_node(node.module) or ""
    return name if name.partition(".")[0] in ROOTS else ""


def _aliases(node: cst.ImportFrom) -> Sequence[cst.ImportAlias]:
    return () if isinstance(node.names, cst.ImportStar) else node.names


def _name(alias: cst.ImportAlias) -> str:
    return alias.evaluated_name


def _bound(alias: cst.ImportAlias) -> str:
    return alias.evaluated_alias or alias.evaluated_name


class _Names(cst.CSTVisitor):
    """Collects the names that modules of facade's go by after the rewriting."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        module = _module_of(node)
        for alias in _aliases(node) if module else ():
            place = place_of(module, _name(alias))
            if place is not None and is_module(f"{place.module}.{place.name}"):
                self.modules[_bound(alias)] = f"{place.module}.{place.name}"

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            if alias.asname is not None and (place := module_for(_name(alias))) is not None:
                self.modules[_bound(alias)] = place


class _Imports(cst.CSTTransformer):
    """Writes facade's modules into import statements."""

    def leave_Import(self, original_node: cst.Import, updated_node: cst.Import) -> cst.Import:
        return updated_node.with_changes(names=[_renamed_module(alias) for alias in updated_node.names])

    def leave_ImportFrom(self, original_node: cst.ImportFrom, updated_node: cst.ImportFrom) -> cst.ImportFrom:
        """Rename where all names go to one place; the rest is for whole lines."""
        parts = _parts(updated_node)
        return parts[0] if len(parts) == 1 else updated_node

    def leave_SimpleStatementLine(
        self, original_node: Line, updated_node: Line
    ) -> Line | cst.FlattenSentinel[Line]:
        statement = updated_node.body[0]
        if len(updated_node.body) > 1 or not isinstance(statement, cst.ImportFrom):
            return updated_node
        first, *others = _parts(statement)
        lines = [updated_node.with_changes(body=[first])]
        return cst.FlattenSentinel([*lines, *(Line(body=[other]) for other in others)])


def _renamed_module(alias: cst.ImportAlias) -> cst.ImportAlias:
    place = module_for(_name(alias))
    if alias.asname is None or place is None:
        return alias
    return alias.with_changes(name=_dotted(place))


def _dotted(name: str) -> cst.Name | cst.Attribute:
    expression = cst.parse_expression(name)
    assert isinstance(expression, cst.Name | cst.Attribute)
    return expression


def _parts(node: cst.ImportFrom) -> list[cst.ImportFrom]:
    """Return one import for each module that has some of the names; Django's last."""
    module = _module_of(node)
    if not module:
        return [node]
    if isinstance(node.names, cst.ImportStar):
        whole = module_for(module)
        return [node if whole is None else node.with_changes(module=_dotted(whole))]
    parts: dict[str, list[cst.ImportAlias]] = defaultdict(list)
    left = []
    for alias in node.names:
        place = place_of(module, _name(alias))
        if place is None:
            left.append(alias)
        else:
            parts[place.module].append(_renamed(alias, place))
    moved = [_part(node, module, aliases) for module, aliases in parts.items()]
    return [*moved, *([_part(node, module, left)] if left else [])]


def _renamed(alias: cst.ImportAlias, place: Place) -> cst.ImportAlias:
    if place.name == _name(alias):
        return alias
    given = alias.asname or cst.AsName(cst.Name(_name(alias)))
    return alias.with_changes(name=cst.Name(place.name), asname=given)


def _part(node: cst.ImportFrom, module: str, aliases: list[cst.ImportAlias]) -> cst.ImportFrom:
    """Return the import of some of a statement's names from a module; its comments go with their names."""
    part = node.with_changes(module=_dotted(module), names=aliases)
    if len(aliases) == len(_aliases(node)):
        return part
    if "#" not in cst.Module([]).code_for_node(part):
        bare = [alias.with_changes(comma=cst.MaybeSentinel.DEFAULT) for alias in aliases]
        plain = part.with_changes(names=bare, lpar=None, rpar=None)
        if len(cst.Module([]).code_for_node(plain)) <= WIDTH:
            return plain
    *first, last = aliases
    if node.lpar is None:
        return part.with_changes(names=[*first, last.with_changes(comma=cst.MaybeSentinel.DEFAULT)])
    return part.with_changes(names=[*first, _closing(last, _aliases(node)[-1])])


def _closing(alias: cst.ImportAlias, last: cst.ImportAlias) -> cst.ImportAlias:
    """Return a name with the bracket behind it where it is behind another one."""
    if isinstance(alias.comma, cst.Comma) and isinstance(last.comma, cst.Comma):
        here, there = alias.comma.whitespace_after, last.comma.whitespace_after
        if isinstance(here, cst.ParenthesizedWhitespace) and isinstance(there, cst.ParenthesizedWhitespace):
            here = here.with_changes(indent=there.indent, last_line=there.last_line)
            return alias.with_changes(comma=alias.comma.with_changes(whitespace_after=here))
    return alias


#: The applications that come with Django, whose models relations may name.
_APPLICATIONS = ("admin", "auth", "contenttypes", "flatpages", "redirects", "sessions", "sites")
_RELATIONS = ("ForeignKey", "ManyToManyField", "OneToOneField")


class _Search(cst.CSTVisitor):
    """Finds what stays with Django, and what facade's modules have not."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, modules: dict[str, str]) -> None:
        super().__init__()
        self.modules = modules
        self.findings: list[Finding] = []

    def _report(self, node: cst.CSTNode, what: str, advice: str, *, blocks: bool) -> None:
        line = self.get_metadata(PositionProvider, node).start.line
        self.findings.append(Finding(line, what, advice, blocks))

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:
        module = _module_of(node)
        if module and isinstance(node.names, cst.ImportStar) and module_for(module) is None:
            self._report(node, f"{module}.*", remedy(module), blocks=mixes(module))
        for alias in _aliases(node) if module else ():
            what = f"{module}.{_name(alias)}"
            if place_of(module, _name(alias)) is None:
                self._report(alias, what, remedy(what), blocks=mixes(what))
            elif len(_parts(node)) > 1 and not self._is_whole_line(node):
                self._report(alias, what, "give this import a line of its own", blocks=True)

    def visit_Import(self, node: cst.Import) -> None:
        for alias in node.names:
            name = _name(alias)
            if name.partition(".")[0] not in ROOTS:
                continue
            if (place := module_for(name)) is None:
                self._report(alias, name, remedy(name), blocks=mixes(name))
            elif alias.asname is None:
                self._report(
                    alias, name, f"write `import {place} as …`, and its names behind that", blocks=True
                )

    def visit_SimpleStatementLine(self, node: Line) -> None:
        self._alone = node.body[0] if len(node.body) == 1 else None

    def visit_SimpleStatementSuite(self, node: cst.SimpleStatementSuite) -> None:
        self._alone = None

    def _is_whole_line(self, node: cst.ImportFrom) -> bool:
        return self._alone is node

    def visit_Call(self, node: cst.Call) -> None:
        """Look at what relations name by a text: `ForeignKey("auth.User", …)`."""
        if (get_full_name_for_node(node.func) or "").rpartition(".")[2] not in _RELATIONS:
            return
        named = next((one for one in node.args if one.keyword is None or one.keyword.value == "to"), None)
        if named is not None and isinstance(named.value, cst.SimpleString):
            application, dot, _ = str(named.value.evaluated_value).partition(".")
            if dot and application in _APPLICATIONS:
                what = f"django.contrib.{application}"
                self._report(named, what, remedy(what), blocks=False)

    def visit_Attribute(self, node: cst.Attribute) -> None:
        """Follow `models.functions.Lower` through facade's modules."""
        if get_full_name_for_node(node) == "settings.AUTH_USER_MODEL":
            what = "django.conf.settings.AUTH_USER_MODEL"
            self._report(node, what, remedy(what), blocks=False)
        for module, name in self._steps(get_full_name_for_node(node)):
            if not has_name(module, name):
                what = f"{_django_for(module)}.{name}"
                self._report(node, what, remedy(what), blocks=True)

    def _steps(self, path: str | None) -> Iterator[Place]:
        first, *names = (path or "").split(".")
        module = self.modules.get(first, "")
        for name in names:
            if not module:
                return
            yield Place(module, name)
            module = f"{module}.{name}" if is_module(f"{module}.{name}") else ""


def _django_for(module: str) -> str:
    """Return Django's name for a module of facade's, under which the remedies are known."""
    return next((name for name in PLACES if module_for(name) == module), "django")
