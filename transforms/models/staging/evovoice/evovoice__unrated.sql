-- One row per voice session that has ended and has no cost, and why.
-- @key account, vendor_call_id
select
    sessions.account,
    sessions.record_id as vendor_call_id,
    coalesce(sessions.unrated_reason, 'no_price') as reason
from staging.evovoice__rated_sessions as sessions
anti join staging.evovoice__costs as costs
    on sessions.account = costs.account and sessions.record_id = costs.vendor_call_id
