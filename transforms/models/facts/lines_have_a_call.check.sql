-- Every cost line, leg, payer and attribute belongs to a call.
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
union all
select
    payers.call_key,
    'bridge_call_payers' as table_name
from main.bridge_call_payers as payers
anti join main.fact_calls as calls on payers.call_key = calls.call_key
union all
select
    attributes.call_key,
    'fact_call_attributes' as table_name
from main.fact_call_attributes as attributes
anti join main.fact_calls as calls on attributes.call_key = calls.call_key
