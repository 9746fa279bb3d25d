-- One row per read of a window of a vendor stream.
-- @key vendor, account, stream, window_start, window_end, started_at
-- @accepted state: complete, partial, failed, unreachable, counted
-- @accepted reason: expired, not_authorized, quota, auth, clock, other, short, missing, silent,
--     unsteady, vendor_counts_more, unbalanced, begun
-- @not_null purpose, state
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column stream: what the vendor lists in such windows
-- @column window_start: first moment that belongs to the window, UTC
-- @column window_end: first moment after it, UTC
-- @column purpose: why it was read: nightly, lookback, retry, settle (for its pending calls only;
--     with 0 requests: no later run asks for a call of these days), backfill, recheck (stored
--     records were missing of it or of the days beside it, or its vendor counts otherwise), audit
--     (for its total only)
-- @column state: complete, partial, failed, unreachable (the vendor serves it no more), counted
--     (asked for its total only)
-- @column rows_fetched [records]: as the pages had them; NULL = none could be read
-- @column rows_distinct [records]: of them different ones; NULL = none could be read
-- @column rows_inside [records]: of rows_distinct those whose own time lies in the window, not in
--     the second more that is asked; NULL = its windows go by another time
-- @column rows_quarantined [records]: of them kept aside, for they could not be read; NULL = none
--     could be read
-- @column rows_received [records]: handed on to be stored: rows_stored + rows_unchanged +
--     rows_quarantined, else the reason is unbalanced; NULL = none could be read, or it was not
--     counted yet
-- @column rows_stored [records]: of rows_received those that are new or changed, and stored as a
--     version; NULL = as in rows_received
-- @column rows_unchanged [records]: of rows_received those whose newest stored version is the same;
--     NULL = as in rows_received
-- @column vendor_total [records]: the vendor's own count; NULL = it gives none
-- @column requests [requests]: that the read took; NULL = counted with the whole window
-- @column retries [requests]: of them repeated; NULL = counted with the whole window
-- @column rows_vanished [records]: stored records of it that were not listed: ops.absences says
--     what became of them; NULL = not asked
-- @column rows_known [records]: of rows_distinct those that were stored before; NULL = not counted
-- @column split_of: the window that this is a part of, where one read could not reach all of it; a
--     part counts there; NULL = it is a whole
-- @column attempt: how often it was tried, from 1; NULL = counted with the whole window
-- @column load_id: the load that wrote it; NULL = it wrote none
-- @column load_no: the number of the load that read it, greater than those before; 0 = it was not
--     numbered yet; NULL = not known
-- @column started_at: when the read began, UTC
-- @column finished_at: when it ended, UTC; NULL = it did not
-- @column reason: why it is not simply complete: expired or not_authorized (unreachable); quota,
--     auth, clock (the clock of the run or of the vendor is wrong), other (failed); short (fewer
--     came than the vendor counts), missing (stored records did not come, and that is not
--     believed), silent (nothing came while that was so); unsteady (its reads differed, all that
--     came is stored), vendor_counts_more (its total is more than it lists), unbalanced (not every
--     record that came is stored, unchanged or in quarantine), begun (the run ended while its
--     records were being stored); NULL = nothing of this
-- @column error: why it failed, without personal data; NULL = it did not
select
    windows.vendor,
    windows.account,
    windows.stream,
    windows.window_start,
    windows.window_end,
    windows.purpose,
    windows.state,
    windows.rows_fetched,
    windows.rows_distinct,
    windows.rows_inside,
    windows.rows_quarantined,
    windows.rows_received,
    windows.rows_stored,
    windows.rows_unchanged,
    windows.vendor_total,
    windows.requests,
    windows.retries,
    windows.rows_vanished,
    windows.rows_known,
    windows.split_of,
    windows.attempt,
    windows._dlt_load_id as load_id,
    windows.load_no,
    windows.started_at,
    windows.finished_at,
    windows.reason,
    windows.error
from raw.load_windows as windows
inner join inputs.loads as loads
    on windows.vendor = loads.vendor and windows._dlt_load_id = loads.load_id
where loads.status = 0
