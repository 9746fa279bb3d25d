-- One row per user of the application who took part in a Voximplant session.
-- Voximplant names a user by the login that was called. What was not answered is not part.
-- @key account, vendor_call_id, vendor_agent_id
-- @not_null seq
-- @column seq: order of their first answered leg
-- @column vendor_agent_id: remote_number of a leg to a user
-- @column agent_name: remote_number of a leg to a user
-- @column is_bot: users are people
-- @column talk_seconds: duration of the user's answered legs
select
    account,
    vendor_call_id,
    row_number() over (partition by account, vendor_call_id order by min(leg_no))::integer
        as seq,
    to_party as vendor_agent_id,
    to_party as agent_name,
    false as is_bot,
    sum(total_seconds)::decimal(12, 3) as talk_seconds
from staging.voximplant__legs
where role = 'agent' and is_successful and to_party is not null
group by account, vendor_call_id, to_party
