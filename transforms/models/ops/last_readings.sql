-- One row per window of a vendor stream: its last reading, whatever came of it.
-- A question about a day's pending calls is no reading of its window, and a part of one is
-- read with its whole. Windows that begin
-- together are one window that grew: today's, until today is over.
-- @key vendor, account, stream, window_start
-- @accepted state: complete, partial, failed, unreachable
select
    vendor,
    account,
    stream,
    window_start,
    window_end,
    purpose,
    state,
    rows_fetched,
    rows_distinct,
    rows_quarantined,
    vendor_total,
    requests,
    retries,
    attempt,
    load_id,
    started_at,
    finished_at,
    error
from ops.load_windows
where purpose != 'settle' and split_of is null
qualify row_number() over (
    partition by vendor, account, stream, window_start
    order by started_at desc, load_id desc
) = 1
