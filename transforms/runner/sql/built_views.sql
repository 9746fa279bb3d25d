-- The views of the built file: they are former names of tables.
select schema_name || '.' || view_name
from duckdb_views()
where database_name = 'build' and not internal
