-- The statements that show the tables of a raw file, attached as <vendor>_file, as
-- raw.<vendor>__<table>.
select
    'create view raw."' || $1 || '__' || table_name || '" as from "'
    || database_name || '".raw."' || table_name || '"' as sql
from duckdb_tables()
where database_name = $1 || '_file' and schema_name = 'raw'
