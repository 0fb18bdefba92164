"""The registry of models: applications, models by label, and functions that wait for a model."""

from __future__ import annotations

import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData

from facade import configuration
from facade.exceptions import ImproperlyConfigured
from facade.foundation.seams import Changes, Seam
from facade.meta.naming import NAMING_CONVENTION
from facade.signals import ModelSignal, post_init, pre_init

if TYPE_CHECKING:
    from sqlalchemy import Table

    from facade.fields.contracts import Instance


__all__ = ["AppConfig", "Apps", "apps", "current", "isolate_apps", "model_key", "on_change"]

ModelKey = tuple[str, str]
Operation = Callable[..., Any]

#: Calls ``callback()`` whenever what was derived from models may have become wrong: when a model or a field is added to any
#: registry, an option is changed after its model was made, and when somebody begins or ceases to listen to ``pre_init`` or
#: ``post_init``, which decides how instances are made.
on_change: Changes[[]] = Changes("models")


# (registry) -> None; removes the models from `unsettled`.
settle_relations: Seam[[Any], None] = Seam(
    "which relations the foreign keys of existing tables are", filled_by="facade.orm.existing.relations"
)


def model_key(model: type[Instance] | str) -> ModelKey:
    """Return ``(app_label, model_name)`` of a model class or of its name ``"app_label.ModelName"``.

    >>> model_key("library.Book")
    ('library', 'book')
    """
    if not isinstance(model, str):
        return model._meta.app_label, model._meta.model_name
    try:
        app_label, model_name = model.split(".")
    except ValueError:
        raise ValueError(
            f"Invalid model reference '{model}'. String model references must be of the form "
            "'app_label.ModelName'."
        ) from None
    return app_label, model_name.lower()


class AppConfig:
    """One application: a package with models, known by its label.

    A subclass may set ``name``, ``label``, ``verbose_name`` and ``default_auto_field``.
    """

    name: str = ""
    label: str = ""
    verbose_name: str = ""

    def __init__(self, name: str = "", apps: Apps | None = None) -> None:
        self.name = name or type(self).name
        self.label = type(self).label or self.name.rpartition(".")[2]
        self.verbose_name = type(self).verbose_name or self.label.title()
        self.apps = apps

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.label}>"

    @classmethod
    def create(cls, entry: str | AppConfig, apps: Apps) -> AppConfig:
        """Return the configuration that an item of ``INSTALLED_APPS`` stands for.

        An item is the dotted name of a package, or of an :class:`AppConfig` subclass.
        """
        if isinstance(entry, AppConfig):
            entry.apps = apps
            return entry
        module, _, last = entry.rpartition(".")
        if not module or not last[:1].isupper():
            return cls(entry, apps)
        config = getattr(import_module(module), last, None)
        if not (isinstance(config, type) and issubclass(config, AppConfig)):
            raise ImproperlyConfigured(f"'{entry}' isn't a subclass of AppConfig.")
        return config(apps=apps)

    @property
    def default_auto_field(self) -> str:
        """The dotted name of the class of automatic primary keys; a subclass may set its own."""
        return configuration.settings.DEFAULT_AUTO_FIELD

    @property
    def models(self) -> dict[str, Any]:
        """The application's models by their lower-case names."""
        return self._registry().all_models[self.label]

    @property
    def path(self) -> str:
        """The folder of the application's package; empty if it cannot be found."""
        try:
            spec = find_spec(self.name)
        except (ImportError, ValueError):
            spec = None
        folders = spec.submodule_search_locations if spec is not None else None
        return next(iter(folders), "") if folders else ""

    @property
    def module(self) -> Any:
        """The application's package, imported on first use."""
        return import_module(self.name)

    @property
    def models_module(self) -> Any:
        """The application's ``models`` module if it was imported, else ``None``."""
        return sys.modules.get(f"{self.name}.models")

    def get_model(self, model_name: str, require_ready: bool = True) -> Any:
        """Return the model of this name, whatever its case; ``LookupError`` if there is none."""
        return self._registry().get_registered_model(self.label, model_name)

    def get_models(self, include_auto_created: bool = False, include_swapped: bool = False) -> list[Any]:
        """Return this application's models; see :meth:`Apps.get_models`."""
        return [
            model
            for model in self.models.values()
            if _is_wanted(model, include_auto_created, include_swapped)
        ]

    def import_models(self) -> None:
        """Import the application's ``models`` module, if it has one."""
        name = f"{self.name}.models"
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in {name, self.name}:
                raise

    def _registry(self) -> Apps:
        return apps if self.apps is None else self.apps


def _is_wanted(model: type[Instance], include_auto_created: bool, include_swapped: bool) -> bool:
    opts = model._meta
    return (include_auto_created or not opts.auto_created) and (include_swapped or not opts.swapped)


class Apps:
    """A set of models that know each other.

    There is one for the program, ``facade.apps.apps``; more can be made for tests or with ``Meta.apps``.
    A model registers itself when its class is defined, whether or not its application is installed.
    """

    def __init__(self, installed_apps: Iterable[str | AppConfig] | None = ()) -> None:
        self.all_models: dict[str, dict[str, Any]] = defaultdict(dict)
        self.app_configs: dict[str, AppConfig] = {}
        self.ready = self.apps_ready = self.models_ready = True
        self.stored_app_configs: list[dict[str, AppConfig]] = []
        #: Tables of models without a ``Meta.metadata`` of their own.
        self.metadata = MetaData(naming_convention=NAMING_CONVENTION)
        #: The models that stand on tables which are there already, and those whose foreign keys are no relations yet.
        self.on_tables: dict[Table, Any] = {}
        self.unsettled: list[Any] = []
        self._is_settling = False
        #: The tables that models know by name, as the database describes them; and the models that take one over just now.
        self.reflected: dict[str, Table] = {}
        self._standing: set[Any] = set()
        self._pending_operations: dict[ModelKey, list[Operation]] = defaultdict(list)
        self._lock = threading.RLock()
        self.install(installed_apps or ())

    def install(self, installed: Iterable[str | AppConfig]) -> None:
        """Replace the installed applications; nothing is imported but named :class:`AppConfig` classes."""
        configs: dict[str, AppConfig] = {}
        for entry in installed:
            config = AppConfig.create(entry, self)
            if config.label in configs:
                raise ImproperlyConfigured(f"Application labels aren't unique, duplicates: {config.label}")
            configs[config.label] = config
        self.app_configs = configs
        self.clear_cache()

    def import_models(self) -> None:
        """Import the ``models`` module of each installed application, as ``"app.Model"`` references need."""
        for config in list(self.app_configs.values()):
            config.import_models()

    # -- applications -----------------------------------------------------------------------------

    def get_app_configs(self) -> Iterable[AppConfig]:
        """Return the installed applications."""
        return self.app_configs.values()

    def get_app_config(self, app_label: str) -> AppConfig:
        """Return an installed application; ``LookupError`` if no application has this label."""
        try:
            return self.app_configs[app_label]
        except KeyError:
            message = f"No installed app with label '{app_label}'."
        for config in self.app_configs.values():
            if config.name == app_label:
                message += f" Did you mean '{config.label}'?"
        raise LookupError(message)

    def is_installed(self, app_name: str) -> bool:
        """Return whether ``INSTALLED_APPS`` has this full name, such as ``"shop.orders"``."""
        return any(config.name == app_name for config in self.app_configs.values())

    def get_containing_app_config(self, object_name: str) -> AppConfig | None:
        """Return the innermost installed application that a dotted path lies in."""
        holders = [
            config for config in self.app_configs.values() if f"{object_name}.".startswith(f"{config.name}.")
        ]
        return max(holders, key=lambda config: len(config.name), default=None)

    def check_apps_ready(self) -> None:
        """Do nothing: applications are known as soon as they are configured."""

    def check_models_ready(self) -> None:
        """Do nothing: models are known as soon as they are defined."""

    # -- models -----------------------------------------------------------------------------------

    def get_models(self, include_auto_created: bool = False, include_swapped: bool = False) -> list[Any]:
        """Return the models, in order of definition.

        Models made for many-to-many relations, and those swapped for another one, only when asked for.
        """
        return [
            model for model in self._registered() if _is_wanted(model, include_auto_created, include_swapped)
        ]

    def get_model(self, app_label: str, model_name: str | None = None, require_ready: bool = True) -> Any:
        """Return a model by ``("library", "book")`` or ``"library.Book"``.

        ``LookupError`` if there is no such application or model.

        >>> apps.get_model("nowhere.Thing")
        Traceback (most recent call last):
        LookupError: No installed app with label 'nowhere'.
        """
        if model_name is None:
            app_label, model_name = app_label.split(".")
        models = self.all_models.get(app_label)
        if not models:
            self.get_app_config(app_label)
            models = {}
        try:
            return models[model_name.lower()]
        except KeyError:
            raise LookupError(f"App '{app_label}' doesn't have a '{model_name}' model.") from None

    def get_registered_model(self, app_label: str, model_name: str) -> Any:
        """Like :meth:`get_model`, without asking whether such an application exists."""
        try:
            return self.all_models[app_label][model_name.lower()]
        except KeyError:
            raise LookupError(f"Model '{app_label}.{model_name}' not registered.") from None

    def register_model(self, app_label: str, model: type[Instance]) -> None:
        """Add a model and run what was waiting for it."""
        with self._lock:
            self.all_models[app_label][model._meta.model_name] = model
            self.do_pending_operations(model)
            self._forget_relations()

    def make_way(self, app_label: str, model: type[Instance]) -> None:
        """Take out the model that this one, whose fields are yet to come, replaces: its relations to itself mean the new one."""
        name = model._meta.model_name
        with self._lock:
            known = self.all_models[app_label].get(name)
            if known is not None:
                self._check_redefinition(app_label, known, model)
                del self.all_models[app_label][name]

    def _check_redefinition(self, app_label: str, known: type[Instance], model: type[Instance]) -> None:
        name = model._meta.model_name
        if (known.__name__, known.__module__) != (model.__name__, model.__module__):
            raise RuntimeError(
                f"Conflicting '{name}' models in application '{app_label}': {known} and {model}."
            )
        warnings.warn(
            f"Model '{app_label}.{name}' was already registered. Reloading models is not advised as it can "
            "lead to inconsistencies, most notably with related models.",
            RuntimeWarning,
            stacklevel=4,
        )

    def get_swappable_settings_name(self, to_string: str) -> str | None:
        """Return the setting that may swap the model ``"app_label.ModelName"`` for another, if any."""
        wanted = to_string.lower()
        for model in self.get_models(include_swapped=True):
            opts = model._meta
            swapped = opts.swapped
            if (swapped and swapped.lower() == wanted) or (opts.swappable and opts.label_lower == wanted):
                return str(opts.swappable)
        return None

    def settle(self) -> None:
        """Make relations of the foreign keys of existing tables, before the fields of a model are looked at."""
        if self.unsettled:
            with self._lock:  # in which the fields that are being made are looked at, too
                if self.unsettled and not self._is_settling:
                    self._is_settling = True
                    try:
                        settle_relations(self)
                    finally:
                        self._is_settling = False

    @contextmanager
    def standing(self, models: Collection[type[Instance]]) -> Iterator[None]:
        """Let this thread alone look at the fields of models, which are being made of their tables."""
        with self._lock:
            self._standing.update(models)
            try:
                yield
            finally:
                self._standing.difference_update(models)

    def is_standing(self, model: type[Instance]) -> bool:
        """Return whether this thread makes the model's fields; waits for another that does."""
        with self._lock:
            return model in self._standing

    # -- waiting for models -------------------------------------------------------------------------

    def lazy_model_operation(self, function: Operation, *model_keys: ModelKey) -> None:
        """Call ``function`` with the models of these keys as soon as all of them are registered."""
        if not model_keys:
            function()
            return
        first, *rest = model_keys

        def with_model(model: type[Instance]) -> None:
            self.lazy_model_operation(partial(with_model.func, model), *rest)  # type: ignore[attr-defined]

        with_model.func = function  # type: ignore[attr-defined]
        with self._lock:
            model = self.all_models[first[0]].get(first[1])
            if model is None:
                self._pending_operations[first].append(with_model)
        if model is not None:
            with_model(model)

    def do_pending_operations(self, model: type[Instance]) -> None:
        """Run what was waiting for this model."""
        key = (model._meta.app_label, model._meta.model_name)
        for function in self._pending_operations.pop(key, []):
            function(model)

    def pending_models(self) -> list[str]:
        """Return the labels of models that others refer to and that are not defined yet."""
        return [".".join(key) for key, functions in self._pending_operations.items() if functions]

    def clear_cache(self) -> None:
        """Forget what was derived from the set of models, here and at those who asked to be told."""
        for model in self._registered():
            model._meta._expire_cache()
        on_change.tell()

    def field_added(self, model: type[Instance]) -> None:
        """Tell those who watch that a model has a new field, unless its class is still being made."""
        if self._is_settling:  # which forgets everything at its end
            return
        if self.all_models[model._meta.app_label].get(model._meta.model_name) is model:
            self._forget_relations()

    def _forget_relations(self) -> None:
        for model in self._registered():
            model._meta._expire_cache(forward=False)
        on_change.tell()

    def _registered(self) -> list[Any]:
        return [model for models in list(self.all_models.values()) for model in list(models.values())]

    # -- for test suites ------------------------------------------------------------------------------

    def set_available_apps(self, available: Iterable[str]) -> None:
        """Restrict the installed applications to some of them, until :meth:`unset_available_apps`."""
        names = set(available)
        unknown = names - {config.name for config in self.app_configs.values()}
        if unknown:
            raise ValueError(
                f"Available apps isn't a subset of installed apps, extra apps: {', '.join(unknown)}"
            )
        self.stored_app_configs.append(self.app_configs)
        self.app_configs = {
            label: config for label, config in self.app_configs.items() if config.name in names
        }
        self.clear_cache()

    def unset_available_apps(self) -> None:
        """Undo :meth:`set_available_apps`."""
        self.app_configs = self.stored_app_configs.pop()
        self.clear_cache()

    def set_installed_apps(self, installed: Iterable[str | AppConfig]) -> None:
        """Install other applications, until :meth:`unset_installed_apps`."""
        self.stored_app_configs.append(self.app_configs)
        self.install(installed)

    def unset_installed_apps(self) -> None:
        """Undo :meth:`set_installed_apps`."""
        self.unset_available_apps()


apps = Apps()
"""The registry of the program: every model that has no `Meta.apps` of its own."""

_stack: list[Apps] = [apps]


def current() -> Apps:
    """Return the registry that new models join: ``apps``, or that of :func:`isolate_apps`."""
    return _stack[-1]


@contextmanager
def isolate_apps(*labels: str) -> Iterator[Apps]:
    """Let the models defined in the block join a registry of their own, which is handed out.

    ``labels`` are the names of its installed applications.
    """
    isolated = Apps(labels)
    _stack.append(isolated)
    try:
        yield isolated
    finally:
        _stack.remove(isolated)


def _when_defined(function: Operation, label: str, registry: Apps | None = None) -> None:
    (current() if registry is None else registry).lazy_model_operation(function, model_key(label))


ModelSignal.when_defined.fill(_when_defined)
pre_init.on_change(on_change.tell)
post_init.on_change(on_change.tell)


@configuration.on_change
def _install(changed: frozenset[str]) -> None:
    if "INSTALLED_APPS" in changed:
        apps.install(configuration.settings.INSTALLED_APPS)


ModelReference = tuple[str, str] | type[Any]


def model_reference(model: type[Any]) -> ModelReference:
    """Return what leads back to a model in another process: its label where it is registered, else the class."""
    opts = model._meta
    registered = apps.all_models[opts.app_label].get(opts.model_name) is model
    return (opts.app_label, opts.object_name) if registered else model


def referenced_model(reference: ModelReference) -> type[Any]:
    """Return the model that :func:`model_reference` spoke of."""
    return apps.get_model(*reference) if isinstance(reference, tuple) else reference
