-- Whether this session has a lease now, which ends with the session.
select pg_try_advisory_lock(hashtext('callhouse.leases'), hashtext(%s)) as is_taken
