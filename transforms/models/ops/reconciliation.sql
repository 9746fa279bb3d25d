-- One row per window of a vendor stream: the vendor's own total against the rows read, at its last reading.
-- A question about a day's pending calls is no reading of its window, and an answer that
-- the account may not read it is none either.
-- @key vendor, account, stream, window_start
-- @accepted verdict: matched, mismatched, no_total, not_read
with last_reading as (
    select *
    from ops.load_windows
    where purpose != 'settle' and state != 'unreachable' and split_of is null
    qualify row_number() over (
        partition by vendor, account, stream, window_start
        order by started_at desc, load_id desc
    ) = 1
)

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
from last_reading
