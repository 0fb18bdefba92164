"""What expressions ask of those who stand above them: the compiler that makes SQL, and the query they are resolved in.

`facade.sql` fulfils these contracts. An expression, a lookup or a function of a user's own may rely on all that is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import sqlalchemy as sa

if TYPE_CHECKING:
    import datetime as dt
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import Dialect

    from facade.expressions.freezing import Arg, OutOfRange
    from facade.fields import Field
    from facade.fields.contracts import Instance
    from facade.fields.descriptions import Kind
    from facade.vendors import Vendor

# A part of a statement that has a value, and the type of such a value; None where only the database knows it.
Core = sa.ColumnElement[Any]
CoreType = sa.types.TypeEngine[Any]

# Makes of an argument what is sent to the database.
Convert = Callable[[Any], Any]


class Resolvable(Protocol):
    """An expression, a name or a condition as it was written: it finds its place in a query."""

    def resolve_expression(
        self,
        query: Query | None = None,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
    ) -> Any:
        """Return a copy whose names are columns of `query`."""


class Resolved(Protocol):
    """An expression, a lookup or a condition that has found its place in a query."""

    @property
    def conditional(self) -> bool:
        """Whether it is true, false or unknown for a row: it can stand in WHERE."""

    @property
    def contains_aggregate(self) -> bool:
        """Whether its value belongs to a group of rows: it stands in HAVING."""

    @property
    def contains_over_clause(self) -> bool:
        """Whether a window function is in it."""

    def as_core(self, compiler: Compiler) -> Any:
        """Return its Core form."""

    def flatten(self) -> Iterator[Any]:
        """Walk it and everything below it, depth first."""

    def get_group_by_cols(self) -> list[Any]:
        """Return what the rows of a group must agree in for it to have one value."""


class Valued(Resolved, Protocol):
    """A resolved expression whose values are described by a field."""

    @property
    def output_field(self) -> Any:
        """The field; raises FieldError where it cannot be told."""

    @property
    def _output_field_or_none(self) -> Any:
        """The field, None where nothing tells it."""

    @property
    def is_composite(self) -> bool:
        """Whether it stands for several columns."""

    @property
    def known_field(self) -> Any:
        """The field, None where it cannot be told."""

    @property
    def value_kind(self) -> Kind | None:
        """What the field says that the database takes the values for."""

    @property
    def column_type(self) -> Any:
        """The Core type of the values, None where it is not known."""

    def get_lookup(self, lookup: str) -> Any:
        """Return the lookup of this name for its values, None where there is none."""


class Combined(Valued, Protocol):
    """Two resolved expressions with an operator between them."""

    connector: str

    @property
    def lhs(self) -> Valued:
        """What stands before the operator."""

    @property
    def rhs(self) -> Valued:
        """What stands behind it."""


class Call(Valued, Protocol):
    """A resolved call of a function of the database."""

    function: str | None
    template: str
    arg_joiner: str

    @property
    def extra(self) -> dict[str, Any]:
        """What the template may name besides."""

    def get_source_expressions(self) -> list[Any]:
        """Return its arguments."""


class Aggregation(Call, Protocol):
    """A resolved call of an aggregate function."""

    name: ClassVar[str]
    calculates: ClassVar[bool]
    """Whether it calculates with the values, which SQLite cannot do with dates and times."""


class Ordered(Protocol):
    """A resolved term of ORDER BY."""

    descending: bool

    @property
    def nulls_first(self) -> bool | None:
        """Whether rows without a value come before all others."""

    @property
    def nulls_last(self) -> bool | None:
        """Whether rows without a value come behind all others."""

    @property
    def expression(self) -> Valued:
        """By whose value the rows are ordered."""


class Rows(Protocol):
    """What has rows to choose from: a queryset or a manager."""

    def all(self) -> Any:
        """Return the queryset of them."""


class Embedding(Protocol):
    """A query inside another one, whose values are arguments of the outer one from number `offset` on."""

    query: Any
    offset: int


class Parameters(Protocol):
    """The parameters of the statement that is being made."""

    compares: bool
    """Whether the database compares expressions of the statement with each other, down to their parameters."""

    def add(self, index: int | None, type_: CoreType | None, convert: Convert | None, **options: Any) -> Core:
        """Return a parameter for argument number `index`; None for a value that `convert` makes by itself at each run."""


class Words(Protocol):
    """What databases write differently, each in its own words: see `facade.sql.core.words`."""

    @property
    def filters_aggregates(self) -> bool:
        """Whether an aggregate may have a FILTER clause."""

    @property
    def separates_texts(self) -> bool:
        """Whether an aggregate of texts has the word SEPARATOR before what stands between them."""

    @property
    def compares_parameters(self) -> bool:
        """Whether expressions are the same only if their parameters are."""

    @property
    def chooses_by_type(self) -> bool:
        """Whether functions are chosen by the types of numbers, and some are there for decimals only."""

    @property
    def rounds_before_point(self) -> bool:
        """Whether ROUND takes a negative number of digits."""

    @property
    def cuts_ends(self) -> bool:
        """Whether there are LEFT and RIGHT."""

    @property
    def shifts_uuids(self) -> bool:
        """Whether UUIDs of version 7 may be those of another time."""

    @property
    def nests_conditions(self) -> bool:
        """Whether a long `a AND b AND …` is taken for a tree as deep as it is long."""

    @property
    def has_documents(self) -> bool:
        """Whether JSON is a kind of value of its own, not text."""

    @property
    def compares_documents(self) -> bool:
        """Whether JSON is compared with nothing but JSON."""

    @property
    def reads_json_text_exactly(self) -> bool:
        """Whether text of JSON is compared letter by letter where other texts are not."""

    @property
    def like_wildcards(self) -> str:
        """The characters that patterns of LIKE escape."""

    @property
    def text_aggregate(self) -> str:
        """The aggregate that joins texts."""

    @property
    def joins_distinct_texts(self) -> bool:
        """Whether that aggregate takes each text once where DISTINCT says so."""

    @property
    def orders_within_group(self) -> bool:
        """Whether the order of an aggregate stands behind it, as WITHIN GROUP, not among its arguments."""

    @property
    def remainder(self) -> str:
        """How the remainder of a division is written."""

    @property
    def arguments_max(self) -> int | None:
        """How many arguments a function of any number of them takes, where that is limited."""

    def random(self) -> Core:
        """Return a random number: the `?` of order_by."""

    def null(self, type_: CoreType | None) -> Core:
        """Return the NULL of a type."""

    def listed(self, select: sa.Select[Any], apart: bool) -> Any:
        """Return a select as the list of values that IN takes, `apart` from the statement around it where that matters."""

    def like(self, left: Core, right: Core, *, ignore_case: bool) -> Any:
        r"""Return `left LIKE right`, wildcards escaped by `\`."""

    def like_pattern(self, before: str, right: Core, after: str) -> Any:
        """Return an expression's value as a LIKE pattern, its own wildcards escaped."""

    def regex(self, left: Core, right: Core, ignore_case: bool) -> Any:
        """Return whether a text matches a regular expression of the database's own dialect."""

    def combine(self, expression: Combined, left: Core, right: Core, type_: CoreType | None) -> Any:
        """Return `left connector right`, in parentheses."""

    def function(self, expression: Call, arguments: list[Any], type_: CoreType | None) -> Any:
        """Return the call of a Func: its `template` with `function` and the arguments filled in."""

    def aggregate(self, expression: Aggregation, arguments: list[Any], type_: CoreType | None) -> Any:
        """Return the call of an aggregate function."""

    def unified(self, core: Core, expression: Valued) -> Any:
        """Return the value of several branches, cast where their types would not tell the database which it is."""

    def text_argument(self, core: Core, kind: Kind | None) -> Core:
        """Return an argument of a function that takes texts."""

    def concatenated(self, texts: list[Any], type_: CoreType | None) -> Any:
        """Return texts one after the other; NULL counts as the empty text."""

    def cast(self, core: Core, source: Kind | None, field: Field[Any]) -> Any:
        """Return a value of some kind as the type of a field."""

    def typed(self, core: Core, type_: CoreType) -> Core:
        """Return a constant text as a value of another type, for a column of it."""

    def check_uuids(self, name: str, version: int, dialect: Dialect) -> None:
        """Raise UnsupportedFeature for a function `name` if the database makes no UUIDs of a version."""

    def as_document(self, core: Core) -> Core:
        """Return JSON as the database's own type for it, also where the column is stored as another type."""

    def comparable_document(self, core: Core) -> Any:
        """Return JSON in the form in which equal values are equal."""

    def json_of(self, core: Core, field: Field[Any] | None) -> Any:
        """Return a number, a text, a truth value, ... as JSON."""

    def json_scalar(self, core: Core) -> Any:
        """Return JSON in the form in which it is sorted: a number or a text."""

    def sortable_document(self, core: Core) -> Any:
        """Return JSON in the form in which it is sorted where it is compared with nothing but JSON."""

    def beside_document(self, core: Core, kind: Kind | None) -> Core:
        """Return another value in the form in which it is compared with what `json_scalar` returns."""

    def json_argument(self, core: Core, kind: Kind | None) -> Core:
        """Return an argument of a function that makes a document of it."""

    def json_call(self, function: str, arguments: list[Any], type_: CoreType | None) -> Any:
        """Return the document that a function makes of its arguments."""

    def json_value(self, document: Core, keys: tuple[str, ...], type_: CoreType | None) -> Any:
        """Return a part of a document as functions of the database use it."""

    def json_text(self, document: Core, keys: tuple[str, ...]) -> Any:
        """Return a part of a document as text."""

    def json_part(self, document: Core, keys: tuple[str, ...], type_: CoreType | None) -> Any:
        """Return a part of a document as JSON."""

    def json_presence(self, document: Core, keys: tuple[str, ...]) -> Any:
        """Return what is NULL where a document has no such part."""

    def json_in(self, left: Core, values: Core) -> Any:
        """Return whether JSON is equal to one of the values of an array."""

    def json_contains(self, left: Core, right: Core) -> Any:
        """Return whether a document has all that another one has."""

    def json_contained(self, left: Core, right: Core) -> Any:
        """Return whether another document has all that a document has."""

    def has_key(self, document: Core, keys: tuple[str, ...], key: str) -> Any:
        """Return whether the object in a document has a key that is known."""

    def has_given_key(
        self, document: Core, keys: tuple[str, ...], bind: Callable[[Convert | None], Core]
    ) -> Any:
        """Return whether the object has the key that an argument gives; `bind(convert)` is the parameter for it."""

    def has_keys(
        self, document: Core, keys: tuple[str, ...], bind: Callable[[CoreType], Core], every: bool
    ) -> Any:
        """Return whether the object has every key of a list, or any of them; `bind(type)` is the parameter for it."""

    def zone(self, named: Callable[[Callable[[dt.tzinfo], str]], Core]) -> Any:
        """Return a time zone as parameters; `named(text)` is the parameter with the text that stands for it."""

    def as_moment(self, core: Core) -> Core:
        """Return a value as columns of moments take it."""

    def once(self, core: Core, make: Callable[[Core], Core]) -> Any:
        """Return what `make` makes of a moment, which it may repeat."""

    def extract(self, part: str, core: Core, zone: object) -> Any:
        """Return a part of a date, time, moment or duration; `part` is of a closed list."""

    def trunc(self, kind: str, core: Core, zone: object, result: str) -> Any:
        """Return a date, time or moment cut to a unit; `kind` and `result` are of closed lists."""

    def now(self, type_: CoreType) -> Any:
        """Return the time at which the statement began, as moments are stored."""


class Compiler(Protocol):
    """Makes SQLAlchemy Core of one query; `as_core(compiler)` and `compare(left, right, compiler)` get it."""

    # -- the database ---------------------------------------------------------------------

    @property
    def vendor(self) -> str:
        """Which database: `sqlite`, `postgresql` or `mysql` (MariaDB, too)."""

    @property
    def dialect(self) -> Dialect:
        """SQLAlchemy's dialect that the statement will be compiled for."""

    @property
    def features(self) -> Vendor:
        """What the database can do."""

    @property
    def words(self) -> Words:
        """What the database writes otherwise than others do."""

    def require_database(self, alias: str | None) -> None:
        """Note that a part was written for this database; the statement then runs on no other one."""

    # -- parts of the statement -------------------------------------------------------------

    @property
    def parent(self) -> Compiler | None:
        """The compiler of the query around this one; None for the outermost."""

    def process(self, expression: Valued) -> Any:
        """Return the Core form of a resolved expression; a condition may raise EmptyResultSet."""

    def condition(self, expression: Valued) -> Any:
        """Return the Core form of a condition. Raises EmptyResultSet or FullResultSet where no or every row fulfils it."""

    def boolean(self, expression: Valued) -> Any:
        """Return a condition as a value that can be selected."""

    def column(self, alias: str, field: Field[Any]) -> Any:
        """Return a column of the table that the query knows by `alias`."""

    def present(self, expression: Valued, core: Core) -> Any:
        """Return the condition that a value is not NULL. Raises FullResultSet for a column that has a value in each row."""

    def null_test(self, core: Core, is_null: bool) -> Any:
        """Return the condition that a Core expression is NULL, or that it is not."""

    def reference(self, name: str, source: Valued) -> Any:
        """Return what an annotation is called by its name, or its Core form where it has none in this SELECT."""

    def comes_from_inside(self, name: str) -> bool:
        """Return whether an annotation was computed by the query that this one takes its rows from."""

    def subquery(self, embedded: Embedding, form: Callable[[Compiler, Any], Any] | None = None) -> Any:
        """Return the Core select of a query inside this one, its outer tables taken from here.

        `form(compiler, expression)` gives the Core form of its column where that is not the usual one.
        """

    def ordering(self, item: Ordered) -> Any:
        """Return a term of ORDER BY with its direction and the place of NULLs."""

    # -- values -----------------------------------------------------------------------------

    @property
    def binds(self) -> Parameters:
        """The parameters of the whole statement."""

    def table(self, alias: str) -> Any:
        """Return the Core table that an alias of the query's stands for."""

    def bind(self, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        """Return the parameter for an argument of the query; `convert` changes its value at each run."""

    def bind_each(self, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        """Return the parameters for the items of an argument that is a list."""

    def in_list(self, left: Core, arg: Arg, type_: CoreType | None, convert: Convert | None = None) -> Any:
        """Return `left IN (list)`, the list one argument of any length."""

    def in_rows(
        self, left: Sequence[Core], arg: Arg, types: Sequence[CoreType | None], convert: Convert
    ) -> Any:
        """Return `(left, …) IN (list)`, the list one argument with a tuple of values for each row."""

    def number(self, arg: Arg) -> int | None:
        """Return the number of an argument in the whole statement, None where no other plan can be asked for."""

    def beyond(self, rhs: object) -> OutOfRange | None:
        """Return on which side of its column's values the argument `rhs` lies in this plan, None for the usual one."""

    def literal(self, value: object, type_: CoreType | None) -> Any:
        """Return a parameter whose value belongs to the statement and never changes."""


class Query(Protocol):
    """One SELECT as `resolve_expression(query)` gets it: knows models, joins and annotations."""

    where: Any
    """The conditions, as one that is resolved."""

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Resolved expressions by the names that `annotate()` and `alias()` gave them."""

    @property
    def select(self) -> Mapping[str, Any]:
        """What `values()` selects, by name."""

    @property
    def expressions(self) -> Iterator[Any]:
        """All its resolved expressions."""

    @property
    def model(self) -> type[Instance]:
        """The model whose rows are selected."""

    @property
    def database(self) -> str | None:
        """The alias of the database that `using()` named for a subquery."""

    @property
    def one_row(self) -> bool:
        """Whether the slice allows one row only."""

    @property
    def is_empty(self) -> bool:
        """Whether it is known to have no rows: `none()`."""

    @property
    def has_select_fields(self) -> bool:
        """Whether `values()` or `only()` chose the columns."""

    @property
    def combined(self) -> Sequence[Any]:
        """The queries inside a UNION, INTERSECT or EXCEPT."""

    @property
    def output_field(self) -> Any:
        """The field of the one column that it selects."""

    # -- resolving --------------------------------------------------------------------------

    def resolve_ref(
        self, name: str, allow_joins: bool = True, reuse: set[str] | None = None, summarize: bool = False
    ) -> Any:
        """Return the column, annotation or transform that a name such as `author__name` stands for; joins its tables."""

    def resolve_condition(
        self,
        condition: Resolvable,
        *,
        allow_joins: bool = True,
        reuse: set[str] | None = None,
        summarize: bool = False,
    ) -> Any:
        """Return a Q, frozen or not, or a conditional expression with its names resolved."""

    def place(self, arg: Arg, prepare: Convert | None) -> Arg:
        """Give a value its number among the query's arguments; `prepare` makes it fit the column, once per run."""

    def place_lookup(self, lookup_class: type[Any], left: Valued, value: object) -> Any:
        """Return a lookup on a resolved left side whose value has its number in this query."""

    def behind(self, base: int) -> AbstractContextManager[None]:
        """Resolve what an earlier step has brought, whose values begin at number `base`."""

    def given(self, values: dict[str, Any]) -> Any:
        """Return a query without tables in which names stand for these expressions."""

    # -- as a subquery ----------------------------------------------------------------------

    def for_exists(self) -> Any:
        """Return the query as EXISTS needs it: without columns and order."""

    def refuse_several(self, lookup: str | None, wanted: int = 1) -> None:
        """Raise ValueError where, as the right side of this lookup, it selects another number of columns."""

    def select_only(self, *names: str) -> None:
        """Select these fields and nothing else."""

    def clear_ordering(self) -> None:
        """Drop the order where it does not change which rows there are."""
