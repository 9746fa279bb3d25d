-- The query that counts the rows of each table of a database in which a pattern is found.
select
    string_agg(
        'select ''' || schema_name || '.' || table_name || ''' as place, count(*) as rows from "'
        || database_name || '"."' || schema_name || '"."' || table_name || '" as one'
        || ' where regexp_matches(one::varchar, getvariable(''pattern''))',
        ' union all ' order by schema_name, table_name
    ) as statement
from duckdb_tables()
where database_name = '{source}' and not internal
