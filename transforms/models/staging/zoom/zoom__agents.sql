-- One row per entry of a Zoom engagement's agents.
-- @key account, vendor_call_id, seq
-- @column seq: order in agents
-- @column vendor_agent_id: agents[].user_id, else display_name
-- @column agent_name: agents[].display_name
-- @column is_bot: agents are people
with entries as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['agents']) as agent,
        generate_subscripts(record['agents'], 1)::integer as seq
    from staging.zoom__voice_calls
)

select
    account,
    vendor_call_id,
    seq,
    coalesce(nullif(agent['user_id'], ''), nullif(agent['display_name'], ''))
        as vendor_agent_id,
    nullif(agent['display_name'], '') as agent_name,
    false as is_bot
from entries
