-- The tables of the built file.
select schema_name || '.' || table_name
from duckdb_tables()
where database_name = 'build'
