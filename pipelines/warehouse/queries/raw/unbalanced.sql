-- Reads of windows of which not every record is stored, unchanged or in quarantine; and how
-- many reads are not accounted for, because an older program made them.
select
    windows.account,
    windows.stream,
    min(windows.window_start) as first_window,
    count(*) filter (
        where windows.rows_received
        != windows.rows_stored + windows.rows_unchanged + windows.rows_quarantined
    ) as unbalanced,
    count(*) filter (where windows.rows_stored is null) as unknown
from raw_file.raw.load_windows as windows
inner join raw_file.raw._dlt_loads as loads
    on windows._dlt_load_id = loads.load_id and loads.status = 0
where
    windows.split_of is null
    and windows.state = 'complete'
group by all
order by all
