-- One row per window of a stream at its last complete reading: how many records came
-- that lie inside it, what the vendor's total was, and how many are stored of it now.
with readings as (
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
        -- Older programs did not count them: such a reading says nothing of its window.
        and windows.rows_inside is not null
    qualify row_number() over (
        partition by windows.account, windows.window_start
        order by windows.load_no desc, windows.started_at desc
    ) = 1
)

select
    readings.account,
    readings.window_start,
    readings.window_end,
    readings.started_at,
    readings.rows_inside,
    readings.vendor_total,
    count(latest.record_id) as rows_stored
from readings
left join latest
    on
        readings.account = latest.account
        and readings.window_start <= latest.event_at
        and readings.window_end > latest.event_at
group by all
order by readings.account, readings.window_start
