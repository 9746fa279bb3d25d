-- One row per window of a stream at its last complete read: how many records came
-- that lie inside it, what the vendor's total was, and how many are stored of it now.
with window_reads as (
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
)

select
    window_reads.account,
    window_reads.window_start,
    window_reads.window_end,
    window_reads.started_at,
    window_reads.rows_inside,
    window_reads.vendor_total,
    count(latest.record_id) as rows_stored
from window_reads
left join latest
    on
        window_reads.account = latest.account
        and window_reads.window_start <= latest.event_at
        and window_reads.window_end > latest.event_at
group by all
order by window_reads.account, window_reads.window_start
