-- One row per record held in a span of event times, unless its last reading lacked it.
-- One that came from another day's window is left out: then windows do not go by the
-- event time, and its absence from its own day proves nothing.
with latest as (
    select
        account,
        record_id,
        event_at,
        window_from,
        payload
    from records
    qualify row_number() over (
        partition by account, record_id
        order by fetched_at desc, _dlt_load_id desc
    ) = 1
)

select
    record_id,
    event_at
from latest
where
    payload is not null
    and event_at >= window_from - interval 1 second
    and event_at < date_trunc('day', window_from) + interval 1 day + interval 1 second
