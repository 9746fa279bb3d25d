-- One row per read of a window and UTC day it reaches into: which part of the day it read.
-- A read counts as complete, as settled (it began a lookback after the window's end, so
-- it is the last one planned), and as reached, with those that the vendor serves no more.
select
    windows.vendor,
    windows.account,
    windows.stream,
    unnest(
        generate_series(
            date_trunc('day', windows.window_start),
            windows.window_end - interval 1 microsecond,
            interval 1 day
        )
    ) as midnight,
    greatest(windows.window_start, midnight) as part_start,
    least(windows.window_end, midnight + interval 1 day) as part_end,
    windows.window_start,
    windows.window_end,
    coalesce(windows.rows_inside, windows.rows_distinct) as records,
    windows.started_at,
    windows.load_no,
    windows.state = 'complete' as is_complete,
    windows.state = 'complete'
    and windows.started_at >= windows.window_end + streams.lookback as is_settled
from ops.load_windows as windows
inner join ops.streams as streams
    on
        windows.vendor = streams.vendor
        and windows.account = streams.account
        and windows.stream = streams.stream
where
    streams.is_required
    and windows.purpose not in ('settle', 'audit')
    and windows.split_of is null
    and windows.state in ('complete', 'unreachable')
