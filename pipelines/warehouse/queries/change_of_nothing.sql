-- A transaction that leaves all as it was: the checkpoint after it deletes the log.
begin;
create schema of_nothing;
drop schema of_nothing;
commit;
