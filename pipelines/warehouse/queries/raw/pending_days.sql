-- One row per account and UTC day with pending records: their ids, and all it holds.
select
    latest.account,
    date_trunc('day', latest.event_at) as day_start,
    count(*) as records,
    list(
        latest.record_id
        order by latest.event_at, latest.record_id
    ) filter (where pending.record_id is not null) as ids
from latest
left join pending
    on latest.account = pending.account and latest.record_id = pending.record_id
group by all
having count(pending.record_id) > 0
order by all
