-- Positions of the records just read that are new, or differ from the version held.
with held as (
    select
        stored.account,
        stored.record_id,
        stored.payload
    from records as stored
    semi join fresh
        on
            stored.account = fresh.account
            and stored.record_id = fresh.record_id
    qualify row_number() over (
        partition by stored.account, stored.record_id
        order by stored.fetched_at desc, stored._dlt_load_id desc
    ) = 1
)

select fresh.position
from fresh
left join held
    on fresh.account = held.account and fresh.record_id = held.record_id
where held.payload is distinct from fresh.payload
order by fresh.position
