-- One row per account and UTC day: calls that are stored and are not in fact_calls.
select
    calls.account,
    date_trunc('day', calls.event_at) as day_start,
    count(*) as calls
from calls
anti join facts
    on calls.account = facts.account and calls.record_id = facts.vendor_call_id
group by all
order by all
