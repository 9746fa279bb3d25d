-- One row per vendor account and stream: how far it is loaded, and what is open.
-- A backfill is no sign that a stream is up to date.
select
    vendor,
    account,
    stream,
    min(window_start) filter (where state = 'complete') as held_from,
    max(window_end) filter (where state = 'complete') as held_until,
    count(*) filter (where state = 'complete') as windows_complete,
    count(*) filter (where state not in ('complete', 'unreachable')) as windows_open,
    max(started_at) filter (where purpose != 'backfill') as last_read_at,
    arg_max(error, started_at) filter (where state != 'complete') as last_error
from ops.last_readings
group by all
order by all
