-- The statement that makes the numbers of the loads that will come into a raw file.
select 'create sequence callhouse.loads start ' || {next_load} as statement
