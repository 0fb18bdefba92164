"""How what a schema holds becomes rows: checked by the model, related by keys, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from facade.contrib.schemas.errors import InvalidData
from facade.contrib.schemas.storing import READ_ONLY, stored
from facade.contrib.schemas.values import needs_no_value
from facade.db.routing import router
from facade.db.scopes.atomic import atomic
from facade.exceptions import NON_FIELD_ERRORS, IntegrityError, ValidationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facade.contrib.schemas.slots import Slot
    from facade.orm.instances.model import Model

__all__ = ["created", "updated"]

M = TypeVar("M", bound="Model")
Errors = dict[str, list[ValidationError]]
Step = Callable[[], object]


class HasSlot(Protocol):
    """What a schema keeps of a slot: its own attribute for it."""

    @property
    def field(self) -> str: ...

    @property
    def slot(self) -> Slot: ...


class Written(Protocol):
    """A schema that holds values."""

    _model: ClassVar[type[Any] | None]

    @classmethod
    def _items(cls, model: type[Any]) -> Sequence[HasSlot]:
        """Return the slots."""

    @classmethod
    def _keys(cls) -> dict[str, str]:
        """Return what the slots are called outside."""

    def _given(self) -> dict[str, Any]:
        """Return the values that were given, by the names of the slots."""


def created(schema: Written, more: Mapping[str, Any]) -> Any:
    """Save a new instance of what a schema holds."""
    model, columns, many = _parts(schema, "create")
    instance = model(**{**_all_stored(schema, columns), **more})
    alias = router.db_for_write(model, instance=instance)

    def save() -> None:
        instance.save(using=alias, force_insert=True)

    known = instance._meta._forward_fields_map
    given = {slot.source.name for slot, _ in columns} | {known[name].name for name in more if name in known}
    lacking = {own.name for own in model._meta.fields if own.name not in given and needs_no_value(own)}
    _write(schema, instance, alias, save, many, lambda: _clean(instance, lacking))
    return instance


def updated(schema: Written, instance: M, more: Mapping[str, Any]) -> M:
    """Save what a schema holds in an instance that is there."""
    own = type(schema)._model
    if own is not None and not isinstance(instance, own):
        raise TypeError(f"{type(schema).__name__} updates a {own.__name__}, not {instance!r}.")
    model, columns, many = _parts(schema, "update")
    if instance._state.adding:
        raise ValueError(f"{instance!r} is not saved yet: create() makes a row.")
    alias = router.db_for_write(model, instance=instance)
    _check_keys(schema, instance, columns)
    before = {**instance.__dict__}
    cache = {**instance._state.fields_cache}
    touched: set[str] = set()

    def check() -> None:
        _clean(instance, {own.name for own in model._meta.fields if own.name not in touched})

    def save() -> None:
        names = [
            own.name
            for own in model._meta.concrete_fields
            if own.name in touched or (touched and own.sets_itself)
        ]
        if names:
            instance.save(using=alias, update_fields=names)

    try:
        touched |= _set_all(instance, columns, _all_stored(schema, columns), more)
        _write(schema, instance, alias, save, many, check)
    except BaseException:
        state = instance._state
        instance.__dict__.clear()
        instance.__dict__.update({**before, "_state": state})
        state.fields_cache = cache
        raise
    return instance


def _parts(schema: Written, verb: str) -> tuple[Any, list[tuple[Slot, Any]], list[tuple[Slot, Any]]]:
    """Return the model, and the given values of its columns and of its relations to many objects."""
    kind = type(schema)
    model = kind._model
    if model is None:
        raise TypeError(
            f"{kind.__name__} says no model, of which {verb}() could make rows: class {kind.__name__}(Schema, model=…)."
        )
    slots = {item.field: item.slot for item in kind._items(model)}
    given = [(slots[name], value) for name, value in schema._given().items() if name in slots]
    refused = [slot for slot, _ in given if not slot.is_written and not _is_own_key(slot)]
    if refused:
        raise _invalid(
            schema,
            {
                _name_of(slot): [ValidationError(_unwritable(kind, slot, verb), code="read_only")]
                for slot in refused
            },
        )
    columns = [(slot, value) for slot, value in given if slot.kind == "column"]
    return model, columns, [(slot, value) for slot, value in given if slot.kind == "keys"]


def _is_own_key(slot: Slot) -> bool:
    return slot.kind == "column" and bool(slot.source.primary_key)


def _unwritable(kind: type[Any], slot: Slot, verb: str) -> str:
    """Return why a slot cannot be written, and what to do where a schema shows more than it stores."""
    if slot.kind not in ("one", "many"):
        return READ_ONLY
    key = getattr(slot.source, "attname", None)
    instead = f"Take {key!r} in its place" if key else "Take the keys in their place (depth=0)"
    return (
        f"{kind.__name__}.{slot.name} holds related objects, which {verb}() does not save. {instead}, or leave it out by "
        f"exclude=[{slot.name!r}]."
    )


def _all_stored(schema: Written, columns: Iterable[tuple[Slot, Any]]) -> dict[str, Any]:
    """Return the values as the attributes take them, by their names; InvalidData for what a column cannot hold."""
    found: dict[str, Any] = {}
    errors: Errors = {}
    for slot, value in columns:
        try:
            found[slot.attribute] = stored(slot.source, value)
        except ValidationError as error:
            errors[_name_of(slot)] = [error]
    if errors:
        raise _invalid(schema, errors)
    return found


def _name_of(slot: Slot) -> str:
    return str(slot.source.name) if slot.kind == "column" else slot.name


def _set_all(
    instance: Model, columns: Iterable[tuple[Slot, Any]], values: Mapping[str, Any], more: Mapping[str, Any]
) -> set[str]:
    """Set the values on an instance; return the names of the fields that they belong to."""
    touched: set[str] = set()
    for slot, _ in columns:
        own = slot.source
        if own.primary_key:
            continue
        setattr(instance, slot.attribute, values[slot.attribute])
        touched.add(own.name)
    for name, value in more.items():
        own = instance._meta.get_field(name)
        setattr(instance, name, value)
        touched.add(own.name)
    return touched


def _check_keys(schema: Written, instance: Model, columns: Iterable[tuple[Slot, Any]]) -> None:
    """Refuse another key than the row has: that would be another row."""
    error = ValidationError("The key of a row does not change.", code="key")
    wrong = [
        slot
        for slot, value in columns
        if slot.source.primary_key and value != getattr(instance, slot.attribute)
    ]
    if wrong:
        raise _invalid(schema, {slot.source.name: [error] for slot in wrong})


# -- checks -----------------------------------------------------------------------------------------------------------


def _write(
    schema: Written, instance: Model, alias: str, save: Step, many: list[tuple[Slot, Any]], clean: Step
) -> None:
    """Check everything, then save the row and its relations; what the database refuses all the same is told alike."""
    errors: Errors = {}
    objects: list[tuple[Slot, list[Any]]] = []
    try:
        with atomic(using=alias):
            _collect(errors, clean)
            for slot, keys in many:
                _collect(errors, lambda: objects.append((slot, [*_found(slot, keys, alias)])))  # noqa: B023 - called at once
            if errors:
                raise _invalid(schema, errors)
            save()
            for slot, found in objects:
                getattr(instance, slot.attribute).set(found)
    except IntegrityError:
        # Another transaction was quicker: now its row can be seen.
        _collect(errors, instance.validate_unique)
        _collect(errors, instance.validate_constraints)
        if errors:
            raise _invalid(schema, errors) from None
        raise


def _collect(errors: Errors, check: Step) -> None:
    try:
        check()
    except ValidationError as error:
        error.update_error_dict(errors)


def _clean(instance: Model, left_out: set[str]) -> None:
    """Check the fields but for those `left_out`, the instance as a whole, and all that compares it with other rows.

    What was not given is the model's own, and None is a value where the column takes it, `blank` or not: as forms have it, whose
    fields say for themselves what they require.
    """
    errors: Errors = {}
    nulls = {
        own.name
        for own in instance._meta.fields
        if own.null and instance.__dict__.get(own.attname, own) is None
    }
    excluded = left_out | nulls
    _collect(
        errors,
        lambda: instance.full_clean(exclude=excluded, validate_unique=False, validate_constraints=False),
    )
    wrong = {name for name in errors if name != NON_FIELD_ERRORS}
    _collect(errors, lambda: instance.validate_unique(exclude=wrong))
    _collect(errors, lambda: instance.validate_constraints(exclude=wrong))
    if errors:
        raise ValidationError(errors)


def _found(slot: Slot, keys: Iterable[Any] | None, alias: str) -> Iterator[Any]:
    """Yield the objects with these keys, asked for at once; ValidationError for those that do not exist."""
    wanted = list(keys or ())
    rows = slot.related._default_manager.using(alias).in_bulk(list(dict.fromkeys(wanted))) if wanted else {}
    errors = []
    for place, key in enumerate(wanted):
        if key in rows:
            yield rows[key]
            continue
        error = ValidationError(
            "%(model)s instance with key %(value)r does not exist.",
            code="does_not_exist",
            params={"model": slot.related._meta.verbose_name, "value": key},
        )
        error.place = (place,)  # type: ignore[attr-defined]
        errors.append(error)
    if errors:
        raise ValidationError({slot.name: errors})


def _invalid(schema: Written, errors: Errors) -> InvalidData:
    """Return the error with what the fields are called outside: a foreign key by its key, if the schema has that."""
    kind = type(schema)
    outside = kind._keys()
    names = {}
    for item in () if kind._model is None else kind._items(kind._model):
        own = item.slot.source.name if item.slot.kind == "column" else item.slot.name
        names[own] = outside.get(item.field, item.field)
    return InvalidData({names.get(name, name): found for name, found in errors.items()})
