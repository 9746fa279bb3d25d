-- One row per agent of a Whippy call: a bot by agent_id, a person by user_id.
-- Their names stand in other lists of the vendor.
-- @key account, vendor_call_id, vendor_agent_id
-- @column seq: the bot before the person
-- @column vendor_agent_id: agent_id of a bot, user_id of a person
-- @column is_bot: true with agent_id
with numbered as (
    select
        account,
        record_id as vendor_call_id,
        unnest([record['agent_id'], record['user_id']]) as vendor_agent_id,
        unnest([true, false]) as is_bot
    from staging.whippy__records
)

select
    account,
    vendor_call_id,
    row_number() over (partition by account, vendor_call_id order by is_bot desc)::integer as seq,
    vendor_agent_id,
    is_bot
from numbered
where vendor_agent_id != ''
