-- One row per window of a vendor stream: the vendor's own total against the rows read, at its last
-- read. A window that the vendor does not serve, or not to this account, is left out.
-- @key vendor, account, stream, window_start
-- @accepted verdict: matched, mismatched, vendor_counts_more, no_total, not_read
-- @not_null window_end, state, verdict, read_at
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column stream: what the vendor lists in such windows
-- @column window_start: first moment that belongs to the window, UTC
-- @column window_end: first moment after it, UTC
-- @column state: of the last read: complete, partial, failed
-- @column vendor_total [records]: the vendor's own count; NULL = it gives none
-- @column rows_distinct [records]: different records that were read; NULL = none could be read
-- @column rows_quarantined [records]: records kept aside, for they could not be read; NULL = none
--     could be read
-- @column verdict: matched, mismatched, vendor_counts_more (than it lists, however finely it is
--     asked), no_total (the vendor gives none), not_read (the reading failed)
-- @column read_at: start of the last read, UTC
select
    vendor,
    account,
    stream,
    window_start,
    window_end,
    state,
    vendor_total,
    rows_distinct,
    rows_quarantined,
    case
        when state = 'failed' then 'not_read'
        when vendor_total is null then 'no_total'
        when vendor_total = rows_distinct + rows_quarantined then 'matched'
        when reason = 'vendor_counts_more' then 'vendor_counts_more'
        else 'mismatched'
    end as verdict,
    started_at as read_at
from ops.latest_window_reads
where state != 'unreachable'
