-- The suspected records that came in a run: as they are stored, or stored by it.
with newest as (
    select
        account,
        record_id,
        load_no,
        payload
    from records
    qualify row_number() over (
        partition by account, record_id
        order by load_no desc, fetched_at desc
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
    or (newest.payload is not null and newest.load_no >= getvariable('since'))
