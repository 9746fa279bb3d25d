-- Records whose newest version was read well before an older one: a version that went back.
select
    records.account,
    count(distinct records.record_id) as records
from records
semi join (
    select
        account,
        record_id
    from records
    group by all
    having max_by(fetched_at, (load_no, fetched_at)) < max(fetched_at) - interval '10 minutes'
) as suspects
    on records.account = suspects.account and records.record_id = suspects.record_id
group by all
order by all
