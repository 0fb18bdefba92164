"""Loaders: functions, generated for the columns of one plan, that turn driver rows into what the caller wants."""

from __future__ import annotations

import inspect
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from keyword import iskeyword
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from facade.db.handler import connections
from facade.exceptions import NestedTooDeeply
from facade.expressions.references import RowValue
from facade.fields.descriptions import DatabaseReader
from facade.foundation.generated import FunctionText
from facade.foundation.seams import Seam
from facade.sql.values import converter
from facade.types.quick import quick_form

if TYPE_CHECKING:
    from sqlalchemy import Row
    from sqlalchemy.engine import Dialect

    from facade.expressions.contracts import Valued
    from facade.fields.descriptions import Reader
    from facade.sql.core.layout import Layout
    from facade.sql.query.loading import Part

Loader = Callable[..., list[Any]]  # (rows, alias), and for instances the fetch mode

# The class of `instance._state` and the key under which a row's database waits for the state to be made.
instance_state: Seam[[], tuple[type[Any], str]] = Seam(
    "where an instance keeps its state", filled_by="facade.orm.querysets.reading"
)


def converters(expression: Valued, dialect: Dialect) -> list[Reader]:
    """Return what makes the Python values of the columns that an expression stands for, most often one."""
    if not isinstance(expression, RowValue):
        return [converter(expression, dialect)]
    return [converter(item, dialect) for item in expression.items]


MAX_RELATED = 90
"""How many relations in a row select_related() follows: Python takes no source indented by more than 100 levels."""


MAX_INSIDE = 26
"""How many values are set on an instance one by one: Python keeps up to 29 in the instance itself, without a dict of its own."""


MANY_ROWS = 1000
"""From this many rows on, it saves time to let go of each row as it is read: its memory is used again at once."""


class RowSource(FunctionText):
    """A source that knows the converters of its columns, and which of them become one value, a tuple."""

    def __init__(self, converters: list[list[Reader]], extra: bool, of: str) -> None:
        super().__init__()
        self.converters = [convert for value in converters for convert in value]
        forms = enumerate(map(quick_form, self.converters))
        self.quick = {index: form for index, form in forms if form is not None}
        self.used = set[int]()  # which of those are asked for
        self.tells = False  # whether a reader is told the database
        ends = [*accumulate(map(len, converters))]
        self.places = [range(end - len(value), end) for value, end in zip(converters, ends, strict=True)]
        self.of = of
        width = len(self.converters)
        self.target = "".join(f"c{index}, " for index in range(width)) + ("*_" if extra else "")

    @property
    def is_plain(self) -> bool:
        """Whether each value is what the driver gives for a column."""
        return len(self.places) == len(self.converters) and not any(self.converters)

    def loader(self, *lines: str) -> Loader:
        self.lines = [*lines]
        made: Loader = self.build(f"loader of {self.of}")
        return made

    def loop(self, result: str, header: str = "def load(rows, db):") -> Loader:
        """Return the function that makes `result` of each row, by the lines that were written before."""
        # Few rows are the usual case, which costs no call.
        some = f"(rows if len(rows) < {MANY_ROWS} else {self.name('taken', taken)}(rows))"
        rows = f"for ({self.target}) in {some}"
        head = (
            [header, f"    database = {self.name('connections', connections)}[db]"]
            if self.tells
            else [header]
        )
        if not (self.lines or self.used):
            return self.loader(*head, f"    return [{result} {rows}]")
        return self.loader(
            *head,
            "    out = []",
            "    append = out.append",
            f"    {rows}:",
            *self._reading(),
            *self.lines,
            f"        append({result})",
            "    return out",
        )

    def _reading(self) -> list[str]:
        """Return the lines that read the columns which need no call: with calls after all where one is unusual."""
        if not self.used:
            return []
        columns = sorted(self.used)
        return [
            "        try:",
            *[f"            v{index} = {self._quickly(index)}" for index in columns],
            "        except (TypeError, ValueError):",
            *[f"            v{index} = {self._called(index)}" for index in columns],
        ]

    def value(self, index: int) -> str:
        place = self.places[index]
        if len(place) > 1:
            return f"({', '.join(map(self._column, place))})"
        return self._column(place[0])

    def _column(self, index: int) -> str:
        if index not in self.quick:
            return self._called(index)
        self.used.add(index)
        return f"v{index}"

    def _called(self, index: int) -> str:
        convert = self.converters[index]
        if isinstance(convert, DatabaseReader):
            self.tells = True
            return f"{self.name('f', convert.read)}(c{index}, database)"
        return f"c{index}" if convert is None else f"{self.name('f', convert)}(c{index})"

    def _quickly(self, index: int) -> str:
        text, read = self.quick[index]
        return text.format(value=f"c{index}", read=self.name("read", read), called=self._called(index))


_NO_ROW = ()  # quickly told from rows, which have columns


def taken(rows: Sequence[Any]) -> Iterable[Any]:
    """Return what gives many rows one after the other: they leave their list, which is the loader's own."""
    if type(rows) is not list:
        return rows
    rows.append(_NO_ROW)
    rows.reverse()
    return iter(rows.pop, _NO_ROW)


def instance_loader(layout: Layout, dialect: Dialect, extra: bool) -> Loader:
    """Return a loader of model instances with everything that select_related() and annotate() put on them."""
    part = layout.part
    assert part is not None
    columns: list[Any] = [field for node in part.walk() for field in node.fields]
    expressions = [expression for _, expression in layout.annotations]
    readers = [converters(item, dialect) for item in (*columns, *expressions)]
    source = RowSource(readers, extra, part.model.__name__)
    annotations = [
        (name, source.value(len(columns) + index)) for index, (name, _) in enumerate(layout.annotations)
    ]
    _build_instance(source, part, "o", "        ", annotations)
    mode = source.name("mode", _no_state().fetch_mode)
    return source.loop("o", f"def load(rows, db, mode={mode}):")


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
    if part.needs_state:
        state = source.name("state", state_class)
        source.lines += [
            f"{indent}{name}s = {new}({state})",
            f"{indent}{name}s.db = db",
            f"{indent}{name}s.adding = False",
            f"{indent}{name}s.fields_cache = {{}}",
        ]
        values = [("_state", f"{name}s"), *values]
    else:
        values = [(loaded_from, "db"), *values]
    source.lines.append(f"{indent}{name} = {new}({model})")
    if len(values) <= MAX_INSIDE:
        part.model._lay_out()
        if all(_is_set_plainly(part.model, key) for key, _ in values):
            source.lines.extend(f"{indent}{name}.{key} = {value}" for key, value in values)
            return
        source.lines.append(f"{indent}data = {name}.__dict__")
    else:
        pattern = source.name("pattern", dict.fromkeys(key for key, _ in values))
        # Quicker than a new dict, which grows as it is filled.
        source.lines.append(f"{indent}data = {name}.__dict__ = {pattern}.copy()")
    source.lines.extend(f"{indent}data[{key!r}] = {value}" for key, value in values)


def _is_set_plainly(model: type[Any], key: str) -> bool:
    """Whether a value can be set as an attribute, and nothing but the instance's ``__dict__`` takes it."""
    attribute = inspect.getattr_static(model, key, None)
    # Letters beyond ASCII would be normalized in source text.
    is_name = key.isascii() and key.isidentifier() and not iskeyword(key)
    return is_name and not hasattr(type(attribute), "__set__")


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


def _value_source(layout: Layout, dialect: Dialect, extra: bool) -> tuple[RowSource, list[str]]:
    part = layout.part
    columns: list[tuple[str, Any]] = []
    if part is not None:
        columns += [(field.attname, field) for field in part.fields]
        columns += layout.annotations
    else:
        columns += layout.columns
    names = [name for name, _ in columns]
    readers = [converters(item, dialect) for _, item in columns]
    return RowSource(readers, extra, f"rows of {', '.join(names)}"), names


def dict_loader(layout: Layout, dialect: Dialect, extra: bool) -> Loader:
    """Return the loader of values()."""
    source, names = _value_source(layout, dialect, extra)
    items = ", ".join(f"{name!r}: {source.value(index)}" for index, name in enumerate(names))
    return source.loop(f"{{{items}}}")


def tuple_loader(layout: Layout, dialect: Dialect, extra: bool) -> Loader:
    """Return the loader of values_list()."""
    source, _ = _value_source(layout, dialect, extra)
    if not extra and source.is_plain and layout.repeated is None:
        return source.loader(
            "def load(rows, db):",
            "    return rows if type(rows) is list and rows and type(rows[0]) is tuple else list(map(tuple, rows))",
        )
    items = "".join(f"{source.value(index)}, " for index in layout.repeated or range(len(source.places)))
    return source.loop(f"({items})")


def flat_loader(layout: Layout, dialect: Dialect, extra: bool) -> Loader:
    """Return the loader of values_list(flat=True)."""
    source, _ = _value_source(layout, dialect, extra)
    return source.loop(source.value(0))


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


def named_loader(layout: Layout, dialect: Dialect, extra: bool) -> Loader:
    """Return the loader of values_list(named=True)."""
    source, names = _value_source(layout, dialect, extra)
    positions = layout.repeated or range(len(names))
    row = source.name("row", row_class(*_distinguished([names[index] for index in positions])))
    items = ", ".join(source.value(index) for index in positions)
    return source.loop(f"{row}({items})")


LOADERS: dict[str, Callable[[Layout, Any, bool], Loader]] = {
    "instances": instance_loader,
    "dicts": dict_loader,
    "tuples": tuple_loader,
    "flat": flat_loader,
    "named": named_loader,
}
