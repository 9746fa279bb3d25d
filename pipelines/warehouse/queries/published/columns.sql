-- The columns of a table, as far as it is there.
select column_name
from duckdb_columns()
where schema_name || '.' || table_name = getvariable('named')
