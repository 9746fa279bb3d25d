-- One row per vendor account and stream: how it is planned.
-- A stream is required when a day without it is not all there: it is neither optional nor
-- a register that is read whole. An account that is loaded but no longer configured keeps
-- its streams, as they are by default.
-- @key vendor, account, stream
-- @not_null is_configured, is_required, is_by_event_time, lookback, lag, settle_after, is_optional,
--     is_reference
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column stream: what the vendor lists
-- @column is_configured: whether the account is still configured
-- @column is_optional: whether the account may lack it
-- @column is_reference: whether it is a register that is read whole
-- @column is_required: whether a day without it is not all there
-- @column is_by_event_time: whether its windows have the records of their own time, not those
--     changed or billed in it
-- @column lookback: a window is read again until it is this old
-- @column lag: a window has all its records when it is this old
-- @column settle_after: a call without an end or a price is asked for until it is this old
-- @column daily_requests [requests]: that a day may take; NULL = no limit is set
select
    vendor,
    account,
    stream,
    is_configured,
    is_optional,
    is_reference,
    not is_optional and not is_reference as is_required,
    -- A window has the records of its own time, not those changed or billed in it.
    is_by_event_time,
    lookback,
    lag,
    settle_after,
    -- NULL: no limit is set.
    daily_requests
from config.streams
