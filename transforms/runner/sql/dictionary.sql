-- ops.data_dictionary: what the headers say, and what DuckDB knows of the columns.
create or replace table ops.data_dictionary as
select
    described.table_schema,
    described.table_name,
    stored.column_index as position,
    described.column_name,
    stored.data_type,
    described.unit,
    described.meaning,
    described.null_meaning,
    described.origins
from described
inner join duckdb_columns() as stored
    on
        stored.database_name = 'build'
        and described.table_schema = stored.schema_name
        and described.table_name = stored.table_name
        and described.column_name = stored.column_name
order by all
