-- The numbers of the loads into a lake, beside its catalog in Postgres.
create sequence if not exists {catalog}.callhouse_loads
