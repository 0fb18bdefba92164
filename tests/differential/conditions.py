"""Conditions: lookups with fitting and with odd values, and trees of `Q`."""

from __future__ import annotations

from tests.differential.constants import constant, constants
from tests.differential.schema import path

ORDERED = ["gt", "gte", "lt", "lte", "range"]
TEXT = [
    "contains",
    "icontains",
    "startswith",
    "istartswith",
    "endswith",
    "iendswith",
    "iexact",
    "regex",
    "iregex",
]
DATE = ["year", "month", "day", "week", "week_day", "iso_year", "iso_week_day", "quarter"]
CLOCK = ["hour", "minute", "second"]
LOOKUPS = {
    "key": ORDERED, "int": ORDERED, "decimal": ORDERED, "float": ORDERED, "text": [*TEXT, "gt", "lte", "range"], "bool": [],
    "date": [*ORDERED, *DATE], "datetime": [*ORDERED, *DATE, *CLOCK, "date", "time"], "time": [*ORDERED, *CLOCK],
    "duration": ORDERED, "uuid": ["contains", "startswith", "iexact", "gt"], "ip": ["contains", "startswith", "iexact"],
    "json": ["contains", "contained_by", "has_key", "has_keys", "has_any_keys", "key", "key", "key"],
}  # fmt: skip
KEYS = ["x", "y", "y__z", "0", "y__z__0", "k", "nope", "1"]
KEY_NAMES = ["'x'", "'y'", "'k'", "'nope'", "'a.b'", "0"]
PATTERNS = ["'^A'", "'a.*'", "'[0-9]+'", "'^$'", "'\\\\.'"]


def lookup(draw, schema, model, outer=None):
    """Draw one lookup: its name and the source of its value."""
    name, kind, _ = path(draw, schema, model)
    if draw.random() < 0.06:
        return relation_lookup(draw, schema, model)
    if draw.random() < 0.12:
        after = "" if kind == "json" else draw.choice(["", "__gt", "__lte"])
        return name + after, reference(draw, schema, model, kind)
    picked = draw.choice(["exact", "exact", "in", "isnull", *LOOKUPS[kind]])
    if picked == "isnull":
        return f"{name}__isnull", draw.choice(["True", "False"])
    if picked == "in":
        return f"{name}__in", constants(draw, kind)
    if kind == "json":
        return json_lookup(draw, name, picked)
    if picked in (*DATE, *CLOCK, "date", "time"):
        return transformed(draw, name, picked)
    if picked == "exact":
        return draw.choice([name, f"{name}__exact"]), constant(draw, kind)
    if picked == "range":
        return f"{name}__range", f"({constant(draw, kind)}, {constant(draw, kind)})"
    if picked in ("regex", "iregex"):
        return f"{name}__{picked}", draw.choice(PATTERNS)
    return f"{name}__{picked}", constant(draw, kind if kind == "text" or picked not in TEXT else "text")


def reference(draw, schema, model, kind):
    name, _, _ = path(draw, schema, model, kinds=(kind,), hops=0.2)
    if kind in ("int", "float", "decimal") and draw.random() < 0.4:
        return f"F('{name}') {draw.choice(['+', '-', '*'])} {draw.choice(['1', '2', '-3'])}"
    return f"F('{name}')"


def relation_lookup(draw, schema, model):
    """Compare a relation itself: with keys, with NULL, with another model's queryset."""
    name = draw.choice(list(schema[model].relations))
    target, _ = schema[model].relations[name]
    form = draw.randint(0, 3)
    if form == 0:
        return f"{name}__isnull", draw.choice(["True", "False"])
    if form == 1:
        return name, draw.choice(["1", "2", "'at'", "None", "99"])
    if form == 2:
        return f"{name}__in", draw.choice(["[1, 2]", "[]", "['at', 'de']", "[None, 1]"])
    inner = condition(draw, schema, target, 0)
    return f"{name}__in", f"{target}.objects.filter({inner})"


def transformed(draw, name, part):
    after = draw.choice(["", "", "__gt", "__lte", "__in", "__range"])
    kind = {"date": "date", "time": "time"}.get(part)
    values = None if kind else ["2024", "2023", "2", "12", "1", "5", "0", "29", "30", "23", "9"]
    one = lambda: constant(draw, kind) if kind else draw.choice(values)  # noqa: E731
    if after == "__in":
        return f"{name}__{part}__in", f"[{one()}, {one()}]"
    if after == "__range":
        return f"{name}__{part}__range", f"({one()}, {one()})"
    return f"{name}__{part}{after}", one()


def json_lookup(draw, name, picked):
    if picked == "has_key":
        return f"{name}__has_key", draw.choice(KEY_NAMES)
    if picked in ("has_keys", "has_any_keys"):
        return f"{name}__{picked}", f"[{draw.choice(KEY_NAMES)}, {draw.choice(KEY_NAMES)}]"
    if picked != "key":
        return name if picked == "exact" else f"{name}__{picked}", constant(draw, "json")
    name = f"{name}__{draw.choice(KEYS)}"
    after = draw.choice(
        [
            "",
            "",
            "",
            "__isnull",
            "__in",
            "__gt",
            "__lte",
            "__icontains",
            "__startswith",
            "__iexact",
            "__regex",
        ]
    )
    if after == "__isnull":
        return name + after, draw.choice(["True", "False"])
    if after == "__in":
        return name + after, constants(draw, "json")
    if after in ("__gt", "__lte"):
        return name + after, draw.choice(["0", "1", "1.2", "'0'"])
    return name + after, draw.choice(["'x'", "'1'", "'^1'"]) if after else constant(draw, "json")


def keywords(draw, schema, model):
    return ", ".join(
        f"{name}={value}"
        for name, value in dict(lookup(draw, schema, model) for _ in range(draw.choice([1, 1, 1, 2]))).items()
    )


def condition(draw, schema, model, depth=2):
    """Draw a tree of `Q`, as source."""
    if depth == 0 or draw.random() < 0.4:
        return f"Q({keywords(draw, schema, model)})"
    form = draw.random()
    if form < 0.2:
        return f"~({condition(draw, schema, model, depth - 1)})"
    if form < 0.24:
        return "Q()"
    left, right = (condition(draw, schema, model, depth - 1) for _ in range(2))
    return f"({left} {draw.choice(['&', '|', '|', '^'])} {right})"


def arguments(draw, schema, model):
    """Draw the arguments of filter() or exclude()."""
    return condition(draw, schema, model) if draw.random() < 0.5 else keywords(draw, schema, model)
