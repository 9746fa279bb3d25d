-- The numbers of the loads of a raw file; those of a lake are in Postgres.
create sequence if not exists callhouse.loads;
