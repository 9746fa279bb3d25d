-- One row per window of a stream at its last complete read: how many records came that lie
-- inside it, and what the vendor's total was.
select
    windows.account,
    windows.window_start,
    windows.window_end,
    windows.started_at,
    windows.rows_inside,
    windows.vendor_total
from windows
inner join raw_file.raw._dlt_loads as loads
    on windows._dlt_load_id = loads.load_id and loads.status = 0
where
    windows.state = 'complete'
    and windows.purpose != 'settle'
    and windows.split_of is null
    -- Older programs did not count them: such a read says nothing of its window.
    and windows.rows_inside is not null
qualify row_number() over (
    partition by windows.account, windows.window_start
    order by windows.load_no desc, windows.started_at desc
) = 1
