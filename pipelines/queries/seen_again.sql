-- The suspected records that came in a run: as they are stored, or stored by it.
with newest as (
    select
        account,
        record_id,
        fetched_at,
        payload
    from records
    qualify row_number() over (
        partition by account, record_id
        order by fetched_at desc, _dlt_load_id desc
    ) = 1
)

select
    suspected.account,
    suspected.record_id
from suspected
left join newest
    on suspected.account = newest.account and suspected.record_id = newest.record_id
where
    hash(suspected.account, suspected.record_id) in (select seen.key from seen)
    or (newest.payload is not null and newest.fetched_at >= getvariable('since'))
