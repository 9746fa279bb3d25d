-- The query that counts the rows of each table of an open file.
select
    string_agg(
        format('select ''{0}.{1}'', count(*) from "{0}"."{1}"', schema_name, table_name),
        ' union all '
    )
from duckdb_tables()
where not internal
