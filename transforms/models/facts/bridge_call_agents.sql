-- One row per call and agent, in the order in which they came to it: those who handled it, and
-- those to whom it was only offered.
-- @key call_key, agent_key
-- @not_null seq, is_bot
-- @accepted role: handled, offered
-- @personal staff: agent_key, agent_name
-- @column call_key: the call
-- @column agent_key [key, may have a number]: vendor:account:vendor_agent_id, as in dim_agents
-- @column seq: 1 for the first agent of the call
-- @column agent_name [may be a number]: as the vendor wrote it at this call; NULL = not given
-- @column is_bot: whether the agent is a program
-- @column role: handled = spoke in the call; offered = it rang at the agent, who did not take it, or
--     the agent dialled and nobody answered, as Genesys counts offered apart from handled; NULL = the
--     call is not known to be answered, or not to be
-- @column talk_seconds [seconds]: what this agent talked in this call; NULL = not reported, not
--     for each of several agents, or the agent did not handle it
with with_number as (
    select
        *,
        count_if(role = 'handled') over (
            partition by vendor, account, vendor_call_id
        ) as handling_agents
    from intermediate.call_agents
)

select
    agents.vendor || ':' || agents.account || ':' || agents.vendor_call_id as call_key,
    agents.vendor || ':' || agents.account || ':' || agents.vendor_agent_id as agent_key,
    agents.seq,
    agents.agent_name,
    agents.is_bot,
    agents.role,
    case
        when agents.role != 'handled' then null
        when agents.talk_seconds is not null
            then least(agents.talk_seconds, calls.talk_seconds)
        when
            agents.handling_agents = 1 and calls.agent_count is not null
            and agents.role = 'handled' and not agents.is_bot
            then calls.talk_seconds
    end as talk_seconds
from with_number as agents
inner join staging.calls as calls
    on
        agents.vendor = calls.vendor
        and agents.account = calls.account
        and agents.vendor_call_id = calls.vendor_call_id
