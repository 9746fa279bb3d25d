-- One row if the file has a table of this schema and name.
select table_name
from duckdb_tables()
where schema_name = $1 and table_name = $2
