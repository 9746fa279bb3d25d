-- How many records could not be read, and why. No record is shown.
select
    vendor,
    account,
    stream,
    reason,
    count(distinct payload) filter (where is_open) as open_records,
    count(distinct payload) as all_records,
    max(fetched_at) as last_fetched_at
from ops.quarantine
group by all
order by all
limit 50
