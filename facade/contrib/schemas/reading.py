"""How an instance is read into a schema: a generated function that takes what is loaded, and never loads anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from facade.exceptions import FieldFetchBlocked
from facade.fields.attributes import Operand
from facade.foundation.generated import FunctionText
from facade.orm.instances.fetching import FETCH_RAISE
from facade.orm.querysets.prefetched import PREFETCHED, Waiting, prefetched_objects
from facade.orm.relations.related_managers import ToMany

if TYPE_CHECKING:
    from facade.contrib.schemas.slots import Slot, Source
    from facade.contrib.schemas.values import Values
    from facade.fields import Field
    from facade.orm.instances.model import Model

__all__ = ["NotLoaded", "Reader", "read_function", "rows_of"]

Reader = Callable[[Any], Any]


class NotLoaded(FieldFetchBlocked):
    """What a schema shows of an instance is not loaded, and reading it would cost a query for each instance."""

    def __init__(self, model: type[Model], name: str, what: str) -> None:
        super().__init__(f"{model._meta.object_name}.{name} is not loaded: {what}.")
        self.model, self.name, self.what = model, name, what


class ReadSlot(Protocol):
    """A slot, and how its values become those of the schema."""

    @property
    def field(self) -> str:
        """The attribute of the schema."""

    @property
    def slot(self) -> Slot: ...

    @property
    def nested(self) -> Reader | None:
        """What reads a related object."""

    @property
    def coerce(self) -> Reader | None:
        """What makes the schema's value of the instance's; None where that is one of the field's type already."""


def read_function(
    title: str, slots: Iterable[ReadSlot], made: Callable[[FunctionText, dict[str, str]], Iterable[str]]
) -> Reader:
    """Return a function from an instance to what `made` writes: lines that return something of the slots' variables.

    Values of the fields' own types are taken as they are, others are converted by their fields.
    """
    given = [*slots]
    text = FunctionText(absent=_absent, waiting=Waiting, cached=PREFETCHED)
    text.lines += ["def read(o):", "    d = o.__dict__"]
    names = {item.field: f"v{number}" for number, item in enumerate(given)}
    columns = [item for item in given if item.slot.kind == "column"]
    if columns:
        targets = [names[item.field] for item in columns]
        text.lines.append("    try:")
        text.lines += [
            f"        {target} = d[{item.slot.attribute!r}]"
            for target, item in zip(targets, columns, strict=True)
        ]
        fields = text.name("fields", [item.slot.source for item in columns])
        text.lines += ["    except KeyError:", f"        {', '.join(targets)}, = absent(o, {fields})"]
    if any(item.slot.kind in ("one", "key") for item in given):
        text.lines.append("    c = o._state.fields_cache")
    if any(item.slot.kind in ("many", "keys") for item in given):
        text.lines.append("    p = d.get(cached, ())")
    for item in given:
        text.lines += [f"    {line}" for line in _lines(text, item, names[item.field])]
    text.lines += [f"    {line}" for line in made(text, names)]
    return text.build(title)  # type: ignore[no-any-return]


def _lines(text: FunctionText, item: ReadSlot, target: str) -> Iterator[str]:
    """Yield the lines that bring one slot's value into a variable."""
    kind = item.slot.kind
    if kind == "column":
        yield from _column(text, item, target)
    elif kind in ("one", "key"):
        yield from _one(text, item, target)
    elif kind in ("many", "keys"):
        yield from _many(text, item, target)
    else:
        yield f"{target} = {text.name('computed', _computed(item))}(o)"


# -- columns ----------------------------------------------------------------------------------------------------------


def _column(text: FunctionText, item: ReadSlot, target: str) -> Iterator[str]:
    values = item.slot.values
    settle = _settling(item.slot, values, item.coerce)
    if item.coerce is None and values.kind is Any:
        return
    name = text.name("settle", settle)
    if item.coerce is not None:
        yield f"{target} = {name}(o, {target})"
        return
    kind = text.name("kind", values.kind)
    if not isinstance(values.kind, type):  # such as list[int]
        yield f"{target} = {name}(o, {target})"
        return
    none = f"{target} is not None and " if values.is_null else ""
    yield f"if {none}type({target}) is not {kind}:"
    yield f"    {target} = {name}(o, {target})"


def _settling(slot: Slot, values: Values, coerce: Reader | None) -> Callable[[Any, Any], Any]:
    """Return what makes a value that an attribute was given one of the field's, or refuses it."""
    own, is_file = slot.source, slot.is_file
    kind = values.kind if isinstance(values.kind, type) and values.kind is not Any else object

    def settle(instance: Model, value: object) -> Any:
        if is_file:
            value = getattr(instance, own.attname).name
            value = "" if value is None and not values.is_null else value
        if value is None:
            if values.is_null:
                return None if coerce is None else coerce(None)
            raise ValueError(
                f"{own.model.__name__}.{own.name} of {_shown(instance)} is None, where the field takes none."
            )
        if isinstance(value, Operand) or hasattr(value, "__clause_element__"):
            raise ValueError(
                f"{own.model.__name__}.{own.name} of {_shown(instance)} is an expression, whose value the database knows: "
                "refresh_from_db() reads it."
            )
        if coerce is not None and type(value) is kind:
            return coerce(value)
        value = _plain(own.to_python(value), kind)
        return value if coerce is None else coerce(value)

    return settle


def _plain(value: object, kind: type[Any]) -> Any:
    """Return a value of exactly a type, of one of a subclass as the members of enumerations are."""
    if type(value) is kind or kind is object:
        return value
    if isinstance(value, memoryview):
        return bytes(value)
    return (
        kind(getattr(value, "value", value))
        if isinstance(value, kind) and kind in (str, int, float)
        else value
    )


def _shown(instance: Model) -> str:
    return f"{type(instance).__name__} {instance.pk!r}"


def _absent(instance: Model, fields: Iterable[Any]) -> list[Any]:
    """Return the values of fields one by one, as some of them are not where they mostly are."""
    return [_value_of(instance, own) for own in fields]


def _value_of(instance: Model, own: Field[Any]) -> Any:
    if own.attname in instance.__dict__:
        return instance.__dict__[own.attname]
    inherited = instance._inherited_value(own)
    if inherited is None:
        raise NotLoaded(type(instance), own.attname, "only() or defer() left it out")
    return inherited


# -- relations --------------------------------------------------------------------------------------------------------


def _one(text: FunctionText, item: ReadSlot, target: str) -> Iterator[str]:
    slot = item.slot
    name = text.name("missing", _missing_one(slot))
    yield "try:"
    yield f"    {target} = c[{slot.source.cache_name!r}]"
    yield "except KeyError:"
    yield f"    {target} = {name}(o)"
    read = text.name(
        "read", _none_refused(slot) if item.nested is None and item.coerce is None else item.nested
    )
    if item.coerce is not None:
        yield f"{target} = {text.name('coerce', item.coerce)}({target})"
    elif slot.is_null:
        yield f"if {target} is not None:"
        yield f"    {target} = {_read_one(text, item, read, target)}"
    else:
        yield f"if {target} is None:"
        yield f"    {text.name('refuse', _none_refused(slot))}(o)"
        yield f"{target} = {_read_one(text, item, read, target)}"


def _read_one(text: FunctionText, item: ReadSlot, read: str, target: str) -> str:
    return f"{target}.pk" if item.slot.kind == "key" else f"{read}({target})"


def _none_refused(slot: Slot) -> Callable[[Any], None]:
    def refuse(instance: Model) -> None:
        raise ValueError(
            f"{slot.model.__name__}.{slot.attribute} of {_shown(instance)} is None, where there has to be an object."
        )

    return refuse


def _missing_one(slot: Slot) -> Reader:
    """Return what says that there is no related object, or that it is not loaded."""
    source = slot.source

    def missing(instance: Model) -> Any:
        if slot._is_forward:
            for ancestor in _ancestors(instance, source.model):
                if source.is_cached(ancestor):
                    return source.get_cached_value(ancestor)
            if any(_value_of(instance, own) is None for own in source.local_related_fields):
                return None
        elif not instance._is_pk_set():
            return None
        raise NotLoaded(slot.model, slot.attribute, "")

    return missing


def _ancestors(instance: Model, model: type[Model]) -> Iterator[Any]:
    """Yield the instances of parent models that an instance remembers, on the way to a model."""
    current: Model | None = instance
    while current is not None and (link := current._meta.get_ancestor_link(model)):
        current = link.get_cached_value(current, None)
        if current is not None:
            yield current


def _many(text: FunctionText, item: ReadSlot, target: str) -> Iterator[str]:
    slot = item.slot
    name = _cached_name(slot.source)
    yield f"{target} = p[{name!r}] if {name!r} in p else None"
    yield f"if type({target}) is waiting:"
    yield f"    {target} = {target}[2]"
    yield f"elif {target} is None or ({target} := {target}._result_cache) is None:"
    yield f"    {target} = {text.name('rows', _rows(slot))}(o)"
    if item.coerce is not None:
        yield f"{target} = {text.name('coerce', item.coerce)}({target})"
    elif slot.kind == "keys":
        yield f"{target} = [r.pk for r in {target}]"
    else:
        yield f"{target} = [{text.name('read', item.nested)}(r) for r in {target}]"


def _cached_name(source: Source) -> str:
    """Return the name under which instances have the prefetched objects of a relation."""
    if source.many_to_many:
        return str(
            source.name if not source.auto_created or source.concrete else source.field.related_query_name()
        )
    return str(source.cache_name)


def _rows(slot: Slot) -> Callable[[Any], list[Any]]:
    """Return what gives the related objects where the instance itself has no prefetched ones."""

    def rows(instance: Model) -> list[Any]:
        if not instance._is_pk_set():
            return []
        for ancestor in _ancestors(instance, slot.model) if instance._meta.parents else ():
            if (found := prefetched_objects(ancestor, _cached_name(slot.source))) is not None:
                return list(found)
        raise NotLoaded(slot.model, slot.attribute, "")

    return rows


def rows_of(value: object) -> object:
    """Return the prefetched objects of a related manager as a list; anything else as it is."""
    instance = getattr(value, "instance", None)
    if not isinstance(value, ToMany) or instance is None:
        return value
    manager: Any = value
    relation = manager.rel
    source = relation.field if relation.many_to_many and not manager.reverse else relation
    found = prefetched_objects(instance, _cached_name(source))
    if found is None:
        name = str(source.name if source is not relation else relation.accessor_name)
        label = type(instance).__name__
        query = f"load it with the query: {label}.objects.prefetch_related({name!r})"
        raise NotLoaded(
            type(instance), name, f"{query}; for objects at hand: prefetch_related_objects(objects, {name!r})"
        )
    return list(found)


# -- computed ---------------------------------------------------------------------------------------------------------


def _computed(item: ReadSlot) -> Reader:
    """Return what reads a property, a method or an annotation, without letting the instance load anything for it."""
    name, coerce = item.slot.name, item.coerce
    own = getattr(item.slot.model, name, None)

    def read(instance: Model) -> Any:
        found = instance.__dict__.get(name, instance)
        if found is instance:
            found = _called(instance, name) if own is not None else _missing_attribute(instance, name)
        return found if coerce is None else coerce(found)

    return read


def _called(instance: Model, name: str) -> Any:
    state = instance._state
    before, state.fetch_mode = state.fetch_mode, FETCH_RAISE
    try:
        found = getattr(instance, name)
        return found() if callable(found) else found
    finally:
        state.fetch_mode = before


def _missing_attribute(instance: Model, name: str) -> Any:
    if hasattr(instance, name):
        return getattr(instance, name)
    raise NotLoaded(type(instance), name, "the query is to annotate() it, or a property to compute it")
