-- Vendor and table of every table in the attached raw files.
select
    database_name,
    table_name
from duckdb_tables()
where schema_name = 'raw'
