-- One row per leg to or from a user of the application in a Voximplant session.
-- Voximplant names a user by the login that called or was called.
-- @key account, vendor_call_id, seq
-- @column seq: order of their legs, those that were answered first
-- @column vendor_agent_id: remote_number of a leg to or from a user
-- @column agent_name: remote_number of a leg to or from a user
-- @column is_bot: users are people
-- @column role: offered where none of the user's legs was answered; else as is_answered of the call
-- @column talk_seconds: how long the user's answered legs and one of the customer's lasted together,
--     at the first of the user's legs
with legs as (
    select
        account,
        vendor_call_id,
        leg_no,
        if(direction = 'inbound', from_party, to_party) as party,
        coalesce(is_successful, true) as may_have_spoken
    from staging.voximplant__legs
    where role = 'agent'
),

ranked as (
    select
        *,
        bool_or(may_have_spoken) over of_party as has_spoken,
        row_number() over (of_party order by leg_no) as leg_of_party
    from legs
    window of_party as (partition by account, vendor_call_id, party)
)

select
    ranked.account,
    ranked.vendor_call_id,
    row_number() over (
        partition by ranked.account, ranked.vendor_call_id
        order by ranked.may_have_spoken desc, ranked.leg_no asc
    )::integer as seq,
    ranked.party as vendor_agent_id,
    ranked.party as agent_name,
    false as is_bot,
    if(ranked.has_spoken, null, 'offered') as role,
    talks.seconds as talk_seconds
from ranked
left join staging.voximplant__talks as talks
    on
        talks.part = 'agent'
        and ranked.leg_of_party = 1
        and ranked.account = talks.account
        and ranked.vendor_call_id = talks.vendor_call_id
        and ranked.party = talks.party
