-- The twenty agents who handled most calls, of all that is stored.
select
    vendor,
    account,
    coalesce(agent_name, vendor_agent_id) as agent_name,
    is_bot,
    calls,
    offered_calls,
    last_call_at
from main.dim_agents
where calls > 0
order by calls desc, agent_key asc
limit 20
