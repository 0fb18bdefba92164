"""Signatures and docstrings, as the pages show them."""

from __future__ import annotations

import inspect
import re

from docs.extensions.names import Name, foreign
from facade.models import Field, Func

ARGUMENTS = {0: "()", 1: "(expression)", 2: "(expression, other)"}


def signature(name: Name) -> str:
    """Return the parameters of a function or class with their defaults; their types stand in the text."""
    value = getattr(name.owner, name.last, None)
    if not (inspect.isroutine(value) or inspect.isclass(value)) or name.last.isupper():
        return ""
    if foreign(value):
        return "" if inspect.isclass(value) else "(...)"
    if inspect.isclass(value) and issubclass(value, BaseException) and "__init__" not in vars(value):
        return ""
    if inspect.isclass(value) and issubclass(value, Func) and value.__init__ is Func.__init__:
        return ARGUMENTS.get(value.arity, "(*expressions, output_field=None)")
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    shown = [
        _plain(parameter) for parameter in found.parameters.values() if parameter.name not in {"self", "cls"}
    ]
    written = str(found.replace(parameters=shown, return_annotation=inspect.Signature.empty))
    return (
        written.replace("(*names", "(verbose_name=None")
        if inspect.isclass(value) and issubclass(value, Field)
        else written
    )


class _Shown:
    """A default that is written by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _plain(parameter: inspect.Parameter) -> inspect.Parameter:
    default = parameter.default
    if default is not inspect.Parameter.empty and (inspect.isclass(default) or " at 0x" in repr(default)):
        default = _Shown(getattr(default, "__name__", "..."))
    return parameter.replace(annotation=inspect.Parameter.empty, default=default)


ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
SITES = {
    "docs.djangoproject.com": "Django's documentation",
    "docs.sqlalchemy.org": "SQLAlchemy's documentation",
    "www.postgresql.org": "PostgreSQL's manual",
}
ADDRESS = re.compile(r"(?<![(<`\"'])https?://([\w.-]+)/[^\s,;)>`\"']*[\w/#]")


def markdown(text: str) -> str:
    """Return a docstring as Markdown: examples in fences, addresses as links."""
    parts = []
    for paragraph in re.split(r"\n{2,}", ROLE.sub(r"`\1`", text)):
        head, *rest = re.split(r"(?m)^(?=>>> )", paragraph, maxsplit=1)
        if head.strip():
            parts.append(head.rstrip() if head.startswith("    ") else _prose(head.rstrip()))
        parts += [f"```pycon\n{example}\n```" for example in rest]
    return "\n\n".join(parts)


def _prose(text: str) -> str:
    linked = ADDRESS.sub(_link, text)
    return linked if linked == text or linked[-1] != ")" else f"{linked}."


def _link(found: re.Match[str]) -> str:
    return f"[{SITES.get(found[1], found[1])}]({found[0]})"
