-- One row per window of a vendor stream: the vendor's own total against the rows read, at its last reading.
-- An answer that the account may not read it is no reading.
-- @key vendor, account, stream, window_start
-- @accepted verdict: matched, mismatched, no_total, not_read
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
        else 'mismatched'
    end as verdict,
    started_at as read_at
from ops.last_readings
where state != 'unreachable'
