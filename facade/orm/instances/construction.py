"""How instances are made: an initialiser written for each model's fields, and the general one."""

from __future__ import annotations

from collections.abc import Callable
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

from facade.exceptions import FieldDoesNotExist
from facade.fields import NOT_PROVIDED, Field
from facade.fields.relations.foreign_keys import ForeignKeyAttribute
from facade.fields.relations.reverse import ForeignObjectRel
from facade.foundation.generated import FunctionText
from facade.orm.instances.state import ModelState
from facade.signals import post_init, pre_init

if TYPE_CHECKING:
    from facade.fields.contracts import Instance
    from facade.meta.options import Options


__all__ = ["DEFERRED", "construct", "has_plain_init", "initialiser"]

Initialiser = Callable[[Any, dict[str, Any]], None]

#: Methods that decide how an instance comes to be; a class that has its own is left to do so.
_BUILDERS = ("__init__", "__new__", "__setattr__")


class Deferred:
    """Stands for a value that is not loaded, among the positional arguments of a model."""

    def __repr__(self) -> str:
        return "<Deferred field>"

    __str__ = __repr__


DEFERRED = Deferred()


# -- what a class leaves to Model -------------------------------------------------------------------


def has_plain_init(model: type[Instance], base: type[Any], names: tuple[str, ...] = _BUILDERS) -> bool:
    """Return whether ``model`` has none of the methods ``names`` of its own and keeps values in ``__dict__``."""
    inherited = set(base.__mro__)
    added = [cls for cls in model.__mro__ if cls not in inherited]
    if any(name in vars(cls) for cls in added for name in names):
        return False
    return all(_is_stored_plainly(model, field) for field in model._meta.concrete_fields)


def _is_stored_plainly(model: type[Instance], field: Field[Any]) -> bool:
    """Whether setting the field's attribute just puts the value into ``__dict__``."""
    for cls in model.__mro__:
        attribute = vars(cls).get(field.attname)
        if attribute is not None:
            return isinstance(attribute, ForeignKeyAttribute) or not hasattr(type(attribute), "__set__")
    return True


# -- the initialiser of one model -------------------------------------------------------------------


class _Source(FunctionText):
    """The text of a function that takes all fields as keywords, and the objects it refers to."""

    def __init__(self, model: type[Instance], base: type[Any]) -> None:
        super().__init__(
            __State__=ModelState, __MISSING__=NOT_PROVIDED, __leftovers__=_set_leftovers, __Base__=base
        )
        self.model = model
        self.plain = bool(model._meta.plain_init)
        self.parameters: list[tuple[str, str]] = []
        self.defaults: dict[str, Any] = {}
        self.makers: dict[str, Callable[[], Any]] = {}
        self.relates = False

    def constant(self, value: object) -> str:
        name = f"__{len(self.names)}__"
        self.names[name] = value
        return name

    def store(self, attname: str, value: str, indent: str = "    ") -> None:
        target = f"__data__[{attname!r}]" if self.plain else f"__self__.{attname}"
        self.lines.append(f"{indent}{target} = {value}")

    def add(self, field: Field[Any]) -> None:
        if isinstance(field.remote_field, ForeignObjectRel) and field.name != field.attname:
            self._add_relation(field)
        else:
            self._add_value(field)

    def _add_value(self, field: Field[Any]) -> None:
        default, is_constant = self._note_default(field)
        name, value = self.constant(default), field.attname
        self.parameters.append((value, name if is_constant else "__MISSING__"))
        self.store(value, value if is_constant else f"{name}() if {value} is __MISSING__ else {value}")

    def _add_relation(self, field: Field[Any]) -> None:
        key, relation = field.attname, field.name
        self.relates = True
        self._note_default(field)
        self.parameters += [(relation, "__MISSING__"), (key, "__MISSING__")]
        self.lines.append(f"    if {relation} is __MISSING__:")
        default = self.constant(field.get_default)
        self.store(key, f"{default}() if {key} is __MISSING__ else {key}", "        ")
        self.lines += [
            "    else:",
            f"        __self__.{relation} = {relation}",
            f"        if {key} is not __MISSING__:",
            f"            __rest__[{key!r}] = {key}",
        ]

    def _note_default(self, field: Field[Any]) -> tuple[Any, bool]:
        default, is_constant = _default(field)
        self.defaults[field.attname] = default if is_constant else None
        if not is_constant:
            self.makers[field.attname] = default
        return default, is_constant

    def initialiser(self) -> Initialiser:
        by_name = self._by_name()
        return self._of_values(by_name) if self.plain else lambda instance, given: by_name(instance, **given)

    def _of_values(self, by_name: Callable[..., None]) -> Initialiser:
        """Return what takes the values of fields alone as they are given, and leaves everything else to `by_name`."""
        text = FunctionText(State=ModelState, by_name=by_name, defaults=self.defaults)
        text.lines = [
            "def initialise(instance, given):",
            "    data = instance.__dict__",
            "    state = data['_state'] = State()",
            "    data.update(defaults)",
            "    data.update(given)",
            # A name that is no field's has made it longer.
            f"    if len(data) != {len(self.defaults) + 1} or data['_state'] is not state:",
            "        data.clear()",
            "        return by_name(instance, **given)",
            "    state.adding, state.db = True, None",
        ]
        if self.relates:  # saving looks for objects there
            text.lines.append("    state.fields_cache = {}")
        for attname, maker in self.makers.items():
            text.lines += [
                f"    if {attname!r} not in given:",
                f"        data[{attname!r}] = {text.name('default', maker)}()",
            ]
        made: Initialiser = text.build(f"initialiser of {self.model.__name__}")
        return made

    def _by_name(self) -> Callable[..., None]:
        parameters = "".join(f"{name}={default}, " for name, default in self.parameters)
        head = [f"def initialise(__self__, /, {'*, ' if parameters else ''}{parameters}**__rest__):"]
        if self.plain:
            head += ["    __data__ = __self__.__dict__", "    __state__ = __data__['_state'] = __State__()"]
        else:
            head += ["    __state__ = __self__._state = __State__()"]
        head += ["    __state__.adding, __state__.db = True, None"]
        tail = ["    if __rest__:", "        __leftovers__(__self__, __rest__)"]
        if not self.plain:
            tail += ["    super(__Base__, __self__).__init__()"]
        self.lines = [*head, *self.lines, *tail]
        made: Callable[..., None] = self.build(f"initialiser of {self.model.__name__} by names")
        return made


def _default(field: Field[Any]) -> tuple[Any, bool]:
    """Return a field's default value and True, or a function that makes it and False."""
    own = not type(field).get_default.__module__.startswith("facade.fields.")
    made = field.has_default() and (
        callable(field.default) or type(field).get_default is not Field.get_default
    )
    if own or made or field.has_db_default():
        return field.get_default, False
    return field.get_default(), True


def initialiser(model: type[Instance], base: type[Any]) -> Initialiser:
    """Return a function that does what ``construct`` does for keyword arguments, written for this model.

    ``base`` is the class whose ``__init__`` calls it.
    """
    opts = model._meta
    if opts.abstract:
        raise TypeError("Abstract models cannot be instantiated.")
    source = _Source(model, base)
    for field in opts.fields:
        if _takes_value(field):
            source.add(field)
    names = [name for name, _ in source.parameters]
    if len(names) != len(set(names)) or not all(map(_can_be_parameter, names)):
        return lambda instance, given: construct(instance, base, (), given)
    return source.initialiser()


def _can_be_parameter(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and not name.startswith("__")


def _takes_value(field: Field[Any]) -> bool:
    return field.column is not None and not field.generated


# -- any arguments, and listeners ---------------------------------------------------------------------


def construct(instance: Instance, base: type[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Give a new instance its values, from positional and keyword arguments and the fields' defaults."""
    cls, opts = type(instance), instance._meta
    if opts.abstract:
        raise TypeError("Abstract models cannot be instantiated.")
    pre_init.send(sender=cls, args=args, kwargs=kwargs)
    instance._state = ModelState()
    if len(args) > len(opts.concrete_fields):
        raise IndexError("Number of args exceeds number of fields")
    fields = iter(opts.concrete_fields)
    # zip() asks the arguments first, so that no field is lost where they end.
    for value, field in zip(args, fields, strict=False):
        if value is DEFERRED:
            continue
        setattr(instance, field.attname, value)
        if kwargs.pop(field.name, NOT_PROVIDED) is not NOT_PROVIDED:
            raise TypeError(
                f"{cls.__qualname__}() got both positional and keyword arguments for field '{field.name}'."
            )
    for field in fields:
        if _takes_value(field):
            _set_field(instance, field, kwargs)
    if kwargs:
        _set_leftovers(instance, kwargs)
    super(base, instance).__init__()
    post_init.send(sender=cls, instance=instance)


def _set_field(instance: Instance, field: Field[Any], kwargs: dict[str, Any]) -> None:
    """Set a field from the keyword of its name, or of its key, or to its default."""
    if isinstance(field.remote_field, ForeignObjectRel) and field.name in kwargs:
        name, value = field.name, kwargs.pop(field.name)
    elif field.attname in kwargs:
        name, value = field.attname, kwargs.pop(field.attname)
    else:
        name, value = field.attname, field.get_default()
    if value is not DEFERRED:
        setattr(instance, name, value)


def _set_leftovers(instance: Instance, kwargs: dict[str, Any]) -> None:
    """Set properties and fields without a column; ``TypeError`` for names that are neither."""
    opts = instance._meta
    unexpected = []
    for name, value in kwargs.items():
        if name not in opts._property_names and not _is_field(opts, name):
            unexpected.append(repr(name))
        elif value is not DEFERRED:
            setattr(instance, name, value)
    if unexpected:
        raise TypeError(
            f"{type(instance).__name__}() got unexpected keyword arguments: {', '.join(unexpected)}"
        )


def _is_field(opts: Options, name: str) -> bool:
    try:
        opts.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
