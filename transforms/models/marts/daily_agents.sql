-- One row per date, vendor, account and agent: what the agent took and did not take, additive counts and
-- sums only. A call with several agents counts for each, so that agents do not add up to calls. Deleted
-- calls do not count.
-- @key call_date, vendor, account, agent_key
-- @nullable call_date
-- @not_null is_bot, calls, inbound_calls, outbound_calls, inbound_offered_calls, unanswered_calls
-- @not_null unknown_calls, transferred_calls, transfer_known_calls, talked_calls, alone_calls
-- @not_null handled_calls
-- @personal staff: agent_key, agent_name
-- @column call_date: as in daily_calls; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column agent_key [key, may have a number]: as in dim_agents
-- @column agent_name [may be a number]: as the latest call of the row names it; NULL = none does
-- @column is_bot: whether the agent is a program
-- @column calls [calls]: calls that the agent handled
-- @column inbound_calls [calls]: of calls the inbound ones
-- @column outbound_calls [calls]: of calls the outbound ones
-- @column inbound_offered_calls [calls]: inbound calls that came to the agent, who did not take them
-- @column unanswered_calls [calls]: other calls of the agent that nobody took
-- @column unknown_calls [calls]: calls that name the agent, and of which it is not known whether they were
--     answered
-- @column transferred_calls [calls]: of transfer_known_calls those transferred, by whomever
-- @column transfer_known_calls [calls]: of calls those of which that is known
-- @column talked_calls [calls]: of calls those of which is known how long this agent talked
-- @column talk_seconds [seconds]: talk of the agent in talked_calls; NULL = there are none
-- @column alone_calls [calls]: of calls those that no other agent handled
-- @column handled_calls [calls]: of alone_calls those whose handle time is known
-- @column handle_seconds [seconds]: handle time of handled_calls, which is the agent's where nobody else
--     handled the call; NULL = there are none
with calls as (
    select
        facts.call_date,
        facts.vendor,
        facts.account,
        agents.agent_key,
        agents.agent_name,
        agents.is_bot,
        (facts.started_at, facts.call_key) as place,
        facts.direction,
        facts.is_transferred,
        agents.role,
        coalesce(agents.role = 'handled', false) as is_handled,
        is_handled and facts.agent_count = 1 as is_alone,
        if(is_handled, agents.talk_seconds, null) as talk,
        if(is_alone, facts.handle_seconds, null) as handle
    from main.bridge_call_agents as agents
    inner join main.fact_calls as facts on agents.call_key = facts.call_key
    where not facts.is_deleted
)

select
    call_date,
    vendor,
    account,
    agent_key,
    arg_max(agent_name, place) filter (where agent_name is not null) as agent_name,
    bool_or(is_bot) as is_bot,
    count(*) filter (where is_handled) as calls,
    count(*) filter (where is_handled and direction = 'inbound') as inbound_calls,
    count(*) filter (where is_handled and direction = 'outbound') as outbound_calls,
    count(*) filter (where role = 'offered' and direction = 'inbound')
        as inbound_offered_calls,
    count(*) filter (where role = 'offered' and direction != 'inbound') as unanswered_calls,
    count(*) filter (where role is null) as unknown_calls,
    count(*) filter (where is_handled and is_transferred) as transferred_calls,
    count(is_transferred) filter (where is_handled) as transfer_known_calls,
    count(talk) as talked_calls,
    sum(talk)::decimal(18, 3) as talk_seconds,
    count(*) filter (where is_alone) as alone_calls,
    count(handle) as handled_calls,
    sum(handle)::decimal(18, 3) as handle_seconds
from calls
group by call_date, vendor, account, agent_key
