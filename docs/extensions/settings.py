"""The settings, as their declaration tells them."""

from __future__ import annotations

from dataclasses import dataclass

from docs.extensions import names, texts
from facade import configuration

ENVIRONMENT = "FACADE_"


@dataclass(frozen=True)
class Setting:
    """One setting: its name, the type of its values, its default, what it means."""

    name: str
    type: str
    default: object
    text: str


def settings() -> list[Setting]:
    """Return the settings in the order of their declaration."""
    defaults = configuration._defaults({})
    declared = configuration.Settings.__annotations__
    return [
        Setting(
            name,
            str(declared[name]),
            defaults[name],
            names.documentation(names.Name("facade.configuration", f"Settings.{name}")),
        )
        for name in declared
    ]


def described() -> str:
    """Return the settings as definitions in Markdown."""
    return "\n".join(f"`{setting.name}`\n: {_words(setting)}\n" for setting in settings())


def _words(setting: Setting) -> str:
    words = [texts.markdown(setting.text), f"`{setting.type}`, by default `{setting.default!r}`."]
    if setting.name.startswith(ENVIRONMENT):
        words.append("An environment variable of this name gives its first value.")
    return " ".join(words)
