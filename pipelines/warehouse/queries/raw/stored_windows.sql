-- The rows of last_reads.sql, with how many records inside each window are stored now.
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
