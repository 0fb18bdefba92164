"""What facade uses of others' that they do not promise, by ``module`` or ``module:class``.

An upgrade that takes one of these away fails in ``tests/test_driver_records.py``. What is used of a driver stands in the
driver's record.
"""

from __future__ import annotations

SQLALCHEMY: dict[str, tuple[str, ...]] = {
    "sqlalchemy.dialects.mssql.base:MSDialect": ("_setup_version_attributes",),
    "sqlalchemy.dialects.mysql.base:MySQLDialect": ("_json_deserializer", "_json_serializer"),
    "sqlalchemy.dialects.postgresql.base:PGDialect": ("_json_deserializer", "_json_serializer"),
    "sqlalchemy.dialects.sqlite.base:SQLiteDialect": ("_json_deserializer", "_json_serializer"),
    "sqlalchemy.engine:Connection": (
        "_commit_impl",
        "_commit_twophase_impl",
        "_execution_options",
        "_has_events",
        "_rollback_impl",
        "_rollback_twophase_impl",
    ),
    "sqlalchemy.engine.reflection:Inspector": ("_operation_context",),
    "sqlalchemy.engine:Engine": ("_execution_options", "_has_events"),
    "sqlalchemy.engine:Engine.dispatch": ("_event_names",),
    "sqlalchemy.engine.default:DefaultDialect": ("_has_events", "_on_connect_isolation_level"),
    "sqlalchemy.orm:Session": ("_flushing",),
    "sqlalchemy.pool:Pool": (
        "_create_connection",
        "_dialect",
        "_do_get",
        "_do_return_conn",
        "_invalidate",
        "_invoke_creator",
        "_is_asyncio",
        "_pre_ping",
    ),
    "sqlalchemy.pool:QueuePool": ("_max_overflow",),
    "sqlalchemy.schema:CheckConstraint": ("_ddl_if",),
    "sqlalchemy.schema:Index": ("_ddl_if",),
    "sqlalchemy.schema:Table": ("_prefixes",),
    "sqlalchemy.sql.compiler:IdentifierPreparer": (
        "_double_percents",
        "_requires_quotes",
        "_with_schema_translate",
    ),
    "sqlalchemy.sql.compiler:SQLCompiler": (
        "_bind_processors",
        "_result_columns",
        "_within_exec_param_key_getter",
    ),
    "sqlalchemy.sql.ddl:DDLIf": ("_should_execute",),
    "sqlalchemy.sql.elements:ClauseElement": (
        "_clone",
        "_compiler_dispatch",
        "_copy_internals",
        "_execute_on_connection",
        "_from_objects",
        "_generate_cache_key",
    ),
    "sqlalchemy.sql.selectable": ("_OffsetLimitParam",),
    "sqlalchemy.sql.selectable:Select": ("_distinct", "_order_by_clauses"),
    "sqlalchemy.types:TypeEngine": (
        "_has_bind_expression",
        "_static_cache_key",
        "_type_affinity",
        "_variant_mapping",
    ),
}

ALEMBIC: dict[str, tuple[str, ...]] = {
    "alembic.autogenerate.api:AutogenContext": ("_name_filters", "_within_batch"),
    "alembic.autogenerate.render": ("_alter_column", "_render_column", "_render_constraint", "_repr_type"),
    "alembic.operations.ops:DropTableOp": ("_reverse",),
    "alembic.operations:Operations": ("_install_proxy", "_remove_proxy"),
    "alembic.runtime.migration:MigrationContext": (
        "_in_external_transaction",
        "_transaction",
        "_user_compare_type",
    ),
    "alembic.runtime.plugins": ("_all_plugins",),
}

LITESTAR: dict[str, tuple[str, ...]] = {"litestar.handlers:BaseRouteHandler": ("_fn",)}

STARLETTE_ADMIN: dict[str, tuple[str, ...]] = {
    "starlette_admin.base:BaseAdmin": (
        "_collect_core_routes",
        "_find_view_by_key",
        "_model_views",
        "_save_inlines",
        "_template_response",
    ),
    "starlette_admin.fields:BaseField": ("_view",),
    "starlette_admin.fields:EnumField": ("_get_choices",),
    "starlette_admin.views:BaseModelView": (
        "_admin",
        "_all_fields",
        "_emit_after_create",
        "_emit_after_create_committed",
        "_emit_after_delete",
        "_emit_after_delete_committed",
        "_emit_after_edit",
        "_emit_after_edit_committed",
        "_emit_before_create",
        "_emit_before_delete",
        "_emit_before_edit",
        "_inline_instances",
        "_row_actions",
    ),
    "starlette_admin.views:InlineModelView": ("_find_foreign_view",),
}

PYTHON: dict[str, tuple[str, ...]] = {
    "asyncio": ("_get_running_loop",),
    "asyncio:Future": ("_asyncio_future_blocking",),
    "enum:_EnumDict": ("_member_names",),
    "logging:Logger": ("_cache",),
    "sys": ("_getframe",),
}

# What newer versions promise in another way.
BEFORE_SQLALCHEMY_2_1: dict[str, tuple[str, ...]] = {"sqlalchemy.orm:Session": ("_Session__binds",)}
BEFORE_PYTHON_3_12: dict[str, tuple[str, ...]] = {"asyncio.coroutines": ("_is_coroutine",)}
