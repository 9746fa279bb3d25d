-- One row per version of a record, the oldest first: what came, and in which windows.
-- A version without a payload says that its vendor no longer listed the record.
select
    records.fetched_at,
    records._dlt_load_id as load_id,
    records.payload,
    records.load_no,
    coalesce(
        list({
            'stream': windows.stream,
            'purpose': windows.purpose,
            'window_start': windows.window_start,
            'window_end': windows.window_end,
            'state': windows.state
        } order by windows.stream, windows.window_start)
        filter (where windows.stream is not null),
        []
    ) as windows
from records
left join raw_file.raw.load_windows as windows
    on
        records.fetched_at = windows.started_at
        and records.account = windows.account
        and records.window_from = windows.window_start
group by all
order by records.load_no, records.fetched_at
