"""Loaders: functions, generated for the columns of one plan, that turn driver rows into what the caller wants."""

from __future__ import annotations

import inspect
from collections import namedtuple
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from facade import fields
from facade.exceptions import NestedTooDeeply
from facade.expressions.base import Expression
from facade.expressions.references import Col, Ref
from facade.foundation.generated import FunctionText
from facade.foundation.seams import Seam
from facade.sql.values import reader

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.engine import Dialect

    from facade.db.database import Database
    from facade.expressions.contracts import Valued
    from facade.fields.descriptions import Converter
    from facade.sql.core.layout import Layout
    from facade.sql.query.loading import Part

Loader = Callable[..., list[Any]]  # (rows, alias), and for instances the fetch mode

# The class of `instance._state` and the key under which a row's database waits for the state to be made.
instance_state: Seam[[], tuple[type[Any], str]] = Seam(
    "where an instance keeps its state", filled_by="facade.orm.querysets.reading"
)


def converter(expression: Valued, dialect: Dialect, database: Database) -> Converter | None:
    """Return what makes the Python value of a selected expression, None where the driver's value is right."""
    while isinstance(expression, Ref):
        expression = expression.source
    field = expression if isinstance(expression, fields.Field) else expression._output_field_or_none
    if field is None or type(field) is fields.Field:
        return None
    if field.is_relation and field.existing is None:
        field = getattr(field, "target_field", field)
    convert = reader(field, dialect, database)
    if isinstance(expression, Expression) and not isinstance(expression, Col):
        return field.computed_reader(convert, dialect)
    return convert


MAX_RELATED = 90
"""How many relations in a row select_related() follows: Python takes no source indented by more than 100 levels."""


class RowSource(FunctionText):
    """A source that knows the converters of its columns."""

    def __init__(self, converters: list[Converter | None], extra: bool, of: str) -> None:
        super().__init__()
        self.converters, self.of = converters, of
        width = len(converters)
        self.target = "".join(f"c{index}, " for index in range(width)) + ("*_" if extra else "")

    def loader(self, header: str, footer: str) -> Loader:
        self.lines = [header, *self.lines, footer]
        made: Loader = self.build(f"loader of {self.of}")
        return made

    def value(self, index: int) -> str:
        convert = self.converters[index]
        return f"c{index}" if convert is None else f"{self.name('f', convert)}(c{index})"


def instance_loader(layout: Layout, dialect: Dialect, database: Database, extra: bool) -> Loader:
    """Return a loader of model instances with everything that select_related() and annotate() put on them."""
    part = layout.part
    assert part is not None
    columns: list[Any] = [field for node in part.walk() for field in node.fields]
    expressions = [expression for _, expression in layout.annotations]
    converters = [converter(item, dialect, database) for item in (*columns, *expressions)]
    source = RowSource(converters, extra, part.model.__name__)
    annotations = [
        (name, source.value(len(columns) + index)) for index, (name, _) in enumerate(layout.annotations)
    ]
    _build_instance(source, part, "o", "        ", annotations)
    source.lines.append("        append(o)")
    mode = source.name("mode", _no_state().fetch_mode)
    header = f"def load(rows, db, mode={mode}):\n    out = []\n    append = out.append\n    for ({source.target}) in rows:"
    return source.loader(header, "    return out")


def _build_instance(
    source: RowSource, part: Part, name: str, indent: str, annotations: list[tuple[str, str]]
) -> None:
    """Write the lines that make the instance `name` of the columns of `part`, and those that hang on it."""
    values = [(field.attname, source.value(index)) for field, index in part.columns]
    model = source.name("model", part.model)
    if part.model._meta.fast_init:
        _fast_instance(source, part, name, indent, model, [*values, *annotations])
    else:
        names = source.name("fields", [name for name, _ in values])
        items = ", ".join(value for _, value in values)
        mode = ", fetch_mode=mode" if _takes_fetch_mode(part.model) else ""
        source.lines.append(f"{indent}{name} = {model}.from_db(db, {names}, [{items}]{mode})")
        source.lines.extend(f"{indent}setattr({name}, {key!r}, {value})" for key, value in annotations)
        if part.needs_state:
            source.lines.append(f"{indent}{name}s = {name}._state")
    for number, child in enumerate(part.parts):
        _build_related(source, part, child, name, f"{name}{number}", indent)


def _takes_fetch_mode(model: type[Any]) -> bool:
    """Whether a `from_db()` that the user may have written wants to know how missing values are fetched."""
    parameters = inspect.signature(model.from_db).parameters.values()
    return any(item.name == "fetch_mode" or item.kind is item.VAR_KEYWORD for item in parameters)


def _no_state() -> Any:
    return object.__new__(instance_state()[0])


def _fast_instance(
    source: RowSource, part: Part, name: str, indent: str, model: str, values: list[tuple[str, str]]
) -> None:
    state_class, loaded_from = instance_state()
    new = source.name("new", object.__new__)
    items = "".join(f"{key!r}: {value}, " for key, value in values)
    if part.needs_state:
        state = source.name("state", state_class)
        source.lines += [
            f"{indent}{name}s = {new}({state})",
            f"{indent}{name}s.db = db",
            f"{indent}{name}s.adding = False",
            f"{indent}{name}s.fields_cache = {{}}",
        ]
        items = f"'_state': {name}s, {items}"
    else:
        items = f"{loaded_from!r}: db, {items}"
    source.lines += [f"{indent}{name} = {new}({model})", f"{indent}{name}.__dict__ = {{{items}}}"]


def _build_related(source: RowSource, part: Part, child: Part, parent: str, name: str, indent: str) -> None:
    if len(indent) > MAX_RELATED * len("    "):
        raise NestedTooDeeply(
            f"select_related() follows more than {MAX_RELATED} relations in a row from {source.of}: "
            "follow the ones behind with prefetch_related()."
        )
    keys = child.model._meta.pk_fields  # a parent's key is there where its own row is not
    pk = child.start + next(index for index, field in enumerate(child.fields) if field in keys)
    source.lines.append(f"{indent}if c{pk} is None:")
    source.lines.append(f"{indent}    {name} = None")
    source.lines.append(f"{indent}else:")
    _build_instance(source, child, name, indent + "    ", [])
    if child.knows_parent:
        far = child.link.remote_field.cache_name
        source.lines.append(f"{indent}    {name}s.fields_cache[{far!r}] = {parent}")
    place = (
        f".__dict__[{child.attribute!r}]" if child.attribute else f"s.fields_cache[{child.link.cache_name!r}]"
    )
    source.lines.append(f"{indent}{parent}{place} = {name}")


# -- rows of values ------------------------------------------------------------------------


def _value_source(
    layout: Layout, dialect: Dialect, database: Database, extra: bool
) -> tuple[RowSource, list[str]]:
    part = layout.part
    columns: list[tuple[str, Any]] = []
    if part is not None:
        columns += [(field.attname, field) for field in part.fields]
        columns += layout.annotations
    else:
        columns += layout.columns
    names = [name for name, _ in columns]
    converters = [converter(item, dialect, database) for _, item in columns]
    return RowSource(converters, extra, f"rows of {', '.join(names)}"), names


def dict_loader(layout: Layout, dialect: Dialect, database: Database, extra: bool) -> Loader:
    """Return the loader of values()."""
    source, names = _value_source(layout, dialect, database, extra)
    items = ", ".join(f"{name!r}: {source.value(index)}" for index, name in enumerate(names))
    return source.loader("def load(rows, db):", f"    return [{{{items}}} for ({source.target}) in rows]")


def tuple_loader(layout: Layout, dialect: Dialect, database: Database, extra: bool) -> Loader:
    """Return the loader of values_list()."""
    source, _ = _value_source(layout, dialect, database, extra)
    if not extra and not any(source.converters) and layout.repeated is None:
        return source.loader(
            "def load(rows, db):",
            "    return rows if type(rows) is list and rows and type(rows[0]) is tuple else list(map(tuple, rows))",
        )
    items = "".join(f"{source.value(index)}, " for index in layout.repeated or range(len(source.converters)))
    return source.loader("def load(rows, db):", f"    return [({items}) for ({source.target}) in rows]")


def flat_loader(layout: Layout, dialect: Dialect, database: Database, extra: bool) -> Loader:
    """Return the loader of values_list(flat=True)."""
    source, _ = _value_source(layout, dialect, database, True)
    return source.loader(
        "def load(rows, db):",
        f"    return [{source.value(0)} for (c0, *_) in rows]"
        if extra or len(source.converters) > 1
        else f"    return [{source.value(0)} for (c0,) in rows]",
    )


_row_classes: WeakValueDictionary[tuple[str, ...], type[Any]] = WeakValueDictionary()


def row_class(*names: str) -> type[Any]:
    """Return the class of the rows of values_list(named=True) with these names: one as long as a plan or a row has it."""
    if (found := _row_classes.get(names)) is not None:
        return found
    base = namedtuple("Row", names)  # type: ignore[misc] # noqa: PYI024 - the names are known at run time only
    return _row_classes.setdefault(names, type("Row", (base,), {"__slots__": (), "__reduce__": _reduced}))


def _reduced(row: Row[Any]) -> Any:
    """Say how a named row is pickled: its class has no place in a module."""
    return _row, (row._fields, tuple(row))


def _row(names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return row_class(*names)(*values)


def _distinguished(names: list[str]) -> list[str]:
    """Return names of which repeated ones have a number behind them."""
    known: list[str] = []
    counter = 1
    for name in names:
        different = name
        while different in known or (different != name and different in names):
            different = f"{name}{counter}"
            counter += different in known or different in names
        known.append(different)
    return known


def named_loader(layout: Layout, dialect: Dialect, database: Database, extra: bool) -> Loader:
    """Return the loader of values_list(named=True)."""
    source, names = _value_source(layout, dialect, database, extra)
    positions = layout.repeated or range(len(names))
    row = source.name("row", row_class(*_distinguished([names[index] for index in positions])))
    items = ", ".join(source.value(index) for index in positions)
    return source.loader("def load(rows, db):", f"    return [{row}({items}) for ({source.target}) in rows]")


LOADERS: dict[str, Callable[[Layout, Any, Any, bool], Loader]] = {
    "instances": instance_loader,
    "dicts": dict_loader,
    "tuples": tuple_loader,
    "flat": flat_loader,
    "named": named_loader,
}
