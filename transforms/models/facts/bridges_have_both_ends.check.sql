-- Every agent and every queue of a call is of a call, and none is counted that is not named.
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
