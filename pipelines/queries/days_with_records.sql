-- The UTC days that hold living records, the newest first.
with newest as (
    select
        account,
        record_id,
        event_at,
        payload
    from records
    qualify row_number() over (
        partition by account, record_id
        order by load_no desc, fetched_at desc
    ) = 1
)

select distinct date_trunc('day', event_at) as day_start
from newest
where payload is not null
order by day_start desc
limit 100
