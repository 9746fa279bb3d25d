-- The query that reads every value of an open file: it makes a hash of each table.
select
    coalesce(
        string_agg(
            format('select max(hash(one)) from "{}"."{}" as one', schema_name, table_name),
            ' union all '
        ),
        'select null'
    )
from duckdb_tables()
where not internal
