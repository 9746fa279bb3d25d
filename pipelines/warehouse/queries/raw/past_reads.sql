-- Windows that were read before. One counts only when the load that wrote it is complete:
-- dlt marks a load with status 0 after the last of its tables is in.
-- A part of a window counts with its whole.
select
    windows.account,
    windows.stream,
    windows.window_start,
    windows.window_end,
    windows.purpose,
    windows.state,
    windows.started_at,
    windows.requests,
    windows.rows_distinct,
    epoch(windows.finished_at - windows.started_at) as seconds,
    windows.reason,
    windows.load_no,
    coalesce(windows.rows_quarantined, 0) as unreadable
from raw_file.raw.load_windows as windows
inner join raw_file.raw._dlt_loads as loads
    on windows._dlt_load_id = loads.load_id and loads.status = 0
where windows.split_of is null
order by windows.load_no, windows.started_at
