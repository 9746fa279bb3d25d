-- One row per Voximplant session: who spoke, and what became of the call, for the vendor
-- only says how the session ended. An inbound call is answered when a leg after the
-- customer's is, and contained when none was tried; any other, when the customer is;
-- one without legs became what the end of its session says.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage
with legs as (
    select
        account,
        vendor_call_id,
        count(*) as leg_count,
        max(direction) filter (where leg_no = 1) as direction,
        max(if(direction = 'inbound', to_party, from_party)) filter (where leg_no = 1)
            as business_number,
        max(if(direction = 'inbound', from_party, to_party)) filter (where role = 'customer')
            as customer_number,
        bool_or(is_successful) filter (where role = 'customer') as is_customer_on,
        bool_or(is_successful) filter (where role != 'customer') as is_other_on,
        max(end_code) filter (where role = 'customer') as customer_code,
        arg_max(end_code, leg_no) filter (where role != 'customer') as other_code,
        -- An agent may be behind a leg that does not say whose, which way, or whether.
        if(
            bool_or(role = 'other' or direction = 'unknown' or is_successful is null),
            null,
            count(distinct to_party) filter (where role = 'agent' and is_successful)
        ) as agent_count,
        arg_min(to_party, leg_no) filter (where role = 'agent' and is_successful) as agent_name,
        sum(total_seconds) filter (where role = 'agent' and is_successful) as talk_seconds,
        sum(total_seconds) filter (where role = 'transfer' and is_successful) as transfer_seconds,
        bool_or(role = 'transfer' and coalesce(is_successful, false)) as is_transferred
    from staging.voximplant__legs
    group by all
),

decided as (
    select
        sessions.account,
        sessions.record_id,
        legs.leg_count,
        legs.direction,
        legs.business_number,
        legs.customer_number,
        legs.agent_count,
        legs.agent_name,
        legs.talk_seconds,
        legs.transfer_seconds,
        legs.is_transferred,
        coalesce(legs.direction = 'inbound' and legs.is_customer_on, false) as is_let_in,
        if(
            is_let_in, legs.is_other_on, coalesce(legs.is_customer_on, legs.is_other_on)
        ) as is_reached,
        case
            when legs.leg_count is null then sessions.record['finish_reason']
            when is_let_in then legs.other_code
            else coalesce(legs.customer_code, legs.other_code)
        end as word
    from staging.voximplant__call_sessions as sessions
    left join legs
        on sessions.account = legs.account and sessions.record_id = legs.vendor_call_id
)

select
    decided.account,
    decided.record_id as vendor_call_id,
    coalesce(decided.direction, 'unknown') as direction,
    decided.customer_number,
    decided.business_number,
    case
        when decided.is_reached then 'answered'
        when decided.is_let_in and decided.leg_count = 1 then 'contained'
        when words.outcome is not null then words.outcome
        when decided.leg_count > 0 and decided.word is not null then 'failed'
        else 'unknown'
    end as outcome,
    case
        when decided.is_reached then 'connected'
        when decided.is_let_in and decided.leg_count = 1 then 'ivr'
        when words.outcome is not null then words.outcome_stage
        when decided.leg_count > 0 and decided.word is not null then 'ring'
        else 'none'
    end as outcome_stage,
    decided.talk_seconds::decimal(12, 3) as talk_seconds,
    decided.transfer_seconds::decimal(12, 3) as transfer_seconds,
    decided.leg_count::integer as leg_count,
    decided.agent_count::integer as agent_count,
    decided.is_transferred,
    decided.agent_name
from decided
left join seeds.outcomes as words
    on words.vendor = 'voximplant' and decided.word = words.vendor_outcome
