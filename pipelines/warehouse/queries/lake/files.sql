-- The query that lists the files of all tables of a lake.
select
    coalesce(
        string_agg(
            'select unnest([data_file, delete_file]) as file from ducklake_list_files('
            || '''{name}'', ''' || table_name || ''', schema => ''' || schema_name || ''')',
            ' union all '
        ),
        'select null as file'
    ) as statement
from duckdb_tables()
where database_name = '{name}' and not internal
