-- The UTC days in which a version of a record lies, the newest first.
select distinct date_trunc('day', event_at) as day_start
from records
order by day_start desc
limit 100
