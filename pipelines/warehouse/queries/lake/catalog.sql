-- Not NULL if Postgres has the catalog of a lake.
select to_regclass('{catalog}.ducklake_table') as place
