-- Who has a lease, and since when, in UTC.
select
    holder,
    to_char(since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SSZ') as since
from callhouse.leases
where name = %s
