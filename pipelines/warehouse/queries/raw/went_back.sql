-- Records whose newest version was read well before an older one: a version that went back.
with suspects as (
    select
        account,
        record_id
    from records
    group by all
    having max_by(fetched_at, (load_no, fetched_at)) < max(fetched_at) - interval '10 minutes'
)

select
    account,
    count(*) as records
from suspects
group by all
order by all
