"""The base class of models: instances, their identity, and what they know about their fields."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from facade.bridge import twin
from facade.db.routing import router
from facade.db.settings.aliases import in_schemas
from facade.exceptions import FieldDoesNotExist, MultipleObjectsReturned, ObjectDoesNotExist, ObjectNotUpdated
from facade.expressions.q import Q
from facade.meta import registry
from facade.meta.model_checks import check_model
from facade.orm.instances.assembly import ModelBase
from facade.orm.instances.construction import DEFERRED, Initialiser, construct, has_plain_init, initialiser
from facade.orm.instances.persistence import Persistence
from facade.orm.instances.state import LOADED_FROM, UNSET, ModelState, StateAttribute, is_unset
from facade.orm.instances.validation import Validation
from facade.orm.querysets.manager import Manager
from facade.orm.querysets.prefetch import prefetch_related_objects
from facade.orm.querysets.prefetched import PREFETCHED, PrefetchedAttribute
from facade.orm.relations.descriptors import DeferredFetcher, fetch_missing
from facade.signals import post_init, pre_init
from facade.version import VERSION_KEY, __version__, warn_of_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from facade.checks import CheckMessage
    from facade.fields import Field
    from facade.fields.attributes import DeferredAttribute
    from facade.fields.contracts import Keyed
    from facade.meta.options import Options
    from facade.orm.querysets.manager import DefaultManager

__all__ = ["DEFERRED", "Model", "ModelBase", "model_unpickle"]

_PLAIN_LABELS = (type(None), int, float)


class Model(Persistence, Validation, metaclass=ModelBase):
    """Base of all models.

    The class attributes that are fields become the columns of a table; an instance is a row of it. Values
    are given as keyword arguments, or in the order of the columns; what is missing gets its default. ``class Meta`` has options.
    TypeError for names that are neither fields nor properties. Objects with equal primary keys are equal.
    See https://docs.djangoproject.com/en/6.1/ref/models/instances/

    >>> book = Book(title="Seas", author=Author.objects.get(name="Eve"))
    >>> book.save()
    >>> book == Book.objects.get(title="Seas"), book.pages
    (True, 100)
    """

    if TYPE_CHECKING:
        _meta: ClassVar[Options]
        _state: ModelState
        objects = DefaultManager()
        DoesNotExist: ClassVar[type[ObjectDoesNotExist]]
        MultipleObjectsReturned: ClassVar[type[MultipleObjectsReturned]]
        NotUpdated: ClassVar[type[ObjectNotUpdated]]
        pk: Any
        # A key of one's own is of another type: then this is Any.
        id = DeferredAttribute[int | Any](cast("Any", None))
    else:
        _state = StateAttribute()
        _prefetched_objects_cache = PrefetchedAttribute()

    _state_class: ClassVar[type[ModelState]] = ModelState

    def __init__(self, /, *args: Any, **kwargs: Any) -> None:
        if args or pre_init.receivers or post_init.receivers:
            construct(self, Model, args, kwargs)
        else:
            self._meta.initialise(self, kwargs)

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Sequence[Any], values: Sequence[Any], *, fetch_mode: object = None
    ) -> Self:
        """Make an instance of a row that was read from the database ``db``.

        ``field_names`` are the names of the fields that ``values`` belong to; fields not among them are deferred.
        """
        opts = cls._meta
        if opts.plain_init and not (pre_init.has_listeners(cls) or post_init.has_listeners(cls)):
            new = cls.__new__(cls)
            new.__dict__.update(zip(_attnames(opts, field_names, values), values, strict=True))
            new._state = ModelState()
        else:
            new = cls(*_positional(opts, field_names, values))
        state = new._state
        state.adding, state.db = False, db
        if fetch_mode is not None:
            state.fetch_mode = fetch_mode
        return new

    @classmethod
    def _has_plain_init(cls, *names: tuple[str, ...]) -> bool:
        return has_plain_init(cls, Model, *names)

    @classmethod
    def _lay_out(cls) -> None:
        """Show Python the keys that instances have, by a first one that has them all: it keeps room for them.

        Keys that come later are taken into a dict of the instance's own, several times as large.
        """
        first = object.__new__(cls).__dict__
        names = [field.attname for field in cls._meta.concrete_fields]
        for name in (LOADED_FROM, *names, "_state", PREFETCHED):  # update() would make a dict apart
            first[name] = None

    @classmethod
    def _make_initialiser(cls) -> Initialiser:
        return initialiser(cls, Model)

    @classmethod
    def check(cls, **kwargs: Any) -> list[CheckMessage]:
        """Return what is wrong with the model's declaration; ``databases`` adds what only concerns their tables."""
        return check_model(cls, **kwargs)

    # -- identity ---------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __str__(self) -> str:
        return f"{type(self).__name__} object ({self.pk})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model):
            return NotImplemented
        if self._meta.concrete_model != other._meta.concrete_model:
            return False
        key = self.pk
        if key is None or (type(key) is tuple and None in key):
            return self is other
        return bool(key == other.pk)

    def __hash__(self) -> int:
        if not self._is_pk_set():
            raise TypeError("Model instances without primary key value are unhashable")
        return hash(self.pk)

    def _get_pk_val(self, meta: Keyed | None = None) -> Any:
        return getattr(self, (meta or self._meta).pk.attname)

    def _set_pk_val(self, value: object) -> None:
        opts = self._meta
        for link in opts.parents.values():
            if link and link != opts.pk:
                setattr(self, link.target_field.attname, value)
        setattr(self, opts.pk.attname, value)

    if not TYPE_CHECKING:
        pk = property(
            _get_pk_val,
            _set_pk_val,
            doc="The value of the primary key, whatever it is called; a tuple of a composite key. It can be set.",
        )

    def _is_pk_set(self, meta: Keyed | None = None) -> bool:
        key = getattr(self, (meta or self._meta).pk.attname)
        if type(key) is tuple:
            return not any(map(is_unset, key))
        return not isinstance(key, UNSET)

    # -- copies -------------------------------------------------------------------------------------

    def __reduce__(self) -> Any:
        state = self.__getstate__()
        state[VERSION_KEY] = __version__
        return model_unpickle, (registry.model_reference(type(self)),), state

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled; override it to choose the attributes."""
        if PREFETCHED in self.__dict__:
            _ = self._prefetched_objects_cache  # whole querysets are pickled, none that waits
        instance_state = copy.copy(self._state)
        instance_state.fields_cache = dict(instance_state.fields_cache)
        state = dict(self.__dict__)
        state["_state"] = instance_state
        # A memoryview cannot be pickled; its bytes can.
        views = [(name, bytes(value)) for name, value in state.items() if isinstance(value, memoryview)]
        if views:
            state["_memoryview_attrs"] = views
            for name, _ in views:
                del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        warn_of_version(state.pop(VERSION_KEY, None), "model instance")
        for name, value in state.pop("_memoryview_attrs", ()):
            state[name] = memoryview(value)
        self.__dict__.update(state)

    # -- fields -------------------------------------------------------------------------------------

    def get_deferred_fields(self) -> set[str]:
        """Return the names of the fields that are not loaded.

        >>> Author.objects.only("name").get(name="Ada").get_deferred_fields()
        {'age'}
        """
        loaded = self.__dict__
        return {field.attname for field in self._meta.concrete_fields if field.attname not in loaded}

    def _fetch_deferred(self, field: Field[Any]) -> Any:
        """Load the value of a field that is not loaded, and return it."""
        data, attname = self.__dict__, field.attname
        value = self._inherited_value(field)
        if value is not None:
            data[attname] = value
        elif not self._is_pk_set():
            raise AttributeError(f"Cannot retrieve deferred field {attname!r} from an unsaved model.")
        else:
            fetch_missing(DeferredFetcher(field), self, field.name)
            if attname not in data:  # the row was deleted since its peers were loaded
                raise self.DoesNotExist(f"{self._meta.object_name} matching query does not exist.")
        return data[attname]

    def _inherited_value(self, field: Field[Any]) -> Any:
        """The value, if the field is that of a parent and the link to it is loaded."""
        link = self._meta.get_ancestor_link(field.model)
        if field.primary_key and link is not None and link is not field:
            return getattr(self, link.attname)
        return None

    def fetch(self, name: str) -> Any:
        """Load a relation or a deferred field now, whatever the fetch mode, and return it.

        A relation to many objects returns them as a list, and is prefetched from then on. With `FETCH_PEERS` a relation is loaded for all
        objects that came with this one, in one statement. AttributeError for a name that is neither.

        >>> Author.objects.get(name="Ben").fetch("books")
        [<Book: Trees>]
        """
        try:
            field = self._meta.get_field(name)
        except FieldDoesNotExist:
            field = None
        if getattr(field, "concrete", False) and field.attname not in self.__dict__:
            self.refresh_from_db(fields=[field.attname])
        if field is None or field.is_relation:
            prefetch_related_objects(self._peers() or [self], name)
        value = getattr(self, name)
        return list(value.all()) if isinstance(value, Manager) else value

    afetch = twin(fetch)

    def _peers(self) -> list[Self]:
        """Return what came with this object, and is alive, if its fetch mode is about all of them."""
        references = self._state.peers if self._state.fetch_mode.track_peers else ()
        return [peer for reference in references if (peer := reference()) is not None]

    def serializable_value(self, field_name: str) -> Any:
        """Return a field's value, of a foreign key its key; of a name that is no field, the attribute."""
        try:
            field = self._meta.get_field(field_name)
        except FieldDoesNotExist:
            return getattr(self, field_name)
        return getattr(self, field.attname)

    def prepare_database_save(self, field: Field[Any]) -> Any:
        """Return the value by which a column of ``field`` refers to this instance."""
        if self.pk is None:
            raise ValueError(f"Unsaved model instance {self!r} cannot be used in an ORM query.")
        return getattr(self, field.remote_field.get_related_field().attname)

    def _get_FIELD_display(self, field: Field[Any]) -> Any:  # noqa: N802
        value = getattr(self, field.attname)
        label = _label(field.flatchoices, value)
        return label if isinstance(label, _PLAIN_LABELS) else str(label)

    def _get_next_or_previous_by_FIELD(self, field: Field[Any], is_next: bool, **kwargs: Any) -> Any:  # noqa: N802
        if not self._is_pk_set():
            raise ValueError("get_next/get_previous cannot be used on unsaved objects.")
        op, order = ("gt", "") if is_next else ("lt", "-")
        value = getattr(self, field.attname)
        beyond = Q(**{f"{field.name}__{op}": value}) | Q(**{field.name: value, f"pk__{op}": self.pk})
        rows = type(self)._default_manager.using(router.home_of(self)).filter(beyond, **kwargs)
        found = rows.order_by(f"{order}{field.name}", f"{order}pk").first()
        if found is None:
            raise self.DoesNotExist(f"{self._meta.object_name} matching query does not exist.")
        return found

    def _get_next_or_previous_in_order(self, is_next: bool) -> Any:
        cache = f"__{is_next}_order_cache"
        if cache not in self.__dict__:
            manager, field = type(self)._default_manager, self._meta.order_with_respect_to
            if in_schemas(home := router.home_of(self)):
                manager = manager.db_manager(home)
            op, order = ("gt", "_order") if is_next else ("lt", "-_order")
            place = manager.filter(pk=self.pk).values("_order")
            siblings = manager.filter(**field.get_filter_kwargs_for_object(self))
            self.__dict__[cache] = siblings.filter(**{f"_order__{op}": place}).order_by(order)[:1].get()
        return self.__dict__[cache]


def _label(choices: Iterable[tuple[object, Any]], value: object) -> Any:
    for key, label in choices:
        if key == value:
            return label
    return value


def _attnames(opts: Options, field_names: Iterable[Any], values: Sequence[Any]) -> list[str]:
    """The names under which the values of a row belong into ``__dict__``."""
    attnames = [field.attname for field in opts.concrete_fields]
    if len(values) == len(attnames):
        return attnames
    return [name for name in attnames if name in field_names]


def _positional(opts: Options, field_names: Iterable[Any], values: Sequence[Any]) -> list[Any]:
    """The values of all fields in their order; those not among ``field_names`` are deferred."""
    if len(values) == len(opts.concrete_fields):
        return list(values)
    given = iter(values)
    return [next(given) if field.attname in field_names else DEFERRED for field in opts.concrete_fields]


def model_unpickle(model_id: type[Any] | tuple[str, str]) -> Any:
    """Make an empty instance of a model, given as class or as ``(app_label, name)``, for pickle to fill."""
    model: Any = registry.referenced_model(model_id)
    return model.__new__(model)
