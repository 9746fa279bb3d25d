-- How many tables a lake has, by the catalog that DuckLake keeps in Postgres.
select count(*) as tables
from {catalog}.ducklake_table
where end_snapshot is null
