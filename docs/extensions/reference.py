"""Directives of the reference: public names, settings, commands. Their texts are those of the code."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.domains.python import PyClasslike, PyFunction, PyMethod, PyVariable

from docs.extensions import changes, checks, columns, commands, deviations, lookups, names, settings, texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx

IN_TICKS = re.compile(r"(?<!`)`([\w.]+)`(?!`)")


class Names(Directive):
    """The names that stand in the lines of its content, below the module that is its argument."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        self.state.document.settings.env.note_reread()
        return [
            node
            for name in names.listed(self.arguments[0], "\n".join(self.content))
            for node in self.described(name)
        ]

    def described(self, name: names.Name) -> list[nodes.Node]:
        kind, directive = kind_of(name)
        shown = [name.path + texts.signature(name)]
        if name.twin:
            shown.append(f"{name.path.removesuffix(name.last)}{name.twin}(...)")
        text = f"The same as {{py:obj}}`{name.same_as}`." if name.same_as else names.documentation(name)
        context = self.state.document.settings.env.ref_context
        before, context["py:module"] = context.get("py:module"), name.module
        content = StringList(linked(texts.markdown(text)).splitlines(), source=name.full)
        made = directive(
            kind,
            ["\n".join(shown)],
            {},
            content,
            self.lineno,
            self.content_offset,
            "",
            self.state,
            self.state_machine,
        )
        found = made.run()
        context["py:module"] = before
        return found


def kind_of(name: names.Name) -> tuple[str, type[Directive]]:
    """Return how Sphinx describes such a thing."""
    value = getattr(name.owner, name.last, None)
    of_class = inspect.isclass(name.owner)
    if inspect.isclass(value) and not (of_class and not issubclass(value, BaseException)):
        return ("py:exception" if issubclass(value, BaseException) else "py:class"), PyClasslike
    if inspect.isroutine(value) and not name.last.isupper():
        return ("py:method", PyMethod) if of_class else ("py:function", PyFunction)
    return ("py:attribute" if of_class else "py:data"), PyVariable


def linked(text: str) -> str:
    """Make links of the names in ticks that the reference has exactly once."""
    known = _targets()
    parts = text.split("```")
    for place in range(0, len(parts), 2):
        parts[place] = IN_TICKS.sub(lambda found: _reference(found[0], known.get(found[1])), parts[place])
    return "```".join(parts)


def _reference(ticked: str, target: str | None) -> str:
    return ticked if target is None else f"{{py:obj}}`{ticked.strip('`')} <{target}>`"


@cache
def _targets() -> dict[str, str]:
    """Return the full names by what texts call them; what two things are called is not in it."""
    found: dict[str, str] = {}
    for listed in names.pages().values():
        for name in listed:
            if not name.same_as and (len(name.last) > 3 or "." in name.path):
                found[name.path] = "" if name.path in found else name.full
    return {called: full for called, full in found.items() if full}


class Table(Directive):
    """A part of a page that is written in Markdown by a function."""

    optional_arguments = 1
    written: ClassVar[Callable[..., str]]

    def run(self) -> list[nodes.Node]:
        self.state.document.settings.env.note_reread()  # the code may have changed
        lines = StringList(type(self).written(*self.arguments).splitlines(), source=self.name)
        holder = nodes.container()
        self.state.nested_parse(lines, 0, holder)
        return holder.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("names", Names)
    for name, written in {
        "settings": settings.described,
        "command": commands.described,
        "lookups": lookups.table,
        "lookup-classes": lookups.classes,
        "changes": changes.described,
        "checks": checks.described,
        "columns": columns.described,
        "deviations": deviations.described,
    }.items():
        app.add_directive(name, type(name, (Table,), {"written": staticmethod(written)}))
    return {"parallel_read_safe": True}
