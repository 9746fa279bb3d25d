-- Comments on columns of tables that a copy of the database does not have.
select
    stored.schema_name,
    stored.table_name,
    stored.column_name,
    stored.comment
from duckdb_columns() as stored
inner join duckdb_tables() as tables
    on stored.database_name = tables.database_name and stored.table_oid = tables.table_oid
left join duckdb_columns() as copied
    on
        copied.database_name = 'target'
        and stored.schema_name = copied.schema_name
        and stored.table_name = copied.table_name
        and stored.column_name = copied.column_name
where
    stored.database_name = 'source'
    and stored.comment is not null
    and stored.comment is distinct from copied.comment
