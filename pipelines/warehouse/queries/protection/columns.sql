-- Every column of every table of the built file in its order, with its unit.
select
    columns.schema_name,
    columns.table_name,
    columns.column_name,
    dictionary.unit
from duckdb_columns() as columns
inner join duckdb_tables() as tables
    on columns.database_oid = tables.database_oid and columns.table_oid = tables.table_oid
left join built.ops.data_dictionary as dictionary
    on
        columns.schema_name = dictionary.table_schema
        and columns.table_name = dictionary.table_name
        and columns.column_name = dictionary.column_name
where columns.database_name = 'built'
order by columns.schema_name, columns.table_name, columns.column_index
