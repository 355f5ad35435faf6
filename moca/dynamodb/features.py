"""The features that the backend supports, and why it does not support the others."""

from django.db.backends.base.features import BaseDatabaseFeatures

from moca.dynamodb.transaction import MAX_ITEMS


class DatabaseFeatures(BaseDatabaseFeatures):
    # Ours.

    # Items that one transaction may write.
    max_transaction_items = MAX_ITEMS
    # DynamoDB deletes rows after the time in their `ttl` field.
    expires_rows = True
    # A query by an index may miss rows that were just added.
    indexes_lag = True
    # A write costs by the size of the whole row, and twice as much in a transaction.
    charges_by_size = True

    # A transaction is one TransactWriteItems; a savepoint is a copy of its pending writes.
    supports_transactions = True
    uses_savepoints = True
    can_rollback_ddl = False
    atomic_transactions = True
    # There are no locks: a write is conditional on what was read.
    has_select_for_update = False
    has_select_for_update_nowait = False
    has_select_for_update_skip_locked = False
    # Items have no columns.
    has_native_uuid_field = True
    has_native_duration_field = True
    supports_json_field = True
    has_native_json_field = True
    can_introspect_json_field = False
    supports_primitives_in_json_field = True
    supports_json_field_contains = False
    json_key_contains_list_matching_requires_list = False
    interprets_empty_strings_as_nulls = False
    # As on SQLite: datetimes are aware if USE_TZ is True, else naive.
    supports_timezones = False
    supports_microsecond_precision = True
    supports_subqueries_in_group_by = False
    # DynamoDB has no references between items.
    supports_foreign_keys = False
    can_create_inline_fk = False
    supports_forward_references = False
    # DynamoDB reads partitions and indexes; it cannot compute.
    supports_aggregate_filter_clause = False
    supports_over_clause = False
    supports_select_union = False
    supports_select_intersection = False
    supports_select_difference = False
    supports_temporal_subtraction = False
    supports_boolean_expr_in_select_clause = False
    supports_comparing_boolean_expr = False
    supports_expression_defaults = False
    supports_default_keyword_in_insert = False
    supports_default_keyword_in_bulk_insert = False
    supports_stored_generated_columns = False
    supports_virtual_generated_columns = False
    supports_unlimited_charfield = True
    supports_regex_backreferencing = True
    supports_date_lookup_using_string = False
    supports_order_by_nulls_modifier = False
    supports_ignore_conflicts = False
    supports_update_conflicts = False
    supports_update_conflicts_with_target = False
    supports_explaining_query_execution = True
    supports_slicing_ordering_in_compound = False
    supports_table_check_constraints = False
    supports_column_check_constraints = False
    can_introspect_check_constraints = False
    supports_partial_indexes = False
    supports_expression_indexes = False
    supports_covering_indexes = False
    supports_deferrable_unique_constraints = False
    supports_nulls_distinct_unique_constraints = False
    supports_collation_on_charfield = False
    supports_collation_on_textfield = False
    supports_comments = False
    supports_tablespaces = False
    supports_sequence_reset = False
    supports_paramstyle_pyformat = False
    supports_raw_sql = False
    supports_tuple_lookups = False
    allows_auto_pk_0 = True
    has_case_insensitive_like = False
    # The backend makes keys itself, before it writes the row.
    can_return_columns_from_insert = True
    can_return_rows_from_bulk_insert = True
    has_bulk_insert = True
    update_can_self_select = False
    delete_can_self_reference_subquery = False
    can_use_chunked_reads = True
    # A test database is a table of its own.
    can_clone_databases = False
    test_db_allows_multiple_connections = True
    nulls_order_largest = False
    minimum_database_version = None
