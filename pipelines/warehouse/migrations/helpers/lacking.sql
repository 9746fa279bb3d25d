-- The tables that the loader wrote down as made, with data in them, and that are missing.
with newest as (
    select schema::json as schema
    from raw._dlt_version
    order by inserted_at desc
    limit 1
),

made as (
    select unnest(json_keys(schema, '$.tables')) as table_name
    from newest
)

select made.table_name
from made
anti join duckdb_tables() as stored
    on made.table_name = stored.table_name and stored.schema_name = 'raw'
order by made.table_name
