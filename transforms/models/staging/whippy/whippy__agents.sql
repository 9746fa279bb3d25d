-- One row per agent of a Whippy call: a bot by agent_id, else metadata.agent_id, a person by user_id.
-- Their names stand in other lists of the vendor.
-- @key account, vendor_call_id, seq
-- @column seq: the bot before the person
-- @column vendor_agent_id: agent_id of a bot, else metadata.agent_id; user_id of a person
-- @column is_bot: true for the former
select
    account,
    record_id as vendor_call_id,
    unnest([1, 2]) as seq,
    unnest([bot_id, nullif(record['user_id'], '')]) as vendor_agent_id,
    unnest([true, false]) as is_bot
from staging.whippy__records
