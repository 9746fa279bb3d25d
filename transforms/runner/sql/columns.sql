-- The columns of a stored table of the built file, with their types.
select
    column_name,
    data_type
from duckdb_columns()
where
    database_name = current_database()
    and schema_name || '.' || table_name = {table}
order by column_index
