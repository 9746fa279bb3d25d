-- One row per answered leg to a user of the application in a Voximplant session.
-- Voximplant names a user by the login that was called. What was not answered is not part.
-- @key account, vendor_call_id, seq
-- @column seq: order of their answered legs
-- @column vendor_agent_id: remote_number of a leg to a user
-- @column agent_name: remote_number of a leg to a user
-- @column is_bot: users are people
-- @column talk_seconds: duration of the user's answered legs
select
    account,
    vendor_call_id,
    leg_no as seq,
    to_party as vendor_agent_id,
    to_party as agent_name,
    false as is_bot,
    total_seconds as talk_seconds
from staging.voximplant__legs
where role = 'agent' and is_successful
