-- One row per entry of a Zoom engagement's agents.
-- @key account, vendor_call_id, seq
-- @column seq: order in agents
-- @column vendor_agent_id: agents[].user_id, else display_name
-- @column agent_name: agents[].display_name
-- @column is_bot: agents are people
-- @column role: offered where the agent has legs in voice_call_details, none of them answered by its
--     result; else as is_answered of the call
with entries as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['agents']) as agent,
        generate_subscripts(record['agents'], 1)::integer as seq
    from staging.zoom__voice_calls
),

named as (
    select
        account,
        vendor_call_id,
        seq,
        coalesce(nullif(agent['user_id'], ''), nullif(agent['display_name'], ''))
            as vendor_agent_id,
        nullif(agent['display_name'], '') as agent_name
    from entries
),

on_legs as (
    select
        account,
        vendor_call_id,
        leg['result'] as result,
        unnest(leg['agents']) as agent
    from staging.zoom__details
),

unanswered as (
    select
        on_legs.account,
        on_legs.vendor_call_id,
        coalesce(nullif(on_legs.agent['user_id'], ''), nullif(on_legs.agent['display_name'], ''))
            as vendor_agent_id
    from on_legs
    left join seeds.outcomes as words
        on words.vendor = 'zoom' and on_legs.result = words.vendor_outcome
    group by all
    having bool_and(coalesce(not words.is_answered, false))
)

select
    named.account,
    named.vendor_call_id,
    named.seq,
    named.vendor_agent_id,
    named.agent_name,
    false as is_bot,
    if(unanswered.account is null, null, 'offered') as role
from named
left join unanswered
    on
        named.account = unanswered.account
        and named.vendor_call_id = unanswered.vendor_call_id
        and named.vendor_agent_id = unanswered.vendor_agent_id
