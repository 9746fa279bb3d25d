-- One row per leg of a Zoom engagement. Legs have no id of their own: what they are
-- numbered by does not change when their charge comes late.
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
with legs as (
    select
        account,
        record_id as vendor_call_id,
        last_loaded_at,
        unnest(record['voice_call_details']) as leg
    from staging.zoom__voice_calls
),

typed as (
    select
        account,
        vendor_call_id,
        leg,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        last_loaded_at + interval 1 day as latest,
        read_time(leg['start_time'], null) as sent_start,
        if(sent_start between earliest and latest, sent_start, null) as started_at,
        read_time(leg['end_time'], null) as sent_end,
        if(sent_end between earliest and latest, sent_end, null) as ended_at,
        try_cast(leg['total_duration'] as decimal(12, 3)) as seconds,
        row_number() over (
            partition by account, vendor_call_id
            order by
                started_at asc nulls last,
                leg['call_leg'] asc nulls last,
                leg['caller_number'] asc nulls last,
                leg['callee_number'] asc nulls last,
                leg['type'] asc nulls last,
                ended_at asc nulls last
        )::integer as leg_no
    from legs
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
