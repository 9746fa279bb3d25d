-- One row per record that could not be read, with its reason and its bytes.
-- @key vendor, account, stream, window_from, record_no, fetched_at
-- @not_null reason, payload
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column stream: what the vendor was asked for
-- @column window_from: start of the window that was asked for, UTC
-- @column window_to: end of that window, UTC; NULL = not asked by window
-- @column record_no: place of the record in the window's answer
-- @column reason: why it could not be read
-- @column payload: the bytes that came; may be personal
-- @column fetched_at: when, UTC
select
    vendor,
    account,
    stream,
    window_from,
    window_to,
    record_no,
    reason,
    payload,
    fetched_at
from raw.quarantine
