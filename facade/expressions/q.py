"""Conditions: `Q(age__gte=18) | ~Q(name="x")`."""

from __future__ import annotations

import copy as copying
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

from facade.bridge import twin
from facade.exceptions import NestedTooDeeply
from facade.expressions.base import Value, as_condition, in_core
from facade.expressions.freezing import Arg, Empty, Frozen, OutOfRange, Values, freeze, hashable
from facade.expressions.identity import laid_out, put_together
from facade.expressions.tree import rewritten, unchanged
from facade.fields.declarations import LOOKUP_SEP
from facade.foundation.seams import Seam

if TYPE_CHECKING:
    from collections.abc import Callable

    from facade.expressions.contracts import Query
    from facade.expressions.tree import Change

AND, OR, XOR = "AND", "OR", "XOR"
CONNECTORS = (AND, OR, XOR)
MAX_DEPTH = 60  # each level is several calls deep when the SQL is made


# (condition, values or expressions by name, alias of the database) -> whether the condition holds, None for unknown.
condition_holds: Seam[[Any, dict[str, Any], str], bool | None] = Seam(
    "how a Q is checked", filled_by="facade.sql.plan.condition_check"
)


def refuse_q_options(names: Iterable[str]) -> None:
    """Raise TypeError for keywords that are options of Q: a dict from outside must not turn conditions round."""
    if invalid := {"_connector", "_negated"}.intersection(names):
        raise TypeError(f"The following kwargs are invalid: {', '.join(sorted(map(repr, invalid)))}")


def _refuse_options_of_outside(connector: str | None, negated: object) -> None:
    """Raise TypeError for options beside lookups which a program need not write: they come from a dict like a body of JSON.

    A text that was read somewhere equals a connector, and is another object than the constant.
    """
    if negated:
        raise TypeError("_negated cannot stand beside lookups by name: write ~Q(...).")
    if connector is not None and not any(connector is known for known in CONNECTORS):
        raise TypeError(
            f"_connector beside lookups by name is one of Q.AND, Q.OR and Q.XOR, not a text {connector!r}."
        )


class Branches:
    """What a Q and its frozen form have in common: children, which are of their kind, `(lookup, value)` pairs or expressions."""

    __slots__ = ()

    children: Any

    def with_children(self, children: Iterable[Any]) -> Self:
        """Return the same condition of other children."""
        raise NotImplementedError

    def _sources(self) -> Iterator[Any]:
        return (child[1] if isinstance(child, tuple) else child for child in self.children)

    def with_parts(self, change: Change) -> Self:
        """Return a copy whose children, and the values of its pairs, went through `change`."""
        return self.with_children(
            (child[0], change(child[1])) if isinstance(child, tuple) else change(child)
            for child in self.children
        )

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names in its pairs."""
        return tuple([child[0] for child in self.children if isinstance(child, tuple)])

    def renamed(self, change: Callable[[str], str]) -> Self:
        """Return the condition with other names in its pairs."""
        return self.with_children(
            (change(child[0]), child[1]) if isinstance(child, tuple) else child for child in self.children
        )


class Condition(Branches):
    """A frozen Q: hashable, its constants numbered."""

    __slots__ = ("children", "connector", "key", "negated")

    def __init__(self, connector: str, negated: bool, children: tuple[Any, ...]) -> None:
        self.connector, self.negated, self.children = connector, negated, children
        self.key = (connector, negated, children)

    def __eq__(self, other: object) -> bool:
        return type(other) is Condition and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def with_children(self, children: Iterable[Any]) -> Self:
        return type(self)(self.connector, self.negated, tuple(children))

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
        for_save: bool = False,
    ) -> Any:
        assert query is not None
        return query.resolve_condition(self, allow_joins=allow_joins, reuse=reuse, summarize=summarize)


class Q(Branches, Frozen):
    """A condition, to be combined with `&`, `|`, `^` and `~`.

    Keywords are field lookups; positional arguments are other conditions.
    See https://docs.djangoproject.com/en/6.1/ref/models/querysets/#q-objects

    >>> Q(age__gte=18) | Q(guardian__isnull=False)
    <Q: (OR: ('age__gte', 18), ('guardian__isnull', False))>
    """

    AND, OR, XOR = AND, OR, XOR
    default = AND
    conditional = True
    allowed_default = False

    def __init__(
        self, *args: Any, _connector: str | None = None, _negated: bool = False, **kwargs: Any
    ) -> None:
        if _connector not in (None, *CONNECTORS):
            raise ValueError(f"_connector must be one of {', '.join(map(repr, CONNECTORS))}, or None.")
        if kwargs and (_connector is not None or _negated):
            _refuse_options_of_outside(_connector, _negated)
        self.children: list[Any] = [*args, *sorted(kwargs.items())]
        self.connector = _connector or AND
        self.negated = _negated

    @classmethod
    def create(
        cls, children: Iterable[Any] | None = None, connector: str | None = None, negated: bool = False
    ) -> Q:
        """Return a Q of these children as they are."""
        obj = cls(_connector=connector, _negated=negated)
        obj.children = list(children or ())
        return obj

    def __str__(self) -> str:
        texts: list[str] = []
        todo: list[Any] = [self]
        while todo:
            item = todo.pop()
            if not isinstance(item, Q):
                texts.append(str(item))
                continue
            texts.append(f"(NOT ({item.connector}: " if item.negated else f"({item.connector}: ")
            todo.append(_Text("))" if item.negated else ")"))
            for child in reversed(item.children):
                todo += [child, _Text(", ")]
            if item.children:
                todo.pop()
        return "".join(texts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"

    def __len__(self) -> int:
        return len(self.children)

    def __bool__(self) -> bool:
        return bool(self.children)

    def __contains__(self, other: object) -> bool:
        return other in self.children

    @property
    def identity(self) -> Any:
        parts: list[Any] = []
        for kind, value, count in laid_out(self, Q):
            parts += (
                [hashable(value)] if kind is None else [kind, value["connector"], value["negated"], count]
            )
        return tuple(parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Q):
            return NotImplemented
        return bool(self.identity == other.identity)

    def __hash__(self) -> int:
        return hash(self.identity)

    def copy(self) -> Q:
        return copying.copy(self)

    def __copy__(self) -> Self:
        clone = object.__new__(type(self))
        clone.__dict__.update(self.__dict__)
        return clone

    def __reduce__(self) -> tuple[Any, ...]:
        return put_together, ([*laid_out(self, Q)],)

    def with_children(self, children: Iterable[Any]) -> Self:
        clone = self.__copy__()
        clone.children = list(children)
        return clone

    def _opened(self) -> tuple[dict[str, Any], Sequence[Any]]:
        return {name: value for name, value in self.__dict__.items() if name != "children"}, self.children

    def _close(self, branches: list[Any]) -> None:
        self.children = branches

    # -- combining -------------------------------------------------------------------

    def add(self, data: object, conn_type: str) -> Any:
        """Join `data` to this condition in place; trees of one connector stay flat."""
        if self.connector != conn_type:
            self.children = [self.create(self.children, self.connector, self.negated), data]
            self.connector, self.negated = conn_type, False
            return data
        if isinstance(data, Q) and not data.negated and (data.connector == conn_type or len(data) == 1):
            self.children.extend(data.children)
            return self
        self.children.append(data)
        return data

    def _combine(self, other: Any, connector: str) -> Q:
        if getattr(other, "conditional", False) is False:
            raise TypeError(other)
        if not self:
            return other.copy()  # type: ignore[no-any-return]
        if isinstance(other, Q) and not other:
            return self.copy()
        combined = self.create(connector=connector)
        combined.add(self, connector)
        combined.add(other, connector)
        return combined

    def __and__(self, other: object) -> Q:
        return self._combine(other, AND)

    def __or__(self, other: object) -> Q:
        return self._combine(other, OR)

    def __xor__(self, other: object) -> Q:
        return self._combine(other, XOR)

    def __invert__(self) -> Q:
        inverted = self.with_children(self.children)
        inverted.negate()
        return inverted

    def negate(self) -> None:
        self.negated = not self.negated

    # -- the three stages --------------------------------------------------------------

    def freeze(self, values: Values) -> Condition:
        return freeze_condition(self, values)

    resolve_expression = Condition.resolve_expression

    def check(self, against: dict[str, Any], using: str = "default") -> bool:
        """Ask a database whether the condition holds when its names stand for the values, or expressions, of `against`.

        A condition that the database refuses to evaluate holds; a warning is logged.
        """
        return condition_holds(self, against, using) is True

    acheck = twin(check)

    def resolve(self, model: type[Any], using: object = None) -> Any:
        """Return the condition for a statement of SQLAlchemy Core on the table of `model`, as `F.resolve()` does."""
        return in_core(self, model, using)

    def flatten(self) -> Iterator[Any]:
        """Walk this condition and all below it, values and expressions included."""
        todo: list[Any] = [self]
        while todo:
            item = todo.pop()
            if isinstance(item, Q):
                yield item
                todo += [child[1] if isinstance(child, tuple) else child for child in reversed(item.children)]
            else:
                yield from item.flatten() if hasattr(item, "flatten") else (item,)

    def replace_expressions(self, replacements: dict[Any, Any]) -> Q:
        replaced = [
            child.replace_expressions(replacements) if hasattr(child, "replace_expressions") else child
            for child in self.children
        ]
        return self.create(replaced, self.connector, self.negated)

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        """Return (path, args, kwargs) from which an equal Q can be made."""
        kwargs: dict[str, Any] = {}
        if self.connector != AND:
            kwargs["_connector"] = self.connector
        if self.negated:
            kwargs["_negated"] = True
        return "facade.models.Q", tuple(self.children), kwargs

    @property
    def referenced_base_fields(self) -> set[str]:
        """The names of the fields, on the model itself, that the condition reads."""
        return {
            name.split(LOOKUP_SEP)[0] for item in self.flatten() for name in getattr(item, "own_names", ())
        }


class _Text(str):
    """A piece of the text of a Q, among parts that have yet to be written."""

    __slots__ = ()


class FilteredRelation(Frozen):
    """A relation with a condition in its join: ``annotate(cheap=FilteredRelation("books", condition=Q(books__price__lt=10)))``.

    From then on ``cheap`` works in lookups, orders, values and `select_related()` as ``books`` does.
    See https://docs.djangoproject.com/en/6.1/ref/models/querysets/#filteredrelation-objects

    >>> FilteredRelation("books", condition=Q(books__price__lt=10))
    FilteredRelation('books', condition=<Q: (AND: ('books__price__lt', 10))>)
    """

    def __init__(self, relation_name: str, *, condition: Q | Condition | None = None) -> None:
        if not relation_name:
            raise ValueError("relation_name cannot be empty.")
        condition = Q() if condition is None else condition
        if not isinstance(condition, (Q, Condition)):
            raise ValueError("condition argument must be a Q() instance.")
        self.relation_name, self.condition = relation_name, condition

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.relation_name!r}, condition={self.condition!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FilteredRelation):
            return NotImplemented
        return (self.relation_name, self.condition) == (other.relation_name, other.condition)

    def __hash__(self) -> int:
        return hash((self.relation_name, self.condition))

    def with_parts(self, change: Change) -> Self:
        return type(self)(self.relation_name, condition=change(self.condition))

    def freeze(self, values: Values) -> FilteredRelation:
        assert isinstance(self.condition, Q)
        if any(
            isinstance(item, Frozen) and not hasattr(item, "resolve_expression")
            for item in self.condition.flatten()
        ):
            raise ValueError("Passing a QuerySet within a FilteredRelation is not supported.")
        return FilteredRelation(self.relation_name, condition=freeze_condition(self.condition, values))


class _TooManyLevels(Exception):
    """A Q is nested more deeply than MAX_DEPTH."""


def freeze_condition(condition: Q, values: Values) -> Condition:
    """Return the frozen form of a Q. One that is nested too deeply is merged; what is too deep then is refused."""
    start, keyed = len(values), values.keyed
    try:
        return _freeze_levels(condition, values, 0)
    except _TooManyLevels:
        del values[start:]
        values.keyed = keyed
    try:
        return _freeze_levels(_merged(condition), values, 0)
    except _TooManyLevels:
        raise NestedTooDeeply(
            f"The condition is nested more than {MAX_DEPTH} levels deep. Combine the parts in one Q, or filter() twice."
        ) from None


def _freeze_levels(condition: Q, values: Values, depth: int) -> Condition:
    if depth > MAX_DEPTH:
        raise _TooManyLevels
    return Condition(
        condition.connector,
        condition.negated,
        tuple(_freeze_child(child, values, depth) for child in condition.children),
    )


def _merged(condition: Q) -> Q:
    """Return a Q that says the same on as few levels as it can without a change of its connectors."""
    done: list[Any] = []
    for kind, value, count in reversed([*laid_out(condition, Q)]):
        if kind is None:
            done.append(value)
            continue
        connector, negated, children = value["connector"], value["negated"], list[Any]()
        for child in [done.pop() for _ in range(count)]:
            alike = isinstance(child, Q) and not child.negated and child.connector == connector
            children += child.children if alike else [child]
        done.append(_without_wrapping(Q.create(children, connector, negated)))
    found: Q = done.pop()
    return found


def _without_wrapping(condition: Q) -> Q:
    """Return a Q whose only child is a Q without what adds nothing: a level of its own, or two of three negations."""
    if len(condition.children) != 1 or condition.connector == XOR:  # which takes what is unknown for false
        return condition
    (child,) = condition.children
    if not isinstance(child, Q):
        return condition
    if not condition.negated:
        return child
    if not child.negated:
        return Q.create(child.children, child.connector, True)
    if len(child.children) == 1 and child.connector != XOR:
        (below,) = child.children
        if isinstance(below, Q) and below.negated:
            return below
    return condition


def _freeze_child(child: object, values: Values, depth: int) -> Any:
    if isinstance(child, Q):
        return _freeze_levels(child, values, depth + 1)
    if isinstance(child, (tuple, list)) and len(child) == 2:
        return freeze_pair(child[0], child[1], values)
    return freeze(child, values)


def freeze_pair(name: str, value: object, values: Values) -> Any:
    """Return the frozen form of one keyword; what isnull compares with is part of the SQL, not a value."""
    if type(value) is bool and name.endswith("isnull"):
        return name, value
    if isinstance(value, (OutOfRange, Empty)):
        return name, value
    return name, freeze(value, values)


def mark_argument(frozen: tuple[Any, ...], arg: Arg, mark: object) -> Any:
    """Return the frozen parts of a step with the value of one keyword or lookup replaced by a mark."""
    return rewritten(frozen, {Value: unchanged, Arg: lambda found: mark if found == arg else found})


as_condition.fill(Q)
