-- The statements that show the tables of an attached raw file as raw.<vendor>__<table>.
select
    'create view raw."' || database_name || '__' || table_name || '" as from "'
    || database_name || '".raw."' || table_name || '"' as sql
from duckdb_tables()
where database_name = $1 and schema_name = 'raw'
