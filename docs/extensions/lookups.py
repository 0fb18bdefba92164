"""The lookups and transforms, by the fields that have them."""

from __future__ import annotations

import inspect

from docs.extensions import texts
from facade import models
from facade.models import lookups

#: Those whose values are compared in ways of their own: the text of the page tells of them.
OTHERS = (models.ForeignObject, models.JSONField, models.UUIDField, models.CompositePrimaryKey)


def fields() -> list[type[models.Field]]:
    found = [getattr(models, name) for name in models.__all__]
    return [one for one in found if inspect.isclass(one) and issubclass(one, models.Field)]


def by_name() -> dict[str, dict[str, type]]:
    """Return the class of each lookup and transform, by its name and then by the name of the field."""
    found: dict[str, dict[str, type]] = {}
    for field in fields():
        for name, cls in field.get_class_lookups().items():
            found.setdefault(name, {})[field.__name__] = cls
    return dict(sorted(found.items()))


def table() -> str:
    """Return a table of the names, what they ask, and the fields that have them."""
    lines = ["| Name | What it asks | Fields |", "|---|---|---|"]
    known = {field.__name__ for field in fields()}
    special = {field.__name__ for field in fields() if issubclass(field, OTHERS)}
    for name, classes in by_name().items():
        having = (
            "all" if known - set(classes) <= special else ", ".join(f"`{one}`" for one in sorted(classes))
        )
        lines.append(f"| `{name}` | {meaning(classes)} | {having} |")
    return "\n".join(lines)


def meaning(classes: dict[str, type]) -> str:
    """Return what a lookup asks: the first paragraph of the usual class's docstring."""
    return first_paragraph(classes.get("CharField") or next(iter(classes.values())))


def first_paragraph(cls: type) -> str:
    text = texts.markdown(inspect.cleandoc(vars(cls).get("__doc__") or ""))
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def public() -> dict[str, type]:
    """Return the lookups and transforms that one may derive from, by their names."""
    return {
        name: cls
        for name, cls in vars(lookups).items()
        if inspect.isclass(cls)
        and issubclass(cls, (models.Lookup, models.Transform))
        and not name.startswith("_")
    }


def classes() -> str:
    """Return a table of the classes in `facade.models.lookups`."""
    lines = ["| Class in `facade.models.lookups` | Name | |", "|---|---|---|"]
    for name, cls in sorted(public().items()):
        lines.append(f"| `{name}` | {_ticked(getattr(cls, 'lookup_name', None))} | {first_paragraph(cls)} |")
    return "\n".join(lines)


def _ticked(name: str | None) -> str:
    return f"`{name}`" if name else ""
