-- One row per vendor account and stream: how it is planned.
-- A stream is required when a day without it is not all there: it is neither optional nor
-- a register that is read whole. An account that is loaded but no longer configured keeps
-- its streams, as they are by default.
-- @key vendor, account, stream
-- @not_null is_configured, is_required, is_by_event_time, lookback, lag, settle_after
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
