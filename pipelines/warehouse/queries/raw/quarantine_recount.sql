-- quarantine_recount
-- Count the records that can be read now as read in the reads that brought them, so
-- that what is stored of a window still agrees with what came.
with freed as (
    select
        stored.account,
        stored.stream,
        stored.window_from,
        stored.window_to,
        stored.fetched_at,
        count(*) as records,
        count(distinct readable.record_id) as rows_distinct,
        count(distinct readable.record_id) filter (
            where readable.event_at >= stored.window_from and readable.event_at < stored.window_to
        ) as rows_inside
    from raw.quarantine as stored
    inner join readable
        on
            stored.account = readable.account
            and stored.stream = readable.stream
            and stored.payload = readable.payload
    group by all
)

update raw.load_windows as windows
set
    rows_quarantined = windows.rows_quarantined - freed.records,
    rows_stored = windows.rows_stored + freed.records,
    rows_distinct = windows.rows_distinct + freed.rows_distinct,
    rows_inside = windows.rows_inside + freed.rows_inside
from freed
where
    windows.account = freed.account
    and windows.stream = freed.stream
    and windows.window_start = freed.window_from
    and windows.window_end = freed.window_to
    and windows.started_at = freed.fetched_at
    and windows.split_of is null
