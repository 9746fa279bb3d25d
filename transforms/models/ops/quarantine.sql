-- One row per record that could not be read, with its reason and its bytes.
-- @key vendor, account, stream, window_from, record_no, fetched_at
-- @not_null reason, payload, is_open
-- @personal anyone: payload
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column stream: what the vendor was asked for
-- @column window_from: start of the window that was asked for, UTC
-- @column window_to: end of that window, UTC; NULL = not asked by window
-- @column record_no: place of the record in the window's answer
-- @column reason: why it could not be read
-- @column payload [record]: the bytes that came; may be personal
-- @column fetched_at: when, UTC
-- @column is_open: whether no complete read of its window came later, which would have it as a row
--     of its own if it still could not be read
select
    stored.vendor,
    stored.account,
    stored.stream,
    stored.window_from,
    stored.window_to,
    stored.record_no,
    stored.reason,
    stored.payload,
    stored.fetched_at,
    not exists (
        select 1
        from ops.load_windows as later
        where
            later.vendor = stored.vendor
            and later.account = stored.account
            and later.stream = stored.stream
            and later.state = 'complete'
            and later.purpose != 'settle'
            and later.split_of is null
            and (later.load_no, later.started_at) > (stored.load_no, stored.fetched_at)
            and later.window_start <= stored.window_from
            and later.window_end >= stored.window_to
    ) as is_open
from raw.quarantine as stored
