"""The fields, relations and ancestors of a model, as ``_meta`` presents them."""

from __future__ import annotations

from bisect import insort
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from facade.exceptions import FieldDoesNotExist
from facade.fields.kinds.composite import CompositePrimaryKey
from facade.meta.constraints import UniqueConstraint
from facade.meta.relations import NO_RELATIONS, Hop, related_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from facade.fields import Field
    from facade.fields.contracts import Instance


__all__ = ["IMMUTABLE_WARNING", "PROXY_PARENTS", "FieldList", "Structure"]

IMMUTABLE_WARNING = (
    "The return type of '%s' should never be mutated. If you want to manipulate this list for your own "
    "use, make a copy first."
)

#: Take in the fields of the parents that share the model's table: those that it is a proxy of.
PROXY_PARENTS = object()


class FieldList(tuple[Any, ...]):  # noqa: SLOT001 - it carries its warning
    """A tuple that says, to who tries to change it, what it is and what to do instead."""

    warning: str

    def __new__(cls, name: str, items: Iterable[Any]) -> Self:
        new = super().__new__(cls, items)
        new.warning = IMMUTABLE_WARNING % name
        return new

    def __reduce__(self) -> Any:
        return tuple, (list(self),)

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AttributeError(self.warning)

    __delitem__ = __iadd__ = __imul__ = __setitem__ = _refuse
    append = extend = insert = pop = remove = sort = reverse = _refuse


class Derived(dict[Any, Any]):
    """What functions and classes have made of a model's options, by those who made it; each is asked once."""

    def __init__(self, opts: Structure) -> None:
        self.opts = opts

    def __missing__(self, make: Callable[[Any], Any]) -> Any:
        return self.setdefault(make, make(self.opts))


class Structure:
    """What ``_meta`` knows about fields; :class:`~facade.meta.options.Options` adds the declared options.

    Everything derived is computed on first use and forgotten when fields or models are added.
    """

    FORWARD_PROPERTIES: ClassVar[frozenset[str]] = frozenset(
        {
            "_forward_fields_map",
            "_non_pk_concrete_field_names",
            "_property_names",
            "_reverse_one_to_one_field_names",
            "all_parents",
            "base_manager",
            "concrete_fields",
            "db_returning_fields",
            "default_manager",
            "derived",
            "fields",
            "initialise",
            "local_concrete_fields",
            "managers",
            "managers_map",
            "many_to_many",
            "pk_fields",
            "self_updating_fields",
            "plain_from_db",
            "plain_init",
            "swapped",
            "total_unique_constraints",
            "verbose_name_raw",
        }
    )
    REVERSE_PROPERTIES: ClassVar[frozenset[str]] = frozenset(
        {"_relation_tree", "fields_map", "referring", "related_objects"}
    )

    model: Any
    object_name: str
    abstract: bool
    proxy: bool
    apps: Any
    constraints: list[Any]
    concrete_model: Any

    def __init__(self) -> None:
        self.local_fields: list[Any] = []
        self.local_many_to_many: list[Any] = []
        self.private_fields: list[Any] = []
        #: The models this one inherits columns from, each with the one-to-one field that leads to it.
        self.parents: dict[Any, Any] = {}
        self.pk: Any = None
        self.auto_field: Any = None
        self._get_fields_cache: dict[tuple[Any, ...], FieldList] = {}

    # -- building ---------------------------------------------------------------------------------

    def add_field(self, field: Field[Any], private: bool = False) -> None:
        """Take in a field of this model; called by the field's ``contribute_to_class``."""
        if private:
            self.private_fields.append(field)
        elif field.is_relation and field.many_to_many:
            insort(self.local_many_to_many, field)
        else:
            insort(self.local_fields, field)
            self.setup_pk(field)
        target = getattr(field.remote_field, "model", None) if field.is_relation else None
        self._expire_cache(reverse=target is not None)
        target_options = getattr(target, "_meta", None)
        if target_options is not None:
            target_options._expire_cache(forward=False)
        self.apps.field_added(self.model)

    def setup_pk(self, field: Field[Any]) -> None:
        """Make ``field`` the primary key if it says so and there is none yet."""
        if not self.pk and field.primary_key:
            self.pk = field
            field.serialize = False

    def replace_pk(self, field: Field[Any]) -> None:
        """Make ``field`` the primary key; one that was added as the model declared none goes."""
        old, self.pk = self.pk, field
        if old in self.local_fields and old.auto_created and not old.is_relation:
            self.local_fields.remove(old)
            delattr(self.model, old.attname)
            self.auto_field = None
            self._expire_cache()
            self.apps.field_added(self.model)

    def _expire_cache(self, forward: bool = True, reverse: bool = True) -> None:
        """Forget what was derived from this model's fields, and from those of the other models."""
        cache = self.__dict__
        if forward:
            for name in self.FORWARD_PROPERTIES:
                cache.pop(name, None)
        if reverse and not self.abstract:
            for name in self.REVERSE_PROPERTIES:
                cache.pop(name, None)
        self._get_fields_cache = {}

    @cached_property
    def derived(self) -> Derived:
        """What other modules derive from the fields: `derived[make]` is `make(self)`. Forgotten whenever they change."""
        return Derived(self)

    # -- fields -----------------------------------------------------------------------------------

    def get_fields(self, include_parents: bool = True, include_hidden: bool = False) -> FieldList:
        """Return the fields and the relations that point here.

        ``include_parents=False`` leaves out what other tables hold; ``include_hidden=True`` adds the
        relations without an accessor.
        """
        parents: Any = PROXY_PARENTS if include_parents is False else include_parents
        return self._get_fields(include_parents=parents, include_hidden=include_hidden)

    def _get_fields(
        self,
        forward: bool = True,
        reverse: bool = True,
        include_parents: object = True,
        include_hidden: bool = False,
        topmost_call: bool = True,
    ) -> FieldList:
        if include_parents not in (True, False, PROXY_PARENTS):
            raise TypeError(f"Invalid argument for include_parents: {include_parents}")
        key = (forward, reverse, include_parents, include_hidden, topmost_call)
        found = self._get_fields_cache.get(key)
        if found is not None:
            return found
        fields: list[Any] = []
        if include_parents is not False:
            fields += self._inherited(forward, reverse, include_parents, include_hidden)
        if reverse and not self.proxy:
            relations = (field.remote_field for field in self._relation_tree)
            fields += [rel for rel in relations if include_hidden or not rel.hidden]
        if forward:
            fields += self.local_fields
            fields += self.local_many_to_many
            if topmost_call:  # each class has copies of its own of these
                fields += self.private_fields
        found = self._get_fields_cache[key] = FieldList("get_fields()", fields)
        return found

    def _inherited(
        self, forward: bool, reverse: bool, include_parents: object, include_hidden: bool
    ) -> list[Any]:
        fields: dict[Any, None] = {}
        for parent in self.parents:
            opts = parent._meta
            if include_parents is PROXY_PARENTS and opts.concrete_model != self.concrete_model:
                continue
            for field in opts._get_fields(forward, reverse, include_parents, include_hidden, False):
                if not getattr(field, "parent_link", False) or field.model == self.concrete_model:
                    fields[field] = None
        return list(fields)

    @cached_property
    def fields(self) -> FieldList:
        """The forward fields, those of the parents first, without many-to-many and generic ones."""
        return FieldList("fields", filter(_is_plain, self._get_fields(reverse=False)))

    @cached_property
    def concrete_fields(self) -> FieldList:
        """The fields that have a column, those of the parents first."""
        return FieldList("concrete_fields", (field for field in self.fields if field.concrete))

    @cached_property
    def local_concrete_fields(self) -> FieldList:
        """The fields that have a column in the model's own table."""
        return FieldList("local_concrete_fields", (field for field in self.local_fields if field.concrete))

    @cached_property
    def many_to_many(self) -> FieldList:
        """The many-to-many fields, those of the parents first."""
        fields = self._get_fields(reverse=False)
        return FieldList("many_to_many", (one for one in fields if one.is_relation and one.many_to_many))

    @cached_property
    def related_objects(self) -> FieldList:
        """The relations that point here."""
        fields = self._get_fields(forward=False, reverse=True, include_hidden=True)
        return FieldList("related_objects", (rel for rel in fields if not rel.hidden or rel.many_to_many))

    @cached_property
    def referring(self) -> FieldList:
        """The relations by which rows of other tables refer to the rows of this one."""
        fields = self.get_fields(include_hidden=True)
        return FieldList(
            "referring",
            (
                rel
                for rel in fields
                if rel.auto_created and not rel.concrete and (rel.one_to_one or rel.one_to_many)
            ),
        )

    @cached_property
    def _relation_tree(self) -> Any:
        """The fields of other models that point here, computed for all models of the registry at once."""
        graph = related_fields(self.apps)
        for model in self.apps.get_models(include_auto_created=True, include_swapped=True):
            model._meta.__dict__["_relation_tree"] = graph.get(model._meta.concrete_model, NO_RELATIONS)
        return self.__dict__.get("_relation_tree", NO_RELATIONS)

    @cached_property
    def _forward_fields_map(self) -> dict[str, Any]:
        return _by_name(self._get_fields(reverse=False))

    @cached_property
    def fields_map(self) -> dict[str, Any]:
        """The relations that point here, by the name they have in lookups."""
        return _by_name(self._get_fields(forward=False, include_hidden=True))

    def get_field(self, field_name: str) -> Any:
        """Return a field, or a relation that points here, by name; ``FieldDoesNotExist`` if there is none."""
        field = self._forward_fields_map.get(field_name)
        if field is not None:
            return field
        if not self.apps.models_ready:
            raise FieldDoesNotExist(
                f"{self.object_name} has no field named '{field_name}'. The app cache isn't ready yet, so if "
                "this is an auto-created related field, it won't be available yet."
            )
        field = self.fields_map.get(field_name)
        if field is None:
            raise FieldDoesNotExist(f"{self.object_name} has no field named '{field_name}'")
        return field

    @cached_property
    def pk_fields(self) -> list[Any]:
        """The fields that make up the primary key; none where the model reads a view or another table without one."""
        if self.is_composite_pk:
            return list(self.pk.fields)
        return [] if self.pk is None or not self.pk.concrete else [self.pk]

    @property
    def is_composite_pk(self) -> bool:
        """Whether the primary key has several columns."""
        return isinstance(self.pk, CompositePrimaryKey)

    @cached_property
    def total_unique_constraints(self) -> list[Any]:
        """The unique constraints on plain fields that hold for all rows."""
        return [one for one in self.constraints if isinstance(one, UniqueConstraint) and one.is_total]

    @cached_property
    def db_returning_fields(self) -> list[Any]:
        """The fields of the model's own table that the database fills in on insert."""
        fields = self._get_fields(reverse=False, include_parents=PROXY_PARENTS)
        return [field for field in fields if getattr(field, "db_returning", False)]

    @cached_property
    def self_updating_fields(self) -> list[Any]:
        """The fields of an existing table that every UPDATE of a row changes, be they named or not."""
        fields = self.concrete_model._meta.local_concrete_fields
        return [field for field in fields if field.made_on_update or field.on_update]

    @cached_property
    def _property_names(self) -> frozenset[str]:
        names: set[str] = set()
        seen: set[str] = set()
        for base in self.model.__mro__:
            names |= {
                name
                for name, value in base.__dict__.items()
                if isinstance(value, property) and name not in seen
            }
            seen |= set(base.__dict__)
        return frozenset(names)

    @cached_property
    def _non_pk_concrete_field_names(self) -> frozenset[str]:
        keys = {*self.pk_fields, *(key for parent in self.all_parents for key in parent._meta.pk_fields)}
        others = [field for field in self.concrete_fields if field not in keys]
        return frozenset(name for field in others for name in (field.name, field.attname))

    @cached_property
    def _reverse_one_to_one_field_names(self) -> frozenset[str]:
        return frozenset(rel.name for rel in self.related_objects if rel.one_to_one)

    # -- ancestors --------------------------------------------------------------------------------

    @cached_property
    def all_parents(self) -> tuple[Any, ...]:
        """All models that this one inherits columns from, the nearest first."""
        found = dict.fromkeys(self.parents)
        for parent in self.parents:
            found.update(dict.fromkeys(parent._meta.all_parents))
        return tuple(found)

    def get_parent_list(self) -> list[Any]:
        """Return :attr:`all_parents` as a list."""
        return list(self.all_parents)

    def get_base_chain(self, model: type[Instance]) -> list[Any]:
        """Return the ancestors that lead to ``model``, the nearest first; empty if it is no ancestor."""
        if model in self.parents:
            return [model]
        for parent in self.parents:
            chain: list[Any] = parent._meta.get_base_chain(model)
            if chain:
                return [parent, *chain]
        return []

    def get_ancestor_link(self, ancestor: type[Instance]) -> Any:
        """Return the field by which a join towards ``ancestor`` starts, or ``None``."""
        if ancestor in self.parents:
            return self.parents[ancestor]
        for parent in self.parents:
            link = parent._meta.get_ancestor_link(ancestor)
            if link:
                return self.parents[parent] or link
        return None

    def get_path_to_parent(self, parent: type[Instance]) -> tuple[Hop, ...]:
        """Return the joins from this model's table to that of an ancestor."""
        hops: list[Hop] = []
        opts: Structure = self
        if self.model is not parent:
            for step in self.get_base_chain(parent):
                if step is not self.concrete_model:
                    hops += opts.parents[step].hops
                opts = step._meta
        return tuple(hops)

    def get_path_from_parent(self, parent: type[Instance]) -> tuple[Hop, ...]:
        """Return the joins from an ancestor's table to this model's."""
        if self.model is parent:
            return ()
        concrete = self.concrete_model
        chain = [*reversed(concrete._meta.get_base_chain(parent)), concrete]
        hops: list[Hop] = []
        for ancestor, child in pairwise(chain):
            hops += child._meta.get_ancestor_link(ancestor).reverse_hops
        return tuple(hops)


def _is_plain(field: Field[Any]) -> bool:
    if not field.is_relation:
        return True
    generic = field.many_to_one and not getattr(field.remote_field, "model", None)
    return not (field.many_to_many or field.one_to_many or generic)


def _by_name(fields: FieldList) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields:
        found[field.name] = field
        attname = getattr(field, "attname", None)
        if attname is not None:
            found[attname] = field
    return found
