-- One row per leg of a Zoom engagement.
-- @key account, vendor_call_id, leg_no
-- @not_null role, direction
-- @column leg_no: order of start_time among voice_call_details
-- @column role: conference by type, agent with agents, ivr with a flow
-- @column direction: call_leg
-- @column from_party: caller_number
-- @column to_party: callee_number
-- @column party_name: display_name of the first of the leg's agents
-- @column started_at: start_time
-- @column ended_at: end_time
-- @column total_seconds: total_duration
-- @column is_successful: result, by seeds/outcomes.csv
-- @column vendor_result: result
-- @column cost: charge, the number in the text
-- @column currency: the symbol in charge, else the configured currency
with typed as (
    select
        *,
        try_cast(leg['total_duration'] as decimal(12, 3)) as seconds
    from staging.zoom__details
)

select
    typed.account,
    typed.vendor_call_id,
    typed.leg_no,
    case
        when typed.leg['type'] like '%conference%' then 'conference'
        when len(typed.leg['agents']) > 0 then 'agent'
        when typed.leg['flow']['flow_id'] != '' then 'ivr'
        else 'other'
    end as role,
    case
        when typed.leg['call_leg'] in ('inbound', 'outbound') then typed.leg['call_leg']
        else 'unknown'
    end as direction,
    nullif(typed.leg['caller_number'], '') as from_party,
    nullif(typed.leg['callee_number'], '') as to_party,
    nullif(typed.leg['agents'][1]['display_name'], '') as party_name,
    typed.started_at,
    typed.ended_at,
    if(typed.seconds >= 0, typed.seconds, null) as total_seconds,
    words.is_answered as is_successful,
    nullif(typed.leg['result'], '') as vendor_result,
    charges.amount as cost,
    charges.currency
from typed
left join staging.zoom__prices as charges
    on typed.account = charges.account and typed.leg['charge'] = charges.charge
left join seeds.outcomes as words
    on words.vendor = 'zoom' and typed.leg['result'] = words.vendor_outcome
