-- Not NULL if the database has what leases need.
select to_regprocedure('callhouse.fence()') as made
