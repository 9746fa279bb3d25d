-- One row per vendor account and stream: how far it is loaded, and what is open.
with last_reading as (
    select *
    from ops.load_windows
    where purpose != 'settle' and split_of is null
    qualify row_number() over (
        partition by vendor, account, stream, window_start
        order by started_at desc, load_id desc
    ) = 1
)

select
    vendor,
    account,
    stream,
    min(window_start) as held_from,
    max(window_end) filter (where state = 'complete') as held_until,
    count(*) filter (where state = 'complete') as windows_complete,
    count(*) filter (where state not in ('complete', 'unreachable')) as windows_open,
    max(started_at) as last_read_at,
    arg_max(error, started_at) filter (where state != 'complete') as last_error
from last_reading
group by all
order by all
