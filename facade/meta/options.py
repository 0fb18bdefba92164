"""``Model._meta``: what a model's ``class Meta`` declares, and its managers."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from facade import configuration
from facade.exceptions import FieldDoesNotExist, ImproperlyConfigured, UnsupportedFeature
from facade.fields.kinds.auto import AutoField
from facade.fields.kinds.order import OrderWrt
from facade.foundation.seams import Seam
from facade.meta import registry
from facade.meta.naming import shortened
from facade.meta.structure import FieldList, Structure
from facade.signals import post_init, pre_init

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import MetaData, Table

    from facade.db.database import Database
    from facade.fields.contracts import Contributed, Instance
    from facade.meta.versions import Version

__all__ = ["Options", "normalize_together"]

#: What ``class Meta`` may declare.
DEFAULT_NAMES = (
    "verbose_name",
    "verbose_name_plural",
    "db_table",
    "db_table_comment",
    "ordering",
    "unique_together",
    "permissions",
    "get_latest_by",
    "order_with_respect_to",
    "app_label",
    "db_tablespace",
    "abstract",
    "managed",
    "proxy",
    "swappable",
    "auto_created",
    "apps",
    "default_permissions",
    "select_on_save",
    "default_related_name",
    "required_db_features",
    "required_db_vendor",
    "base_manager_name",
    "default_manager_name",
    "indexes",
    "constraints",
    "metadata",
    "table",
)
#: Where an option is kept whose name stands for what follows from it.
_ATTRIBUTES = {"table": "stands_on"}

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<!^)(?=[A-Z][a-z])")


def normalize_together(value: object) -> Any:
    """Return ``unique_together`` as a tuple of tuples; one flat tuple of names stands for itself alone.

    >>> normalize_together(("author", "title"))
    (('author', 'title'),)
    """
    if not value:
        return ()
    if not isinstance(value, (tuple, list)):
        return value
    if not isinstance(value[0], (tuple, list)):
        value = (value,)
    return tuple(tuple(one) if isinstance(one, (tuple, list)) else one for one in value)


class _Plural:
    """The plural of a name that is translated when it is shown."""

    def __init__(self, singular: object) -> None:
        self.singular = singular

    def __str__(self) -> str:
        return f"{self.singular}s"


def _plural(name: object) -> Any:
    return f"{name}s" if isinstance(name, str) else _Plural(name)


class Options(Structure):
    """A model's options, fields, relations and managers."""

    #: Set by the modules above, which know managers and tables.
    manager_class: ClassVar[Seam[[], Any]] = Seam(
        "what `objects` is", filled_by="facade.orm.instances.assembly"
    )
    build_table: ClassVar[Seam[[Any], Table]] = Seam(
        "how a model becomes a Table", filled_by="facade.sql.tables.definitions"
    )

    def __init__(self, meta: object, app_label: str | None = None) -> None:
        super().__init__()
        self.meta = meta
        self.app_label: Any = app_label
        self.local_managers: list[Any] = []
        self.object_name = ""
        self.model_name: Any = None
        self.original_attrs: dict[str, Any] = {}
        self.concrete_model: Any = None
        #: The model this one is a proxy of, which may itself be a proxy.
        self.proxy_for_model: Any = None
        self.related_fkey_lookups: list[Any] = []
        self._ordering_clash = False
        self._set_defaults()

    def _set_defaults(self) -> None:
        self.verbose_name: Any = None
        self.verbose_name_plural: Any = None
        self.db_table = ""
        self.db_table_comment = ""
        self.db_tablespace = configuration.settings.DEFAULT_TABLESPACE
        self._ordering: Any = []
        self.order_with_respect_to: Any = None
        self.get_latest_by: Any = None
        self.unique_together: Any = []
        self.indexes: list[Any] = []
        self.constraints: list[Any] = []
        self.permissions: list[Any] = []
        self.default_permissions = ("add", "change", "delete", "view")
        self.base_manager_name: str | None = None
        self.default_manager_name: str | None = None
        self.default_related_name: str | None = None
        self.select_on_save = False
        self.required_db_features: list[str] = []
        self.required_db_vendor: str | None = None
        self.abstract = False
        self.managed = True
        self.proxy = False
        self.swappable: str | None = None
        self.auto_created: Any = False
        self.apps: registry.Apps = registry.current()
        self.metadata: MetaData | None = None
        #: What ``Meta.table`` says: the table that is there already, a class mapped to it, or its name.
        self.stands_on: Any = None
        self.existing_table: Table | None = None
        #: The column of the existing table that tells one state of a row from the next.
        self.version: Version | None = None
        #: Why rows cannot be written; empty where they can.
        self.read_only = ""

    @property
    def ordering(self) -> Any:
        """The order of the model's objects where a query gives none."""
        return self._ordering

    @ordering.setter
    def ordering(self, ordering: Sequence[Any]) -> None:
        self._ordering = ordering
        if self.pk is not None:
            registry.on_change.tell()

    # -- names ------------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """``"app_label.ModelName"``."""
        return f"{self.app_label}.{self.object_name}"

    @property
    def label_lower(self) -> str:
        """``"app_label.modelname"``."""
        return f"{self.app_label}.{self.model_name}"

    @property
    def app_config(self) -> Any:
        """The installed application that the model belongs to, if any."""
        return self.apps.app_configs.get(self.app_label)

    @cached_property
    def verbose_name_raw(self) -> str:
        """The verbose name as a plain string."""
        return str(self.verbose_name)

    def __repr__(self) -> str:
        return f"<Options for {self.object_name}>"

    def __str__(self) -> str:
        return self.label_lower

    # -- reading class Meta -------------------------------------------------------------------------

    def contribute_to_class(self, cls: type[Instance], name: str) -> None:
        """Become ``cls._meta`` and read ``class Meta``; ``TypeError`` for options that do not exist."""
        cls._meta = self
        self.model = cls
        self.object_name = cls.__name__
        self.model_name = self.object_name.lower()
        self.verbose_name = _WORD_START.sub(" ", self.object_name).lower()
        if self.meta:
            self._read(self.meta)
        self.meta = None
        if self.verbose_name_plural is None:
            self.verbose_name_plural = _plural(self.verbose_name)
        if not self.db_table:
            self.db_table = shortened(f"{self.app_label}_{self.model_name}")

    def _read(self, meta: object) -> None:
        label = self.app_label
        unknown = {name for name in vars(meta) if not name.startswith("_")} - set(DEFAULT_NAMES)
        if unknown:
            raise TypeError(f"'class Meta' got invalid attribute(s): {','.join(sorted(unknown))}")
        for name in DEFAULT_NAMES:
            if hasattr(meta, name):
                value = getattr(meta, name)
                setattr(self, _ATTRIBUTES.get(name, name), value)
                self.original_attrs[name] = value
        self.app_label = self.app_label or label
        self.unique_together = normalize_together(self.unique_together)
        if "unique_together" in self.original_attrs:
            self.original_attrs["unique_together"] = self.unique_together
        self._ordering_clash = bool(self.ordering and self.order_with_respect_to)
        if not self.abstract:
            self.constraints = self._named(self.constraints)
            self.indexes = self._named(self.indexes)

    def _named(self, declared: Sequence[Any]) -> list[Any]:
        """Copies with the application's and the class's name put into their names."""
        names = {"app_label": self.app_label.lower(), "class": self.model_name}
        copies = [one.clone() for one in declared]
        for one in copies:
            one.name %= names
        return copies

    # -- finishing the class ------------------------------------------------------------------------

    def _prepare(self, model: Contributed) -> None:
        """Add what the model did not declare itself: the order column and the primary key."""
        self._prepare_order(model)
        if self.pk is not None or self.stands_on is not None:
            return
        if self.parents:
            inherited = next(iter(self.parents.values()))
            own = [field for field in self.local_fields if field.name == inherited.name]
            key = own[0] if own else inherited
            key.primary_key = True
            self.setup_pk(key)
        else:
            key = self._get_default_pk_class()(verbose_name="ID", primary_key=True, auto_created=True)
            model.add_to_class("id", key)

    def _prepare_order(self, model: Contributed) -> None:
        name = self.order_with_respect_to
        if not name:
            self.order_with_respect_to = None
            return
        for field in self._get_fields(reverse=False):
            if name in (field.name, getattr(field, "attname", None)):
                self.order_with_respect_to = field
                break
        else:
            raise FieldDoesNotExist(f"{self.object_name} has no field named '{name}'")
        self.ordering = ("_order",)
        if not any(isinstance(field, OrderWrt) for field in self.local_fields):
            model.add_to_class("_order", OrderWrt())

    def _get_default_pk_class(self) -> Any:
        source, path = "DEFAULT_AUTO_FIELD", configuration.settings.DEFAULT_AUTO_FIELD
        config = self.app_config
        if (
            config is not None
            and type(config).default_auto_field is not registry.AppConfig.default_auto_field
        ):
            source = f"{type(config).__module__}.{type(config).__qualname__}.default_auto_field"
            path = config.default_auto_field
        if not path:
            raise ImproperlyConfigured(f"{source} must not be empty.")
        try:
            module, _, name = path.rpartition(".")
            pk_class = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ImproperlyConfigured(
                f"{source} refers to the module '{path}' that could not be imported."
            ) from error
        if not issubclass(pk_class, AutoField):
            raise ValueError(f"Primary key '{path}' referred by {source} must subclass AutoField.")
        return pk_class

    def setup_proxy(self, target: type[Instance]) -> None:
        """Let this model stand for the table of ``target``."""
        self.pk = target._meta.pk
        self.proxy_for_model = target
        self.db_table = target._meta.db_table

    # -- the table ----------------------------------------------------------------------------------

    @property
    def table(self) -> Table:
        """The SQLAlchemy ``Table`` that holds the model's own columns."""
        return type(self).build_table(self.concrete_model)

    is_reflected = True
    """Whether the table is known: one that `Meta.table` names is looked up when it is needed."""

    def when_reflected(self, function: Callable[[], object]) -> None:
        """Call a function as soon as the table is known."""
        function()

    def check_writable(self) -> None:
        """Raise ``UnsupportedFeature`` where the model's rows can only be read, as those of a view."""
        reason = self.concrete_model._meta.read_only
        if reason:
            raise UnsupportedFeature(f"{self.label} can only be read: {reason}.")

    @cached_property
    def swapped(self) -> str | None:
        """The model that a setting puts in this one's place, as ``"app_label.ModelName"``, if any."""
        replacement = getattr(configuration.settings, self.swappable, None) if self.swappable else None
        if not replacement:
            return None
        label, dot, name = replacement.partition(".")
        if dot and f"{label}.{name.lower()}" == self.label_lower:
            return None
        return str(replacement)

    def can_migrate(self, connection: Database) -> bool:
        """Return whether the model has a table to create on this database."""
        if self.proxy or self.swapped or not self.managed:
            return False
        if self.required_db_vendor:
            return bool(self.required_db_vendor == connection.vendor)
        return all(getattr(connection.features, name, False) for name in self.required_db_features)

    # -- managers -----------------------------------------------------------------------------------

    def add_manager(self, manager: object) -> None:
        """Take in a manager of this model; called by its ``contribute_to_class``."""
        self.local_managers.append(manager)
        self._expire_cache()

    @cached_property
    def managers(self) -> FieldList:
        """The managers, inherited ones first, in order of declaration."""
        found: dict[str, tuple[int, int, Any]] = {}
        bases = [base for base in self.model.mro() if hasattr(base, "_meta")]
        for depth, base in enumerate(bases):
            for manager in base._meta.local_managers:
                if manager.name not in found:
                    bound = copy.copy(manager)
                    bound.model = self.model
                    found[manager.name] = (depth, manager.creation_counter, bound)
        ordered = sorted(found.values(), key=lambda entry: entry[:2])
        return FieldList("managers", (manager for _, _, manager in ordered))

    @cached_property
    def managers_map(self) -> dict[str, Any]:
        """The managers by name."""
        return {manager.name: manager for manager in self.managers}

    def _manager_named(self, name: str) -> Any:
        try:
            return self.managers_map[name]
        except KeyError:
            raise ValueError(f"{self.object_name} has no manager named {name!r}") from None

    def _parent_options(self) -> Any:
        for parent in self.model.mro()[1:]:
            if hasattr(parent, "_meta"):
                return parent._meta
        return None

    @cached_property
    def base_manager(self) -> Any:
        """The manager that relations and ``refresh_from_db`` use."""
        name = self.base_manager_name
        if not name:
            parent = self._parent_options()
            if parent is not None and parent.base_manager.name != "_base_manager":
                name = parent.base_manager.name
        if name:
            return self._manager_named(name)
        manager = type(self).manager_class()
        manager.name = "_base_manager"
        manager.model = self.model
        manager.auto_created = True
        return manager

    @cached_property
    def default_manager(self) -> Any:
        """The first manager, or that of ``Meta.default_manager_name``."""
        name = self.default_manager_name
        if not name and not self.local_managers:
            parent = self._parent_options()
            name = parent.default_manager_name if parent is not None else None
        if name:
            return self._manager_named(name)
        return self.managers[0] if self.managers else None

    # -- building instances -------------------------------------------------------------------------

    @property
    def fast_init(self) -> bool:
        """Whether instances may be made from rows past ``from_db`` and ``__init__``: nobody would notice."""
        return self.plain_from_db and not (
            pre_init.has_listeners(self.model) or post_init.has_listeners(self.model)
        )

    @cached_property
    def plain_init(self) -> bool:
        """Whether the class leaves ``__init__`` and attribute assignment to :class:`Model`."""
        return bool(self.model._has_plain_init())

    @cached_property
    def plain_from_db(self) -> bool:
        """Whether the class leaves all making of instances to :class:`Model`."""
        return self.plain_init and bool(self.model._has_plain_init(("from_db",)))

    @cached_property
    def initialise(self) -> Callable[..., None]:
        """The function that gives a new instance its values from keyword arguments."""
        return self.model._make_initialiser()  # type: ignore[no-any-return]


@configuration.on_change
def _forget_swaps(changed: frozenset[str]) -> None:
    for model in registry.apps.get_models(include_auto_created=True, include_swapped=True):
        model._meta.__dict__.pop("swapped", None)
