-- One row per agent that any call names.
-- @key agent_key
-- @not_null vendor, account, is_bot, calls, offered_calls, vendor_agent_id
-- @personal staff: agent_key, vendor_agent_id, agent_name
-- @column agent_key [key, may have a number]: vendor:account:vendor_agent_id
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_agent_id [may be a number]: the vendor's number of the agent, or the name where it has none
-- @column agent_name [may be a number]: as the latest call names it; NULL = never named
-- @column is_bot: whether the agent is a program
-- @column calls [calls]: calls that name the agent, but for offered_calls; deleted ones do not count
-- @column offered_calls [calls]: calls that were only offered to the agent; deleted ones do not count
-- @column first_call_at: start of the first of all of them, UTC; NULL = none is left
-- @column last_call_at: start of the last of all of them, UTC; NULL = none is left
select
    agents.agent_key,
    any_value(calls.vendor) as vendor,
    any_value(calls.account) as account,
    any_value(agents.agent_key[length(calls.vendor || calls.account) + 3:]) as vendor_agent_id,
    arg_max(agents.agent_name, (calls.started_at, calls.call_key))
    filter (where agents.agent_name is not null) as agent_name,
    bool_or(agents.is_bot) as is_bot,
    count(*) filter (where not calls.is_deleted and agents.role is distinct from 'offered')
        as calls,
    count(*) filter (where not calls.is_deleted and agents.role = 'offered') as offered_calls,
    min(calls.started_at) filter (where not calls.is_deleted) as first_call_at,
    max(calls.started_at) filter (where not calls.is_deleted) as last_call_at
from main.bridge_call_agents as agents
inner join main.fact_calls as calls on agents.call_key = calls.call_key
group by agents.agent_key
