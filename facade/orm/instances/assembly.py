"""How a model class is put together from its fields, its ``class Meta`` and its bases."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from sqlalchemy.util import ReadOnlyProperties

from facade import configuration
from facade.bridge import add_with_twin, check_twins
from facade.exceptions import (
    DatabaseError,
    FieldError,
    MultipleObjectsReturned,
    ObjectDoesNotExist,
    ObjectNotUpdated,
)
from facade.fields.relations.foreign_keys import OneToOneField, lazy_related_operation, resolve_relation
from facade.meta import registry
from facade.meta.options import Options
from facade.orm.existing.reflection import expect_table
from facade.orm.existing.relations import expect_relations
from facade.orm.existing.standing import refuse_children, stand
from facade.orm.instances.on_delete import CASCADE
from facade.orm.querysets.manager import Manager
from facade.orm.relations.ordering import make_foreign_order_accessors
from facade.signals import class_prepared
from facade.sql.tables.definitions import declare

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Column, Table

    from facade.fields import Field
    from facade.fields.contracts import Contributing
    from facade.fields.relations.foreign_objects import ForeignObject
    from facade.orm.instances.model import Model

M = TypeVar("M", bound="Model")

__all__ = ["ModelBase", "label_for"]


@Options.manager_class.fill
def _default_manager() -> Manager[Any]:
    return Manager()


#: The exceptions that each model has subclasses of, with what they are at the root.
_ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "DoesNotExist": (ObjectDoesNotExist,),
    "MultipleObjectsReturned": (MultipleObjectsReturned,),
    "NotUpdated": (ObjectNotUpdated, DatabaseError),
}


def label_for(module: str) -> str:
    """Return the application label of models in a module.

    It is the label of the installed application that the module belongs to; else the package that holds a
    ``models`` module or package, the package of any other module, or the name of a module without a package.

    >>> label_for("shop.orders.models"), label_for("shop.stock"), label_for("blog")
    ('orders', 'shop', 'blog')
    """
    for apps in (registry.apps, registry.current()):
        config = apps.get_containing_app_config(module)
        if config is not None:
            return config.label
    parts = module.split(".")
    if "models" in parts[1:]:
        return parts[len(parts) - parts[::-1].index("models") - 2]
    name = parts[-2] if len(parts) > 1 else parts[0]
    return name.strip("_") or name


def _has_contribute_to_class(value: object) -> TypeGuard[Contributing]:
    return not inspect.isclass(value) and hasattr(value, "contribute_to_class")


def _is_model(base: object) -> bool:
    return hasattr(base, "_meta")


class _Columns:
    """`Author.c`, which gives way to an attribute of the model."""

    def __get__(self, model: ModelBase | None, owner: object = None) -> Any:
        if model is None:
            return self
        opts = model._meta.concrete_model._meta
        return ReadOnlyProperties(
            {field.attname: opts.table.c[field.column] for field in opts.local_concrete_fields}
        )


class ModelBase(type):
    """The metaclass of models: reads the class body and registers the class."""

    _meta: Options

    if TYPE_CHECKING:

        @property
        def c(cls) -> ReadOnlyProperties[Column[Any]]:
            """The columns of the model's table, by the names of the attributes."""

    else:
        c = _Columns()

    def __new__(mcs, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> Any:
        parents = [base for base in bases if isinstance(base, ModelBase)]
        if not parents:
            return super().__new__(mcs, name, bases, attrs, **kwargs)
        declared_meta = attrs.pop("Meta", None)
        contributing = {key: value for key, value in attrs.items() if _has_contribute_to_class(value)}
        plain = {key: value for key, value in attrs.items() if key not in contributing}
        cls: Any = super().__new__(mcs, name, bases, plain, **kwargs)
        inherited_options = getattr(cls, "_meta", None)
        cls._add_options(declared_meta, inherited_options)
        cls._add_errors(parents)
        if not cls._meta.abstract:
            cls._meta.apps.make_way(cls._meta.app_label, cls)
        for key, value in contributing.items():
            cls.add_to_class(key, value)
        cls._set_concrete_model(parents)
        _Inheritance(cls, parents).run()
        opts = cls._meta
        opts.indexes = [copy.deepcopy(index) for index in opts.indexes]
        _check_twins(cls)
        refuse_children(opts)
        if opts.stands_on is not None and not opts.abstract:
            stand(cls)
        if opts.abstract:
            # What inherits this Meta is not abstract itself.
            declared_meta.abstract = False
            cls.Meta = declared_meta
            return cls
        cls._prepare()
        if isinstance(opts.stands_on, str):
            expect_table(cls)
        opts.apps.register_model(opts.app_label, cls)
        if opts.metadata is not None and not opts.proxy:
            declare(cls)
        if opts.stands_on is not None:
            expect_relations(opts.apps)
        return cls

    if not TYPE_CHECKING:  # a checker would take any name for an attribute

        def __getattr__(cls, name: str) -> Any:
            """Look again for an attribute that relations of existing tables may add, which are not made before they are needed."""
            opts = None if name.startswith("_") else cls.__dict__.get("_meta")
            concrete = None if opts is None else opts.concrete_model
            if concrete is not None and concrete._meta.stands_on is not None:
                if not concrete._meta.is_reflected:
                    concrete._meta.look_up()
                    opts.apps.settle()
                elif opts.apps.unsettled:
                    opts.apps.settle()
            return type.__getattribute__(cls, name)

    def add_to_class(cls, name: str, value: object) -> None:
        """Set an attribute; fields, managers and their like add themselves in their own way."""
        if _has_contribute_to_class(value):
            value.contribute_to_class(cls, name)
        else:
            setattr(cls, name, value)

    def _add_options(cls, declared: Iterable[Any], inherited: Options | None) -> None:
        meta = declared or getattr(cls, "Meta", None)
        label = getattr(meta, "app_label", None) or label_for(cls.__module__)
        opts = Options(meta, label)
        cls.add_to_class("_meta", opts)
        opts.abstract = bool(getattr(declared, "abstract", False))
        if inherited is not None and not inherited.abstract and not opts.abstract:
            for name in ("ordering", "get_latest_by"):
                if not hasattr(meta, name):
                    setattr(opts, name, getattr(inherited, name))
        if opts.proxy and inherited is not None and inherited.swapped:
            raise TypeError(f"{cls.__name__} cannot proxy the swapped model '{inherited.swapped}'.")

    def _add_errors(cls, parents: list[Any]) -> None:
        if cls._meta.abstract:
            return
        concrete = [parent for parent in parents if _is_model(parent) and not parent._meta.abstract]
        for name, roots in _ERRORS.items():
            bases = tuple(getattr(parent, name) for parent in concrete) or roots
            # The qualified name leads pickle to the class.
            space = {"__module__": cls.__module__, "__qualname__": f"{cls.__qualname__}.{name}"}
            setattr(cls, name, type(name, bases, space))

    def _set_concrete_model(cls, parents: list[Any]) -> None:
        opts = cls._meta
        opts.concrete_model = cls
        if opts.proxy:
            base = cls._proxied(parents)
            opts.setup_proxy(base)
            opts.concrete_model = base._meta.concrete_model

    def _proxied(cls, parents: list[Any]) -> Any:
        base: Any = None
        for parent in filter(_is_model, parents):
            opts = parent._meta
            if opts.abstract:
                if opts.fields:
                    raise TypeError(
                        "Abstract base class containing model fields not permitted for proxy model "
                        f"'{cls.__name__}'."
                    )
            elif base is None:
                base = parent
            elif opts.concrete_model is not base._meta.concrete_model:
                raise TypeError(
                    f"Proxy model '{cls.__name__}' has more than one non-abstract model base class."
                )
        if base is None:
            raise TypeError(f"Proxy model '{cls.__name__}' has no non-abstract model base class.")
        return base

    def _prepare(cls) -> None:
        """Finish the class once all its fields are known."""
        opts = cls._meta
        opts._prepare(cls)
        if opts.order_with_respect_to:
            cls._add_order_methods(opts.order_with_respect_to)
        if cls.__doc__ is None:
            cls.__doc__ = f"{cls.__name__}({', '.join(field.name for field in opts.fields)})"
        get_absolute_url = configuration.settings.ABSOLUTE_URL_OVERRIDES.get(opts.label_lower)
        if get_absolute_url:
            cls.get_absolute_url = get_absolute_url
        if not opts.managers:
            cls._add_default_manager()
        for index in opts.indexes:
            if not index.name:
                index.set_name_with_model(cls)
        class_prepared.send(sender=cls)

    def _add_order_methods(cls: Any, field: ForeignObject[Any]) -> None:
        def get_next(self: Model) -> Any:
            """Return the object after this one in the order of their common object."""
            return self._get_next_or_previous_in_order(is_next=True)

        def get_previous(self: Model) -> Any:
            """Return the object before this one in the order of their common object."""
            return self._get_next_or_previous_in_order(is_next=False)

        add_with_twin(cls, "get_next_in_order", get_next)
        add_with_twin(cls, "get_previous_in_order", get_previous)
        if field.remote_field:
            lazy_related_operation(make_foreign_order_accessors, cls, field.remote_field.model)

    def _add_default_manager(cls) -> None:
        if any(field.name == "objects" for field in cls._meta.fields):
            raise ValueError(
                f"Model {cls.__name__} must specify a custom Manager, because it has a field named 'objects'."
            )
        manager: Any = Manager()
        manager.auto_created = True
        cls.add_to_class("objects", manager)

    @property
    def _base_manager(cls: type[M]) -> Manager[M]:  # type: ignore[misc]
        return cls._meta.base_manager  # type: ignore[no-any-return]

    @property
    def _default_manager(cls: type[M]) -> Manager[M]:  # type: ignore[misc]
        return cls._meta.default_manager  # type: ignore[no-any-return]

    @property
    def __table__(cls) -> Table:
        """The model's SQLAlchemy ``Table``, always the same object as long as the model keeps its fields.

        Core and SQLAlchemy's ORM may use it: its columns have the fields' ``default``, ``auto_now`` and
        ``auto_now_add`` as defaults of their own, and name the field as ``column.info["facade.field"]``.
        """
        return cls._meta.table

    def __clause_element__(cls) -> Table:
        """Return the table: what `select(Author)` selects from."""
        if cls._meta.abstract:
            raise TypeError(f"{cls.__name__} is abstract and has no table.")
        return cls._meta.table


class _Inheritance:
    """Gives a new model the fields of its bases, and the links to those that have tables of their own."""

    def __init__(self, cls: Any, parents: list[Any]) -> None:
        self.cls, self.parents = cls, parents
        self.opts: Options = cls._meta
        opts = self.opts
        own = (*opts.local_fields, *opts.local_many_to_many, *opts.private_fields)
        self.field_names = {field.name for field in own}
        self.seen: set[str] = set()

    def run(self) -> None:
        links = self._parent_links()
        for base in self.cls.mro():
            if base not in self.parents or not _is_model(base):
                # What is set there, None above all, hides fields of bases further on.
                self.seen.update(vars(base))
            elif base._meta.abstract:
                self._copy_fields(base)
                self._copy_private(base)
            else:
                self._check_clashes(base)
                self._link(base._meta.concrete_model, links)
                self._copy_private(base)

    def _parent_links(self) -> dict[Any, Any]:
        """The one-to-one fields that were declared as links to parents, by the parent's key."""
        links = {}
        for base in reversed([self.cls, *self.parents]):
            if not _is_model(base) or (base is not self.cls and not base._meta.abstract):
                continue
            for field in base._meta.local_fields:
                if isinstance(field, OneToOneField) and field.remote_field.parent_link:
                    target = resolve_relation(self.cls, field.remote_field.model)
                    links[registry.model_key(target)] = field
        return links

    def _check_clashes(self, base: type[Model]) -> None:
        for field in (*base._meta.local_fields, *base._meta.local_many_to_many):
            self._refuse_clash(field, base)
            self.seen.add(field.name)

    def _refuse_clash(self, field: Field[Any], base: type[Model]) -> None:
        if field.name in self.field_names:
            raise FieldError(
                f"Local field {field.name!r} in class {self.cls.__name__!r} clashes with field of the same name from "
                f"base class {base.__name__!r}."
            )

    def _link(self, parent: type[Model], links: dict[Any, Any]) -> None:
        field = links.get(registry.model_key(parent))
        if field is None and not self.opts.proxy:
            field = self._new_link(parent)
        self.opts.parents[parent] = field

    def _new_link(self, parent: type[Model]) -> Any:
        name = f"{parent._meta.model_name}_ptr"
        if name in self.field_names:
            raise FieldError(
                f"Auto-generated field '{name}' in class {self.cls.__name__!r} for parent_link to base class "
                f"{parent.__name__!r} clashes with declared field of the same name."
            )
        field: Any = OneToOneField(parent, on_delete=CASCADE, name=name, auto_created=True, parent_link=True)
        if not hasattr(self.cls, name):
            self.cls.add_to_class(name, field)
        return field

    def _copy_fields(self, base: type[Model]) -> None:
        parents = dict(base._meta.parents)
        for field in (*base._meta.local_fields, *base._meta.local_many_to_many):
            if not self._is_free(field.name):
                continue
            new = copy.deepcopy(field)
            self.cls.add_to_class(field.name, new)
            if field.one_to_one:
                parents.update({parent: new for parent, link in parents.items() if link == field})
        self.opts.parents.update(parents)

    def _copy_private(self, base: type[Model]) -> None:
        for field in base._meta.private_fields:
            if not base._meta.abstract:
                self._refuse_clash(field, base)
            if self._is_free(field.name):
                new = copy.deepcopy(field)
                if not base._meta.abstract:
                    new.mti_inherited = True
                self.cls.add_to_class(field.name, new)

    def _is_free(self, name: str) -> bool:
        return name not in self.field_names and name not in vars(self.cls) and name not in self.seen


def _check_twins(cls: type[Model]) -> None:
    root = next(base for base in reversed(cls.__mro__) if isinstance(base, ModelBase))
    check_twins(cls, root)
