-- One row per Whippy call: the channel that it came in on or went out from. The organization
-- or sub-organization that is billed is the account: each has a key of its own.
-- @key account, vendor_call_id, level
-- @column payer_kind: channel
-- @column payer_id: channel_id
select
    account,
    record_id as vendor_call_id,
    1::integer as level,
    'channel' as payer_kind,
    record['channel_id'] as payer_id
from staging.whippy__records
where record['channel_id'] != ''
