-- One row per call and agent, in the order in which they came to it.
-- @key call_key, agent_key
-- @not_null seq, is_bot
-- @column call_key: the call
-- @column agent_key [key, may have a number]: vendor:account:vendor_agent_id, as in dim_agents
-- @column seq: 1 for the first agent of the call
-- @column agent_name [may be a number]: as the vendor wrote it at this call; NULL = not given
-- @column is_bot: whether the agent is a program
-- @column talk_seconds [seconds]: what this agent talked in this call; NULL = not reported, or not
--     for each of several agents
with agents as (
    select
        vendor,
        account,
        vendor_call_id,
        vendor_agent_id,
        min(seq) as seq,
        arg_min(agent_name, seq) as agent_name,
        bool_or(is_bot) as is_bot,
        sum(talk_seconds)::decimal(12, 3) as talk_seconds
    from staging.agents
    where vendor_agent_id is not null
    group by vendor, account, vendor_call_id, vendor_agent_id
)

select
    agents.vendor || ':' || agents.account || ':' || agents.vendor_call_id as call_key,
    agents.vendor || ':' || agents.account || ':' || agents.vendor_agent_id as agent_key,
    row_number() over (
        partition by agents.vendor, agents.account, agents.vendor_call_id
        order by agents.seq
    )::integer as seq,
    agents.agent_name,
    agents.is_bot,
    coalesce(
        agents.talk_seconds,
        case when calls.agent_count = 1 and not agents.is_bot then calls.talk_seconds end
    ) as talk_seconds
from agents
inner join staging.calls as calls
    on
        agents.vendor = calls.vendor
        and agents.account = calls.account
        and agents.vendor_call_id = calls.vendor_call_id
