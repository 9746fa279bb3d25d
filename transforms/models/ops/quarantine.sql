-- One row per record that could not be read, with its reason and its bytes.
-- @key vendor, account, stream, window_from, record_no, fetched_at
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
