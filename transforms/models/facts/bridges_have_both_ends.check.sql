-- Every agent and every queue of a call is of a call, and in its dimension.
select
    agents.call_key,
    'bridge_call_agents' as table_name
from main.bridge_call_agents as agents
anti join main.fact_calls as calls on agents.call_key = calls.call_key
union all
select
    queues.call_key,
    'bridge_call_queues' as table_name
from main.bridge_call_queues as queues
anti join main.fact_calls as calls on queues.call_key = calls.call_key
union all
select
    agents.agent_key,
    'dim_agents' as table_name
from main.bridge_call_agents as agents
anti join main.dim_agents as known on agents.agent_key = known.agent_key
union all
select
    queues.queue_key,
    'dim_queues' as table_name
from main.bridge_call_queues as queues
anti join main.dim_queues as known on queues.queue_key = known.queue_key
