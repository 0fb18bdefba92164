"""The commands of the program, as it tells them itself."""

from __future__ import annotations

import inspect
import types
import typing
from dataclasses import dataclass
from enum import Enum

from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

from docs.extensions import texts
from facade.cli.program import app


@dataclass(frozen=True)
class Parameter:
    """An argument or an option: how it is written, and what it is for."""

    spelling: str
    help: str
    default: object
    is_option: bool
    required: bool


def all_commands() -> dict[str, typing.Callable]:
    """Return the functions behind the commands, by the commands' names."""
    found = [
        (command.name or command.callback.__name__, command.callback) for command in app.registered_commands
    ]
    return {name.replace("_", "-"): function for name, function in found}


def parameters(function: typing.Callable) -> list[Parameter]:
    """Return what a command takes: its arguments, then its options."""
    hints = typing.get_type_hints(function, include_extras=True)
    found = [
        _parameter(parameter, hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
    ]
    return sorted(filter(None, found), key=lambda parameter: parameter.is_option)


def _parameter(parameter: inspect.Parameter, hint: object) -> Parameter | None:
    kind, *metadata = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else [hint]
    info = next((one for one in metadata if isinstance(one, ParameterInfo)), OptionInfo())
    if info.hidden:
        return None
    required = parameter.default is inspect.Parameter.empty
    default = None if required else parameter.default
    spelled = _option if isinstance(info, OptionInfo) else _argument
    return Parameter(
        spelled(parameter.name, kind, info), info.help or "", default, isinstance(info, OptionInfo), required
    )


def _option(name: str, kind: object, info: OptionInfo) -> str:
    dashed = f"--{name.replace('_', '-')}"
    # In an Annotated the first name is where a default would stand elsewhere.
    given = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
    if _bare(kind) is bool:
        return ", ".join(given or [dashed, f"--no-{dashed[2:]}"]).replace("/", ", ")
    return f"{', '.join(given or [dashed])} {info.metavar or _value(kind)}"


def _argument(name: str, kind: object, info: ArgumentInfo) -> str:
    return (info.metavar or name.upper()).strip("[]") + (
        "..." if typing.get_origin(_bare(kind)) is list else ""
    )


def _bare(kind: object) -> object:
    """Return a type without its None."""
    if isinstance(kind, types.UnionType):
        return next(part for part in typing.get_args(kind) if part is not type(None))
    return kind


def _value(kind: object) -> str:
    kind = _bare(kind)
    kind = (typing.get_args(kind) or (kind,))[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"[{'|'.join(member.value for member in kind)}]"
    return {str: "TEXT", int: "NUMBER", float: "NUMBER"}.get(kind, getattr(kind, "__name__", "TEXT").upper())


def described(name: str) -> str:
    """Return a command as Markdown: its usage, what it does, its arguments and options."""
    function = all_commands()[name]
    found = parameters(function)
    arguments = [one.spelling if one.required else f"[{one.spelling}]" for one in found if not one.is_option]
    usage = " ".join(
        ["facade", name, *(["[OPTIONS]"] if any(one.is_option for one in found) else []), *arguments]
    )
    lines = [f"```text\n{usage}\n```", "", texts.markdown(inspect.getdoc(function) or ""), ""]
    if found:
        lines += ["| | |", "|---|---|", *map(_row, found), ""]
    return "\n".join(lines)


def _row(parameter: Parameter) -> str:
    default = getattr(parameter.default, "value", parameter.default)
    is_told = default not in (None, "", ()) and not isinstance(default, bool)
    told = f" By default `{default}`." if is_told else ""
    spelling = parameter.spelling.replace("|", "\\|")
    return f"| `{spelling}` | {parameter.help}{told} |"
