"""The driver's parameters of a compiled statement: by position, or by name where one stands in several places.

PostgreSQL takes two expressions for the same one only if their parameters have the same numbers. Its drivers number them: of some
each `%s` is a parameter of its own, and each name one however often it is written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from facade.drivers import driver_of
from facade.sql.core.constants import same_type, same_value
from facade.sql.core.defaults import knowing_values
from facade.sql.query.depth import refusing_depth

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.elements import BindParameter, ClauseElement

    from facade.db.channels.channel import Params

Pairs = tuple[tuple[str, str], ...]


def compile_core(statement: ClauseElement, **options: Any) -> Any:
    """Compile a statement of facade's own; refuse one that is nested too deeply."""
    with refusing_depth("A statement"), knowing_values():
        return statement.compile(**options)


def compile_given(statement: ClauseElement, dialect: Dialect) -> Any:
    """Compile a statement that users made, with its columns' defaults; refuse one that is nested too deeply."""
    with refusing_depth("A statement"):
        return statement.compile(dialect=dialect)


def compile_statement(statement: ClauseElement, dialect: Dialect, **options: bool) -> Any:
    """Compile a Core statement in the dialect's own way with parameters, by name if that makes fewer of them."""
    compiled = compile_core(statement, dialect=dialect, compile_kwargs=options)
    names = compiled.positiontup or ()
    if not driver_of(dialect).numbers_names or len(set(names)) == len(names):
        return compiled
    return compile_core(statement, dialect=by_name(dialect), compile_kwargs=options)


def parameter_names(compiled: SQLCompiler) -> list[str]:
    """Return the names of a compiled statement's parameters: in their order, or once each where it has them by name."""
    return list(
        (compiled.positiontup or ()) if compiled.positional else dict.fromkeys(compiled.bind_names.values())
    )


def written_out(
    compiled: SQLCompiler, constants: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[str, Params]:
    """Return a compiled statement's SQL with the items of its lists as parameters, and the driver's parameters."""
    state = compiled.construct_expanded_state(dict(values))
    known = {**constants, **state.parameters}
    processors: dict[str, Any] = {**compiled._bind_processors, **state.processors}

    def processed(name: str) -> Any:
        process = processors.get(name)
        return known[name] if process is None else process(known[name])

    if compiled.positional:
        return state.statement, tuple(map(processed, state.positiontup or ()))
    lists = {parameter.key for parameter in compiled.post_compile_params}
    escaped = compiled.escaped_bind_names
    return state.statement, {escaped.get(name, name): processed(name) for name in known if name not in lists}


def by_name(dialect: Dialect) -> Any:
    """Return the dialect with parameters by name."""
    named = copy.copy(dialect)
    named.paramstyle, named.positional = "pyformat", False
    named.identifier_preparer = named.preparer(named)
    return named


def comparable_parameters(compiled: SQLCompiler) -> list[list[str]]:
    """Return the names of a compiled statement's parameters that may turn out to be equal: those of each type."""
    alike: dict[object, list[str]] = {}
    for name in parameter_names(compiled):
        alike.setdefault(same_type(compiled.binds[name].type), []).append(name)
    return [names for names in alike.values() if len(names) > 1]


def equal_pairs(alike: Iterable[Iterable[str]], values: Mapping[str, Any]) -> Pairs:
    """Return the name of each parameter whose value an earlier one of its type has as well, with the name of that one."""
    return tuple(_pairs(alike, values))


def _pairs(alike: Iterable[Iterable[str]], values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for names in alike:
        known: dict[object, str] = {}
        for name in names:
            if (first := known.setdefault(same_value(values[name]), name)) != name:
                yield name, first


def values_by_name(compiled: SQLCompiler, params: Params) -> Mapping[str, Any]:
    """Return the driver's parameters by the names that the statement's own are called."""
    names = parameter_names(compiled)
    if isinstance(params, dict):
        return {name: params[compiled.escaped_bind_names.get(name, name)] for name in names}
    return dict(zip(names, params, strict=True))


def equating(dialect: Dialect, compiled: SQLCompiler, pairs: Pairs) -> Any:
    """Return the dialect that, of each pair of a statement's parameters, writes the second for the first."""
    same: dict[BindParameter[Any], Any] = {compiled.binds[one]: compiled.binds[other] for one, other in pairs}
    compiler: Any = dialect.statement_compiler

    class Equating(compiler):  # type: ignore[misc]
        def visit_bindparam(self, bindparam: BindParameter[Any], **options: Any) -> Any:
            return super().visit_bindparam(same.get(bindparam, bindparam), **options)

    changed = copy.copy(dialect)
    changed.statement_compiler = Equating
    changed.identifier_preparer = changed.preparer(changed)
    return changed
