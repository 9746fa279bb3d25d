-- One row per vendor account and stream: how far it is loaded, what is open, and since when
-- every window of the last 90 days was read or counted. A backfill does not show that a
-- stream is up to date.
with counts as (
    select
        vendor,
        account,
        stream,
        window_start,
        max(started_at) as counted_at
    from ops.load_windows
    where state = 'counted'
    group by all
)

select
    readings.vendor,
    readings.account,
    readings.stream,
    min(readings.window_start) filter (where readings.state = 'complete') as stored_from,
    max(readings.window_end) filter (where readings.state = 'complete') as stored_until,
    count(*) filter (where readings.state = 'complete') as windows_complete,
    count(*) filter (where readings.state not in ('complete', 'unreachable')) as windows_open,
    max(readings.started_at) filter (where readings.purpose != 'backfill') as last_read_at,
    min(greatest(readings.started_at, counts.counted_at)) filter (
        where readings.state = 'complete'
        and readings.window_end >= getvariable('now') - interval 90 days
    ) as checked_since,
    arg_max(readings.error, readings.started_at) filter (
        where readings.state != 'complete'
    ) as last_error
from ops.latest_window_reads as readings
left join counts
    on
        readings.vendor = counts.vendor
        and readings.account = counts.account
        and readings.stream = counts.stream
        and readings.window_start = counts.window_start
group by all
order by all
