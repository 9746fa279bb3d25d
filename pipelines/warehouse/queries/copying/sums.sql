-- The query that makes a row per table of a database: how many rows it has, and two sums over
-- a hash of each row, of all its values.
select
    string_agg(
        'select ''' || schema_name || '.' || table_name || ''' as place, count(*) as rows, '
        || 'sum(hash(one)::hugeint) as total, bit_xor(hash(one)) as parity from "{source}"."'
        || schema_name || '"."' || table_name || '" as one',
        ' union all ' order by schema_name, table_name
    ) as statement
from duckdb_tables()
where database_name = '{source}' and not internal
