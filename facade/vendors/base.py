"""What a database is called and what it can do. `Vendor` itself is one that is known for standard SQL only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facade.exceptions import UnsupportedFeature

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import URL, Dialect
    from sqlalchemy.types import TypeEngine

__all__ = ["Vendor"]


class Vendor:
    """One kind of database: what it is called, and what it can do.

    The names are those of Django's features where it has one, which `Meta.required_db_features` and an `as_sql()` ask for
    by `connection.features`. A feature that nobody knows is false.
    """

    name: str
    """What users know it by: MariaDB is `mysql` to them, as it is to Django."""
    server: str
    """What it is, more exactly: `mysql` or `mariadb`."""
    display_name: str
    """How it is called in a sentence."""
    called: str
    """How the server itself is called there: MariaDB by its own name."""

    # -- transactions and rows ------------------------------------------------------------------

    can_defer_constraint_checks = False
    can_distinct_on_fields = False
    can_release_savepoints = True
    can_return_columns_from_insert = False
    can_return_rows_from_bulk_insert = False
    can_rollback_ddl = False
    alters_tables = True  # with their constraints; otherwise a table is made anew, and its rows are copied
    can_use_chunked_reads = True
    has_select_for_no_key_update = False
    has_select_for_update = False
    has_select_for_update_nowait = False
    has_select_for_update_of = False
    has_select_for_update_skip_locked = False
    supports_ignore_conflicts = False
    supports_transactions = True
    supports_update_conflicts = False
    supports_update_conflicts_with_target = False
    uses_savepoints = True

    # -- expressions ----------------------------------------------------------------------------

    only_supports_unbounded_with_preceding_and_following = False
    finds_rows_by_index = False  # (a, b) > (1, 2) is looked up in an index on both
    order_by_nulls_first: bool | None = None
    """Whether NULL comes before all values in ascending order and behind them in descending; None where it is neither that nor the reverse."""
    supports_aggregate_distinct_multiple_argument = True
    supports_aggregate_filter_clause = True
    supports_aggregate_order_by_clause = True
    supports_any_value = True
    supports_boolean_expr_in_select_clause = True
    supports_default_in_lead_lag = True
    supports_frame_exclusion = True
    supports_json_field_contains = False
    supports_logical_xor = False
    supports_order_by_nulls_modifier = True
    supports_over_clause = True
    supports_select_difference = True
    supports_select_intersection = True
    supports_select_union = True
    supports_timezones = False
    supports_tuple_comparison_against_subquery = False
    supports_tuple_lookups = False

    # -- columns and tables ---------------------------------------------------------------------

    has_native_boolean_field = False
    has_native_duration_field = False
    has_native_json_field = False
    has_native_uuid_field = False
    supports_collation_on_charfield = True
    supports_collation_on_textfield = True
    supports_column_check_constraints = True
    supports_comments = False
    supports_covering_indexes = False
    supports_deferrable_unique_constraints = True
    supports_expression_defaults = True
    supports_expression_indexes = True
    supports_foreign_keys = True
    supports_functions_in_partial_indexes = False
    supports_index_on_text_field = False
    supports_json_field = True
    supports_no_precision_decimalfield = False
    supports_nullable_unique_constraints = True
    supports_nulls_distinct_unique_constraints = True
    supports_on_delete_db_cascade = True
    supports_on_delete_db_default = False
    supports_on_delete_db_null = True
    supports_partial_indexes = False
    supports_partially_nullable_unique_constraints = True
    supports_primitives_in_json_field = True
    supports_stored_generated_columns = True
    supports_table_check_constraints = True
    supports_tablespaces = False
    supports_unlimited_charfield = False
    supports_virtual_generated_columns = False

    # -- what facade alone asks ------------------------------------------------------------------

    begins_late = False
    """Whether Python's drivers begin a transaction with its first change only, where nobody begins it."""
    copies_for_constraints = False
    """Whether a new constraint, or NOT NULL, makes it copy the table, without writes meanwhile."""
    counts_by_sequence = False
    """Whether counted keys take their numbers from a sequence that is made with the table, as there is no IDENTITY."""
    counts_with_apart = False
    """Whether the cursor does not count what a statement writes that begins with WITH, and `changes()` does."""
    counts_writes_in_rows = False
    """Whether a write says in a row how many rows it has touched, and the cursor says nothing."""
    cursors_see_writes = False
    """Whether an open cursor sees what is written behind it."""
    ignores_row_locks = False
    """Whether asking for a lock changes nothing, as there are none of rows."""
    is_embedded = False
    """Whether it runs in the program: a database is a file, or is in memory."""
    indexes_block_writes = False
    """Whether nobody writes to a table while it is indexed, unless CONCURRENTLY is asked for."""
    limits_names = True
    """Whether names may not be as long as one likes."""
    limits_single_statements = False
    """Whether a statement can say itself how long it may take."""
    preferred_isolation_level: str | None = None
    """The level of sessions whose settings name none, where that is not the server's own default."""
    sessions_have_settings = False
    """Whether SET changes a session for whoever gets its connection next."""
    settings_end_with_transaction = False
    """Whether a setting can be one for the running transaction."""
    aborts_transactions = False
    """Whether a statement that fails ends the transaction that it stands in."""
    assumes_roles = False
    """Whether a session can act as another role (Django's ``assume_role``)."""
    asks_in_defaults = True
    """Whether the default of a column may ask a query."""
    assigns_in_turn = False
    """Whether an UPDATE makes its assignments from left to right, each of which sees the ones before."""
    changes_lengths = False
    """Whether texts and numbers become longer without their rows being written anew."""
    checks_documents = True
    """Whether a column of documents takes nothing else, or is one of texts that nobody looks at."""
    checks_apart = False
    """Whether a constraint can be added for new rows (NOT VALID), and be checked for the others later, beside writes."""
    computes_floats = False
    """Whether what is computed of decimals comes as floats, though columns hold decimals."""
    computes_texts = False
    """Whether dates and times that are computed of parameters come as text."""
    counts_from_zero = False
    """Whether a counted key that is given as 0 is counted on."""
    counts_left_out_keys = False
    """Whether an integer key that is left out, or NULL, is counted on, whatever its default."""
    gives_days_as_moments = False
    """Whether what is read of a column of days has a time."""
    has_addresses = False
    """Whether there is a type for addresses of the network."""
    has_bit_aggregates = True
    """Whether there are BIT_AND, BIT_OR and BIT_XOR."""
    has_default_keyword = False
    """Whether DEFAULT may stand among the values of an INSERT."""
    has_extensions = False
    """Whether CREATE EXTENSION adds types and functions to a database, and CREATE COLLATION orders of texts."""
    has_infinity = True
    """Whether there are numbers that are not finite, and NaN."""
    has_last_key = True
    """Whether a cursor tells the key that an INSERT has made, where there is no RETURNING."""
    has_one_result = False
    """Whether a connection has one result at a time: rows that were not fetched are gone with its next statement."""
    has_pattern_operators = False
    """Whether an index serves ``LIKE 'a%'`` only where it is asked to compare texts by their characters."""
    has_socket_word = False
    """Whether a URL names a Unix socket by a word of its own, `unix_socket`."""
    has_unsigned_columns = False
    """Whether a column of integers can do without negative numbers."""
    holds_clocks_as_text = False
    """Whether dates and times are texts."""
    holds_decimals = True
    """Whether decimals are held as they are, not as binary fractions."""
    holds_moments = True
    """Whether columns may hold moments, not only what a clock shows."""
    indexes_references = False
    """Whether a reference keeps an index on its columns, which cannot be dropped under it."""
    infers_types = False
    """Whether the type of a parameter follows from where it stands: one that stands alone is a text."""
    insert_rows_max: int | None = None
    """How many rows one INSERT takes, where parameters are not what limits them."""
    names_keys = True
    """Whether a primary key keeps the name it is given."""
    matches_patterns_in_python = False
    """Whether `regex` is Python's, whose errors the database tells without saying what they are."""
    names_types = False
    """Whether enumerations and domains are types of the database, made before the tables that have them."""
    joins_values = False
    """Whether UPDATE joins a table to a list of VALUES, as SQLite's drivers can send it."""
    reads_backslashes = False
    """Whether a backslash in a text may escape what follows, which is up to the session."""
    returns_into_parameters = False
    """Whether RETURNING gives what it returns to parameters, not as rows."""
    streams_hold_connection = False
    """Whether a connection can run nothing else while rows are streamed from it."""
    streams_need_transaction = False
    """Whether rows are streamed within a transaction only."""
    takes_truth_values = False
    """Whether drivers take True and False also where there is no type for them, but numbers."""
    takes_uuids = True
    """Whether drivers take and give UUIDs where there is a type for them."""
    writes_parameters = False
    """Whether drivers write the parameters into the statement."""
    unnests_arrays = False
    """Whether the rows of an INSERT may come from arrays, one for each column."""

    binary_literal = "x'{}'"
    """How bytes are written, by their hexadecimal digits."""
    explain_formats: tuple[str, ...] = ()
    """The formats of EXPLAIN."""

    def moment_type(self, timezone: bool) -> TypeEngine[Any]:
        """Return the type of columns of moments."""
        return sa.DateTime(timezone=timezone)

    def time_type(self) -> TypeEngine[Any]:
        """Return the type of columns of times of day."""
        return sa.Time()

    def binary_type(self) -> TypeEngine[Any]:
        """Return the type of columns of bytes of any length."""
        return sa.LargeBinary()

    def decimal_type(self, max_digits: int | None, decimal_places: int | None) -> TypeEngine[Any]:
        """Return the type of columns of decimals."""
        return sa.Numeric(max_digits, decimal_places)

    def uuid_type(self) -> TypeEngine[Any]:
        """Return the type of columns of UUIDs, of 32 hexadecimal digits where there is none of their own."""
        return sa.CHAR(32)

    def document_type(self) -> TypeEngine[Any]:
        """Return the type of columns of documents: texts, where there is no type of their own."""
        return sa.Text()

    def shared_memory(self, url: URL, name: str) -> URL:
        """Return the URL of a database without a file as one that all connections share under a name."""
        return url

    def supported(self, dialect: Dialect) -> Dialect:
        """Return a dialect as it is for the versions that facade knows, if it does not know its server's."""
        return dialect

    def explain(self, format: str | None, options: dict[str, Any]) -> str:
        """Return what is put before a statement whose plan is asked for.

        Raises ValueError for options that the database does not have; the format is one of `explain_formats`.
        """
        self.refuse_options(options)
        raise UnsupportedFeature(f"explain() is not supported on {self.name}.")

    def refuse_options(self, unknown: Iterable[str]) -> None:
        """Raise ValueError where there are options that the database does not have."""
        if names := sorted(unknown):
            raise ValueError(f"Unknown options: {', '.join(names)}")

    def __init__(self, name: str, display_name: str | None = None, *, server: str | None = None) -> None:
        self.name = name
        self.display_name = name if display_name is None else display_name
        self.server = name if server is None else server
        self.called = getattr(type(self), "called", self.display_name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.server}>"

    if not TYPE_CHECKING:  # facade's own code asks for nothing that is not written above

        def __getattr__(self, name: str) -> bool:
            if name.startswith("_"):
                raise AttributeError(name)
            return False
