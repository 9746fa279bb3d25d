-- One row per window of a vendor stream: its last read, whatever came of it.
-- A question about a day's pending calls or for its total is not a read of its window, and
-- a part of one is read with its whole. Windows that begin together are one window that grew:
-- today's, until today is over.
-- @former_name ops.last_readings
-- @key vendor, account, stream, window_start
-- @accepted state: complete, partial, failed, unreachable
-- @not_null window_end, purpose, state, started_at
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column stream: what the vendor lists in such windows
-- @column window_start: first moment that belongs to the window, UTC
-- @column window_end: first moment after it, UTC
-- @column purpose: why it was read: nightly, lookback, retry, backfill, recheck
-- @column state: complete, partial, failed, unreachable (the vendor serves it no more)
-- @column rows_fetched [records]: as the pages had them; NULL = none could be read
-- @column rows_distinct [records]: of them different ones; NULL = none could be read
-- @column rows_quarantined [records]: of them kept aside, for they could not be read; NULL = none
--     could be read
-- @column vendor_total [records]: the vendor's own count; NULL = it gives none
-- @column requests [requests]: that the read took; NULL = counted with the whole window
-- @column retries [requests]: of them repeated; NULL = counted with the whole window
-- @column attempt: how often it was tried, from 1; NULL = counted with the whole window
-- @column load_id: the load that wrote it; NULL = it wrote none
-- @column started_at: when the read began, UTC
-- @column finished_at: when it ended, UTC; NULL = it did not
-- @column reason: why it is not simply complete, as in load_windows; NULL = it is, or failed before
--     reasons were kept
-- @column error: why it failed, without personal data; NULL = it did not
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
    reason,
    error
from ops.load_windows
where purpose not in ('settle', 'audit') and split_of is null
qualify row_number() over (
    partition by vendor, account, stream, window_start
    order by load_no desc, started_at desc
) = 1
