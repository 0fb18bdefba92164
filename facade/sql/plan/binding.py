"""Binding: from a queryset's arguments to the driver's parameters of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from facade.db.channels.channel import Params
from facade.foundation.generated import FunctionText
from facade.sql.core.parameters import parameter_names
from facade.sql.values import Fitting, plain_or

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

    from facade.sql.core.layout import Binds

Args = tuple[Any, ...]
Bind = Callable[[Args], Params]

LONG = 500
"""From this many parameters on, Python would take longer to compile a function than the database to read them."""


class Parameter(NamedTuple):
    """What a parameter of the driver is made of: an argument, or a value of the plan's, and functions one after the other."""

    name: str
    argument: int | None
    value: Any
    functions: tuple[Callable[[Any], Any], ...]


def binder(compiled: SQLCompiler, binds: Binds, of: str) -> Bind:
    """Return a function from a queryset's arguments to the driver's parameters: a generated one, unless they are many."""
    parameters = list(_parameters(compiled, binds))
    keys = None
    if not compiled.positional:
        escaped = compiled.escaped_bind_names
        keys = [escaped.get(parameter.name, parameter.name) for parameter in parameters]
    return _generated(parameters, keys, of) if len(parameters) < LONG else _looped(parameters, keys)


def _parameters(compiled: SQLCompiler, binds: Binds) -> Iterator[Parameter]:
    constants, processors = compiled.params, compiled._bind_processors
    for name in parameter_names(compiled):
        process: Any = processors.get(name)
        if name in binds.sources:
            index, convert = binds.sources[name]
            functions = tuple(function for function in (convert, process) if function is not None)
            yield Parameter(name, index, None, functions)  # without an argument the converter makes the value
        else:
            value = constants[name]
            yield Parameter(name, None, value if process is None else process(value), ())


def _generated(parameters: Sequence[Parameter], keys: Sequence[str] | None, of: str) -> Bind:
    source = FunctionText()
    items = [_text(parameter, source) for parameter in parameters]
    made = (
        f"({''.join(f'{item}, ' for item in items)})"
        if keys is None
        else f"{{{', '.join(f'{key!r}: {item}' for key, item in zip(keys, items, strict=True))}}}"
    )
    source.lines = ["def bind(a):", f"    return {made}"]
    bind: Bind = source.build(f"binder of {of}")
    return bind


def _text(parameter: Parameter, source: FunctionText) -> str:
    names = source.names
    if parameter.argument is not None:
        text = f"a[{parameter.argument}]"
    else:
        text = f"k_{parameter.name}"
        names[text] = parameter.value
    fitting, *others = parameter.functions or (None,)
    if isinstance(fitting, Fitting) and len(others) <= 1:
        return plain_or(source, text, fitting.plain, f"{source.name('fit', fitting.fit)}(v)", *others)
    for position, function in enumerate(parameter.functions):
        name = f"c{position}_{parameter.name}"
        names[name] = function
        text = f"{name}({text})"
    return text


def _looped(parameters: Sequence[Parameter], keys: Sequence[str] | None) -> Bind:
    def bind(args: Args) -> Params:
        made = list[Any]()
        for _, argument, value, functions in parameters:
            item = value if argument is None else args[argument]
            for function in functions:
                item = function(item)
            made.append(item)
        return tuple(made) if keys is None else dict(zip(keys, made, strict=True))

    return bind
