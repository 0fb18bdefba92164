"""What the generators know of the models: columns by kind and relations, read off Django's `_meta`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.differential.constants import KINDS


@dataclass
class Table:
    """A model's columns (name to kind) and relations (name to target and whether there may be many)."""

    name: str
    columns: dict = field(default_factory=dict)
    relations: dict = field(default_factory=dict)
    writable: dict = field(default_factory=dict)

    def of_kind(self, *kinds):
        return [name for name, kind in self.columns.items() if kind in kinds]


def read_schema(models):
    """Describe Django's models by name."""
    return {model.__name__: _table(model) for model in vars(models).values()}


def _table(model):
    table = Table(model.__name__)
    for f in model._meta.get_fields():
        if f.is_relation:
            many = bool(f.one_to_many or f.many_to_many)
            name = f.name if not f.auto_created or f.concrete else f.get_accessor_name().removesuffix("_set")
            if not getattr(f, "related_name", None) and f.auto_created and not f.concrete:
                name = f.name
            table.relations[name] = (f.related_model.__name__, many)
            if f.concrete and not f.many_to_many:
                table.columns[f.attname] = KINDS[f.target_field.get_internal_type()]
        else:
            table.columns[f.name] = KINDS["BigIntegerField" if f.name == "twice" else f.get_internal_type()]
            if f.name not in ("twice", "id"):
                table.writable[f.name] = table.columns[f.name]
    return table


def path(draw, schema, start, kinds=None, to_many=True, hops=0.35):
    """Draw a path over relations to a column of one of the kinds: its name, its kind, whether it crosses to many."""
    for _ in range(20):
        table, names, many = schema[start], [], False
        while draw.random() < hops and len(names) < 3:
            choices = [(n, t) for n, (t, m) in table.relations.items() if to_many or not m]
            if not choices:
                break
            name, target = draw.choice(choices)
            many = many or table.relations[name][1]
            names.append(name)
            table = schema[target]
        columns = [n for n, k in table.columns.items() if kinds is None or k in kinds]
        if columns:
            column = draw.choice(columns)
            return "__".join([*names, column]), table.columns[column], many
        hops = max(hops, 0.6)
    return "pk", "key", False
