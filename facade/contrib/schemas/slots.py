"""The slots of a schema: its attributes, and what of an instance each of them shows."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, get_type_hints

from facade.contrib.schemas.values import Values, values_of
from facade.exceptions import FieldError
from facade.fields import CompositePrimaryKey
from facade.fields.declarations import LOOKUP_SEP

if TYPE_CHECKING:
    from facade.orm.instances.model import Model

__all__ = [
    "ADDING",
    "KEYWORDS",
    "Annotation",
    "Choice",
    "Slot",
    "attributes_of",
    "check_model",
    "computed_slot",
    "free_name",
    "inner_name",
    "optional_names",
    "slots_of",
    "types_of",
    "unknown_name",
]

Annotation = Any
"""A type, or one of the forms of `typing`."""

Source = Any
"""A field, or a relation that points at the model."""

KEYWORDS: Final = ("fields", "exclude", "depth", "optional", "computed")
"""The keywords that a class may have besides its model."""

ADDING: Final = frozenset({"fields", "exclude", "depth"})
"""Those that add fields which the class does not declare."""

Kind = Literal["column", "one", "key", "many", "keys", "computed"]


@dataclass(frozen=True)
class Slot:
    """One attribute of a schema.

    `kind` is what of the instance it shows: a "column"; the "one" object of a relation, or its "key" alone; the "many" objects
    of a relation, or their "keys" alone; or an attribute that is "computed": a property, a method, an annotation of the query.
    """

    name: str
    kind: Kind
    model: type[Any]
    source: Any = None
    """The field, or the relation that points at the model; None where it is computed."""
    given: Any = Any
    """The type of a computed value."""
    choice: Choice | None = None
    """What is chosen of the related objects."""

    @property
    def attribute(self) -> str:
        """The attribute of the instance."""
        if self.kind == "column":
            return str(self.source.attname)
        if self.source is None:
            return self.name
        return _accessor(self.source)

    @property
    def related(self) -> Any:
        """The model of the related objects."""
        return self.source.related_model

    @cached_property
    def values(self) -> Values:
        """What the values are: of a column its own, of related objects their keys."""
        if self.kind == "column":
            return values_of(self.source)
        if self.kind in ("key", "keys"):
            return _keys_of(self.related)
        return Values(self.given, is_null=False)

    @property
    def is_null(self) -> bool:
        """Whether the attribute may be None."""
        if self.kind in ("one", "key"):
            return bool(self.source.null) if self._is_forward else True
        return self.kind == "column" and self.values.is_null

    @property
    def _is_forward(self) -> bool:
        return not self.source.auto_created or self.source.concrete

    @property
    def is_written(self) -> bool:
        """Whether `create()` and `update()` take a value for it."""
        if self.kind == "column":
            return self.source.editable and not self.source.generated and not self.is_file
        return self.kind == "keys" and self._is_forward

    @property
    def may_lack_keys(self) -> bool:
        """Whether a row may be made without keys of related objects."""
        return self.kind == "keys" and self._is_forward and bool(self.source.blank)

    @property
    def descriptions(self) -> dict[str, str]:
        """What JSON schema calls the title and the description of a column, where the model has any."""
        if self.kind != "column":
            return {}
        said = (("title", self.source._verbose_name), ("description", self.source.help_text))
        return {key: str(value) for key, value in said if value}

    @property
    def is_file(self) -> bool:
        """Whether the column holds the name of a file."""
        return hasattr(self.source, "upload_to")


@dataclass(frozen=True)
class Choice:
    """What is chosen of a model: names, those that are left out, how deep relations are followed, and what is computed.

    Names lead over relations by ``__``. `back` is the relation that led here, of which only the key is of interest.
    """

    fields: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    depth: int = 0
    computed: Mapping[str, Any] = field(default_factory=dict)
    back: Any = None
    is_root: bool = True

    @classmethod
    def of(
        cls,
        fields: Iterable[str] | str | None = None,
        exclude: Iterable[str] = (),
        depth: object = 0,
        computed: Mapping[str, Any] | Iterable[str] = (),
    ) -> Choice:
        """Return a choice as `schema_for` is given it; TypeError and ValueError for what makes none."""
        if isinstance(depth, bool) or not isinstance(depth, int) or depth < 0:
            raise ValueError(f"depth is how many relations are followed: 0, 1, 2 …, not {depth!r}.")
        chosen = None if fields is None or fields == "__all__" else tuple(_listed("fields", fields))
        return cls(chosen, tuple(_listed("exclude", exclude)), depth, types_of(computed))

    @classmethod
    def of_keywords(cls, given: Mapping[str, Any]) -> Choice:
        """Return the choice that the keywords of a class make; see `KEYWORDS`."""
        return cls.of(**{name: value for name, value in given.items() if name != "optional"})

    def below(self, name: str, relation: object) -> Choice:
        """Return what is chosen of the objects behind a relation."""
        inner = tuple(_rests(self.fields or (), name))
        return Choice(
            inner or None,
            tuple(_rests(self.exclude, name)),
            max(self.depth - 1, 0),
            {rest: type_ for path, type_ in self.computed.items() for rest in _rests([path], name)},
            relation,
            False,
        )


def _listed(word: str, given: Iterable[str] | None) -> list[str]:
    if isinstance(given, str):
        raise TypeError(f"{word} is a list of names, not the text {given!r}: [{given!r}]")
    names = list(given or ())
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{word} is a list of names, which {name!r} is not.")
    return names


def _rests(paths: Iterable[str], name: str) -> Iterable[str]:
    prefix = f"{name}{LOOKUP_SEP}"
    return [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]


# -- what a model has ------------------------------------------------------------------------------------------------


def _accessor(relation: Source) -> str:
    return str(getattr(relation, "accessor_name", None) or relation.name)


def attributes_of(model: type[Model]) -> dict[str, tuple[Kind, Any]]:
    """Return the attributes of a model's fields and relations, each with its kind and its field or relation."""
    found: dict[str, tuple[Kind, Any]] = {}
    opts = model._meta
    for own in opts.fields:
        if own.is_relation:
            found[own.name] = ("one", own)
        if own.concrete:
            found[own.attname] = ("column", own)
    for own in opts.many_to_many:
        found[own.name] = ("many", own)
    for relation in opts.related_objects:
        if not relation.hidden and relation.accessor_name:
            found[relation.accessor_name] = ("one" if relation.one_to_one else "many", relation)
    return found


def _names_of(model: type[Model], choice: Choice) -> list[str]:
    """Return the attributes of a model that are chosen where no names are given: what it declares itself."""
    opts = model._meta
    names: list[str] = []
    for own in opts.fields:
        if own.is_relation and getattr(own.remote_field, "parent_link", False):
            continue
        is_followed = own.is_relation and choice.depth > 0 and not _leads_back(choice, own)
        if is_followed or own.concrete:
            names.append(own.name if is_followed else own.attname)
    if choice.depth > 0 or choice.is_root:
        names += [own.name for own in opts.many_to_many if not _leads_back(choice, own)]
    return names


def _leads_back(choice: Choice, own: object) -> bool:
    return choice.back is not None and choice.back.remote_field is own


def slots_of(model: type[Model], choice: Choice) -> list[Slot]:
    """Return the slots for what is chosen of a model; FieldError for names that it has not."""
    known = attributes_of(model)
    chosen = _names_of(model, choice) if choice.fields is None else _heads(choice.fields)
    left_out = [name for name in choice.exclude if LOOKUP_SEP not in name]
    heads = [*chosen, *_heads(choice.exclude)]
    for name in heads:
        if name not in known and name not in choice.computed:
            raise unknown_name(model, name, [*known, *choice.computed])
    made = {}
    for name in dict.fromkeys(chosen):
        if name in known and not _is_left_out(known, name, left_out):
            made[name] = _slot_of(model, known, name, choice)
    for name, type_ in choice.computed.items():
        if LOOKUP_SEP not in name and name not in left_out:
            made[name] = computed_slot(model, name, type_)
    _check_paths(model, choice, made)
    if not made:
        raise FieldError(f"A schema of {model._meta.object_name} is to have no fields at all.")
    return list(made.values())


def check_model(given: object) -> None:
    """Raise TypeError for what is no model."""
    if not (isinstance(given, type) and hasattr(given, "_meta")):
        raise TypeError(f"A schema is of a model, and {given!r} is none.")


def _check_paths(model: type[Model], choice: Choice, made: Mapping[str, Slot]) -> None:
    """Refuse a path over a relation of which the key alone is shown."""
    for path in (*choice.exclude, *choice.computed):
        head, sep, _ = path.partition(LOOKUP_SEP)
        if sep and (head not in made or made[head].choice is None):
            raise FieldError(
                f"{path!r} leads over {model._meta.object_name}.{head}, of which the schema shows the key alone: name it in `fields`, "
                "and give a depth."
            )


def _is_left_out(known: Mapping[str, tuple[Kind, Any]], name: str, left_out: Collection[str]) -> bool:
    """Return whether a name is excluded; a foreign key is by its own name and by that of its key."""
    kind, source = known[name]
    if name in left_out:
        return True
    if kind == "column" and source.is_relation:
        return source.name in left_out
    return kind == "one" and getattr(source, "attname", name) in left_out


def _heads(names: Iterable[str]) -> list[str]:
    return [name.partition(LOOKUP_SEP)[0] for name in names]


def _slot_of(model: type[Model], known: Mapping[str, tuple[Kind, Any]], name: str, choice: Choice) -> Slot:
    """Return the slot of one attribute: with the related objects where the choice goes that deep, else with their keys."""
    kind, source = known[name]
    if source.is_relation and isinstance(source.related_model, str):
        raise FieldError(
            f"{model._meta.object_name}.{source.name} leads to the model {source.related_model!r}, which is not defined yet: import it "
            "before the schema is made."
        )
    if kind == "column":
        return Slot(name, "column", model, source)
    goes_on = any(
        path.startswith(f"{name}{LOOKUP_SEP}") for path in (*(choice.fields or ()), *choice.computed)
    )
    if choice.depth > 0 or goes_on:
        return Slot(name, kind, model, source, choice=choice.below(name, source))
    if kind == "one":
        if source.concrete:
            return Slot(source.attname, "column", model, source)
        return Slot(name, "key", model, source)
    return Slot(name, "keys", model, source)


def computed_slot(model: type[Model], name: str, type_: Annotation = None) -> Slot:
    """Return the slot of a property, a method without arguments, or a value that the query annotates."""
    if name in attributes_of(model):
        raise FieldError(
            f"{model._meta.object_name}.{name} is a field, and not computed: name it in `fields`."
        )
    return Slot(name, "computed", model, given=_told_type(model, name) if type_ is None else type_)


def _told_type(model: type[Model], name: str) -> Any:
    """Return the type that a property or a method says it gives; of what says nothing, Any."""
    found = getattr(model, name, None)
    getter = found.fget if isinstance(found, property) else getattr(found, "func", found)
    if not callable(getter):
        return Any
    try:
        return get_type_hints(getter).get("return", Any)
    except (NameError, TypeError):
        return Any


def optional_names(names: Sequence[str], optional: Iterable[str] | bool, model: type[Any]) -> set[str]:
    """Return the names that may be missing; FieldError for those that are not among the others."""
    if isinstance(optional, bool):
        return {*names} if optional else set()
    wanted = _listed("optional", optional)
    for name in wanted:
        if name not in names:
            raise unknown_name(model, name, names)
    return {*wanted}


def free_name(base: type[Any], name: str) -> str:
    """Return a name that a schema lets an attribute have; what is seen outside stays the field's own.

    >>> free_name(str, "title"), free_name(str, "name"), free_name(str, "_order")
    ('title_', 'name', 'order_')
    """
    free = name.strip("_") or "field"
    if free.startswith(_RESERVED):
        return f"field_{free}"
    is_taken = hasattr(base, free) and free not in getattr(base, "__annotations__", ())
    return f"{free}_" if is_taken or free != name else free


def inner_name(name: str, slot: Slot) -> str:
    """Return what the schema of a slot's related objects is called, in the schema `name`."""
    return name + "".join(word.capitalize() for word in slot.attribute.split("_"))


# What pydantic keeps for itself.
_RESERVED = ("model_validate", "model_dump")


def types_of(computed: Mapping[str, Any] | Iterable[str]) -> Mapping[str, Any]:
    """Return what is computed with its types, None where none are given."""
    return computed if isinstance(computed, Mapping) else dict.fromkeys(_listed("computed", computed))


def unknown_name(model: type[Model], name: str, known: Iterable[str], otherwise: str = "") -> FieldError:
    """Return the error for a name that a model has not."""
    names = sorted({*known})
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else otherwise
    own = getattr(model, name, None)
    if own is not None:
        hint = f" What is no field goes into `computed`: computed=[{name!r}]."
    return FieldError(
        f"{model._meta.object_name} has no field {name!r} for a schema.{hint} There are: {', '.join(names)}"
    )


def _keys_of(model: type[Model]) -> Values:
    """Return what the primary keys of a model are."""
    key = model._meta.pk
    if isinstance(key, CompositePrimaryKey):
        parts = tuple(values_of(part).kind for part in key.fields)
        return Values(tuple[parts], is_null=False)  # type: ignore[valid-type]
    found = values_of(key)
    return Values(found.kind, False, found.literals, found.limits, None, None, ())
