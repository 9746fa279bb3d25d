-- Every cost line and every leg belongs to a call.
select
    lines.call_key,
    'fact_call_costs' as table_name
from main.fact_call_costs as lines
anti join main.fact_calls as calls on lines.call_key = calls.call_key
union all
select
    legs.call_key,
    'fact_call_legs' as table_name
from main.fact_call_legs as legs
anti join main.fact_calls as calls on legs.call_key = calls.call_key
