-- The UTC days that hold living records, the newest first.
select distinct date_trunc('day', event_at) as day_start
from newest
where payload is not null
order by day_start desc
limit 100
