"""What a stub says of one model: its attributes, and the keywords of its constructor, its querysets and managers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from facade.cli.stubs.names import is_importable
from facade.cli.stubs.values import is_of_ones_own, lookups, or_none, types_of
from facade.fields.relations.many_to_many import ManyToManyField
from facade.orm.querysets.manager import Manager
from facade.orm.querysets.queryset import QuerySet

if TYPE_CHECKING:
    from facade.cli.stubs.names import Names
    from facade.fields import Field
    from facade.fields.relations.reverse import ForeignObjectRel
    from facade.meta.options import Options
    from facade.orm.querysets.manager import BaseManager

_QUERYSET = """\
class _{name}QuerySet(_models.QuerySet[{model}]):
    def filter(self, *args: _Condition, **kwargs: _Unpack[_{name}Lookups]) -> _Self: ...
    def exclude(self, *args: _Condition, **kwargs: _Unpack[_{name}Lookups]) -> _Self: ...
    def get(self, *args: _Condition, **kwargs: _Unpack[_{name}Lookups]) -> {model}: ...
    async def aget(self, *args: _Condition, **kwargs: _Unpack[_{name}Lookups]) -> {model}: ...
    def get_or_none(self, *args: _Condition, **kwargs: _Unpack[_{name}Lookups]) -> {model} | None: ...
    async def aget_or_none(self, *args: _Condition, **kwargs: _Unpack[_{name}Lookups]) -> {model} | None: ...
    def create(self, **kwargs: _Unpack[_{name}Values]) -> {model}: ...
    async def acreate(self, **kwargs: _Unpack[_{name}Values]) -> {model}: ...
    def update(self, **kwargs: _Unpack[_{name}Values]) -> int: ...
    async def aupdate(self, **kwargs: _Unpack[_{name}Values]) -> int: ...
    def get_or_create(self, /, defaults: _{name}Values | None = None, **kwargs: _Unpack[_{name}Lookups]) -> tuple[{model}, bool]: ...
    async def aget_or_create(self, /, defaults: _{name}Values | None = None, **kwargs: _Unpack[_{name}Lookups]) -> tuple[{model}, bool]: ...
    def update_or_create(self, /, defaults: _{name}Values | None = None, create_defaults: _{name}Values | None = None, **kwargs: _Unpack[_{name}Lookups]) -> tuple[{model}, bool]: ...
    async def aupdate_or_create(self, /, defaults: _{name}Values | None = None, create_defaults: _{name}Values | None = None, **kwargs: _Unpack[_{name}Lookups]) -> tuple[{model}, bool]: ...
    def order_by(self, *field_names: _{name}Order | _Expression) -> _Self: ...
    def annotate(self, *args: _Any, **kwargs: _Any) -> _models.QuerySet[{model}]: ...
    def alias(self, *args: _Any, **kwargs: _Any) -> _models.QuerySet[{model}]: ...
    def all(self) -> _{name}QuerySet: ..."""


class ModelStub:
    """The text for one model class; `depth` is how many relations its keywords go over."""

    def __init__(self, model: type[Any], names: Names, depth: int) -> None:
        self.model, self.names, self.depth = model, names, depth
        self.opts = model._meta
        self.name = model.__name__

    # -- in the class -----------------------------------------------------------------------

    def attributes(self, kept: Iterable[str]) -> Iterator[str]:
        """Yield a line for each attribute that facade makes, and is not among those that the class says itself (`kept`)."""
        kept = set(kept)
        made = {**dict(self._fields()), **dict(self._relations()), **dict(self._managers())}
        yield from (f"{name}: {type_}" for name, type_ in made.items() if name not in kept)
        yield from (f"def {name}(self) -> str: ..." for name in self._displays() if name not in kept)
        if "__init__" not in kept and not self.opts.abstract:
            yield f"def __init__(self, *args: _Any, **kwargs: _Unpack[_{self.name}Values]) -> None: ..."

    @property
    def made(self) -> set[str]:
        """The names of what the class body declares and the stub says anew."""
        return {name for names in (self._fields(), self._managers()) for name, _ in names}

    @property
    def foretold(self) -> set[str]:
        """The names of which the class body may tell type checkers by an annotation."""
        return {*self.made, *dict(self._relations()), *self._displays()}

    def _displays(self) -> list[str]:
        return [f"get_{field.name}_display" for field in self.opts.fields if field.choices is not None]

    def _fields(self) -> Iterator[tuple[str, str]]:
        opts = self.opts
        for field in (*opts.fields, *opts.local_many_to_many):
            if isinstance(field, ManyToManyField):
                yield field.name, f"_models.ManyToManyField[{self._related(field)}]"
            elif field.is_relation:
                kind = "OneToOneField" if field.one_to_one else "ForeignKey"
                yield field.name, f"_models.{kind}[{or_none(field, self._related(field))}]"
            if field.concrete:
                yield field.attname, self._column(field)
        if opts.pk is not None and not opts.abstract:
            yield "pk", _key(types_of(opts.pk, self.names)[0])

    def _column(self, field: Field[Any]) -> str:
        if is_of_ones_own(field):
            return self.names.of(type(field))
        type_ = types_of(field, self.names)[0]
        return f"_models.DeferredAttribute[{_key(type_) if field.primary_key else or_none(field, type_)}]"

    def _related(self, field: Field[Any] | ForeignObjectRel) -> str:
        model = field.related_model
        return "_Any" if isinstance(model, str) or not is_importable(model) else self.names.of(model)

    def _relations(self) -> Iterator[tuple[str, str]]:
        for relation in () if self.opts.abstract else self.opts.related_objects:
            other = relation.related_model
            if relation.hidden or not is_importable(other):
                continue
            if relation.one_to_one:
                yield str(relation.accessor_name), self.names.of(other)
            elif other.__module__ == self.names.module:
                yield str(relation.accessor_name), f"_{other.__name__}Related"
            else:
                yield str(relation.accessor_name), f"_models.RelatedManager[{self.names.of(other)}]"

    def _managers(self) -> Iterator[tuple[str, str]]:
        if self.opts.abstract:
            return
        for name in self.opts.managers_map:
            yield name, f"_ClassVar[_{self.name}Objects{'' if name == 'objects' else '_' + name}]"

    # -- beside the class ---------------------------------------------------------------------

    def companions(self) -> Iterator[str]:
        """Yield the classes that the model's attributes need."""
        if self.opts.abstract:
            return
        name, model = self.name, self.names.of(self.model)
        yield _typed_dict(f"_{name}Values", self._values())
        yield _typed_dict(f"_{name}Lookups", dict(self._lookups()))
        yield f"_{name}Order: _TypeAlias = _Literal[{', '.join(map(repr, self._orders()))}]"
        yield _QUERYSET.format(name=name, model=model)
        default = [*self._bases(self.opts.default_manager)]
        related = ", ".join([f"_{name}QuerySet", *default, f"_models.RelatedManager[{model}]"])
        yield f"class _{name}Related({related}): ..."
        for key, manager in self.opts.managers_map.items():
            bases = [f"_{name}QuerySet", *self._bases(manager), f"_models.Manager[{model}]"]
            yield f"class _{name}Objects{'' if key == 'objects' else '_' + key}({', '.join(bases)}): ..."

    def _bases(self, manager: BaseManager) -> Iterator[str]:
        """Yield the classes whose methods a manager has, besides those of every queryset."""
        for kind in (_importable(type(manager)), _importable(manager._queryset_class)):
            if kind not in (Manager, QuerySet):
                yield self.names.of(kind)

    def _values(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for field in self.opts.concrete_fields:
            if field.generated:
                continue
            given = f"{types_of(field, self.names)[1]} | _Expression"
            given = f"{given} | None" if field.null or field.primary_key else given
            if field.is_relation:
                found[field.name] = f"{or_none(field, self._related(field))} | _Expression"
            found[field.attname] = given
            if field.primary_key:
                found["pk"] = given
        settable = [
            name
            for kind in self.model.__mro__
            for name, value in vars(kind).items()
            if isinstance(value, property) and value.fset is not None
        ]
        return {**dict.fromkeys(settable, "_Any"), **found}

    def _lookups(self) -> Iterator[tuple[str, str]]:
        yield from self._columns_of(self.opts, "")
        yield from self._over(self.opts, "", self.depth)

    def _columns_of(self, opts: Options, path: str) -> Iterator[tuple[str, str]]:
        for field in opts.concrete_fields:
            given = types_of(field, self.names)[1]
            prefixes = [field.attname] if field.is_relation else [field.name]
            for prefix in (*prefixes, "pk") if field.primary_key else prefixes:
                yield from ((f"{path}{prefix}{rest}", type_) for rest, type_ in lookups(field, given))

    def _over(self, opts: Options, path: str, depth: int) -> Iterator[tuple[str, str]]:
        for relation in _relations(opts):
            name, other = f"{path}{relation.name}", relation.related_model
            key = relation if relation.concrete else other._meta.pk
            given = f"{self._related(relation)} | {'_Any' if key is None else types_of(key, self.names)[1]}"
            yield name, f"{given} | _Expression | None"
            yield f"{name}__exact", f"{given} | _Expression | None"
            yield f"{name}__in", f"_Iterable[{given}] | _Expression"
            yield f"{name}__isnull", "bool"
            if depth:
                yield from self._columns_of(other._meta, f"{name}__")
                yield from self._over(other._meta, f"{name}__", depth - 1)

    def _orders(self) -> list[str]:
        names = ["pk", *self._names_of(self.opts)]
        for relation in _relations(self.opts):
            others = ("pk", *self._names_of(relation.related_model._meta))
            names += [relation.name, *(f"{relation.name}__{name}" for name in others)]
        names = list(dict.fromkeys(names))
        return ["?", *names, *(f"-{name}" for name in names)]

    def _names_of(self, opts: Options) -> list[str]:
        return [name for field in opts.concrete_fields for name in dict.fromkeys((field.name, field.attname))]


def _key(type_: str) -> str:
    """Return the type of a key's attribute, which may be set to None: then the next save() makes another row."""
    return type_ if type_ == "_Any" else f"{type_} | _Any"


def _relations(opts: Options) -> list[Any]:
    """Return the relations of a model, either end of them, whose other model is there."""
    return [
        field for field in opts.get_fields() if field.is_relation and isinstance(field.related_model, type)
    ]


def _importable(kind: type[Any]) -> Any:
    return next(base for base in kind.__mro__ if is_importable(base))


def _typed_dict(name: str, keys: dict[str, str]) -> str:
    lines = [f"    {key}: {type_}" for key, type_ in keys.items()]
    return "\n".join([f"class {name}(_TypedDict, total=False):", *(lines or ["    ..."])])
