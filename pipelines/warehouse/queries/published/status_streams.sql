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
    window_reads.vendor,
    window_reads.account,
    window_reads.stream,
    min(window_reads.window_start) filter (where window_reads.state = 'complete') as stored_from,
    max(window_reads.window_end) filter (where window_reads.state = 'complete') as stored_until,
    count(*) filter (where window_reads.state = 'complete') as windows_complete,
    count(*) filter (where window_reads.state not in ('complete', 'unreachable')) as windows_open,
    min(window_reads.window_start) filter (
        where window_reads.state not in ('complete', 'unreachable')
    ) as open_since,
    max(window_reads.started_at) filter (where window_reads.purpose != 'backfill') as last_read_at,
    min(greatest(window_reads.started_at, counts.counted_at)) filter (
        where window_reads.state = 'complete'
        and window_reads.window_end >= getvariable('now') - interval 90 days
    ) as checked_since,
    arg_max(window_reads.error, window_reads.started_at) filter (
        where window_reads.state != 'complete'
    ) as last_error
from ops.latest_window_reads as window_reads
left join counts
    on
        window_reads.vendor = counts.vendor
        and window_reads.account = counts.account
        and window_reads.stream = counts.stream
        and window_reads.window_start = counts.window_start
group by all
order by all
