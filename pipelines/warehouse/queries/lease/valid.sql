-- One row if a token is that of the process that has a lease now.
select name
from callhouse.leases
where
    name = %s
    and token = %s
    and session in (select pid from pg_locks where locktype = 'advisory' and granted)
