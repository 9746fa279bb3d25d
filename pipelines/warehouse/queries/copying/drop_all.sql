-- The statements that drop all views and tables of a database.
select 'drop view "' || schema_name || '"."' || view_name || '"' as statement
from duckdb_views()
where database_name = '{target}' and not internal
union all
select 'drop table "' || schema_name || '"."' || table_name || '"' as statement
from duckdb_tables()
where database_name = '{target}' and not internal
