-- One row per agent of a Zoom engagement, each once, in the order of its record.
-- @key account, vendor_call_id, vendor_agent_id
-- @not_null seq
-- @column seq: order in agents
-- @column vendor_agent_id: agents[].user_id, else display_name
-- @column agent_name: agents[].display_name
-- @column is_bot: agents are people
with listed as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['agents']) as agent,
        generate_subscripts(record['agents'], 1)::integer as position
    from staging.zoom__voice_calls
),

named as (
    select
        account,
        vendor_call_id,
        position,
        nullif(agent['display_name'], '') as agent_name,
        coalesce(nullif(agent['user_id'], ''), agent_name) as vendor_agent_id
    from listed
)

select
    account,
    vendor_call_id,
    row_number() over (partition by account, vendor_call_id order by min(position))::integer
        as seq,
    vendor_agent_id,
    arg_min(agent_name, position) as agent_name,
    false as is_bot
from named
where vendor_agent_id is not null
group by account, vendor_call_id, vendor_agent_id
