-- One row per Voximplant session: who spoke, and what became of the call, for the vendor
-- only says how the session ended. An inbound call is answered when a leg after the
-- customer's is, and contained when none was tried; any other, when the customer is;
-- one without legs became what the end of its session says. A call in which every leg is
-- a user of the application, two of them at least, and the first called in, is internal.
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
        bool_or(is_successful) filter (where role = 'customer') as is_customer_connected,
        bool_or(is_successful) filter (where role != 'customer') as is_other_connected,
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

among_users as (
    select
        account,
        vendor_call_id
    from staging.voximplant__lines
    where section = 1
    group by all
    having
        count(*) > 1
        and bool_and(coalesce(lower(leg['remote_number_type']) = 'user', false))
        and bool_or(line_no = 1 and coalesce(try_cast(leg['incoming'] as boolean), false))
),

calls as (
    select
        sessions.account,
        sessions.record_id,
        legs.leg_count,
        legs.direction,
        among_users.account is not null as is_internal,
        legs.business_number,
        legs.customer_number,
        legs.agent_count,
        legs.agent_name,
        legs.talk_seconds,
        legs.transfer_seconds,
        legs.is_transferred,
        coalesce(legs.direction = 'inbound' and legs.is_customer_connected, false)
            as is_inbound_connected,
        if(
            is_inbound_connected,
            legs.is_other_connected,
            coalesce(legs.is_customer_connected, legs.is_other_connected)
        ) as is_answered,
        case
            when legs.leg_count is null then sessions.record['finish_reason']
            when is_inbound_connected then legs.other_code
            else coalesce(legs.customer_code, legs.other_code)
        end as end_reason
    from staging.voximplant__call_sessions as sessions
    left join legs
        on sessions.account = legs.account and sessions.record_id = legs.vendor_call_id
    left join among_users
        on
            sessions.account = among_users.account
            and sessions.record_id = among_users.vendor_call_id
),

judged as (
    select
        calls.*,
        case
            when calls.is_answered then ['answered', 'connected']
            when calls.is_inbound_connected and calls.leg_count = 1 then ['contained', 'ivr']
            when words.outcome is not null then [words.outcome, words.outcome_stage]
            when calls.leg_count > 0 and calls.end_reason is not null then ['failed', 'ring']
            else ['unknown', 'none']
        end as outcome_and_stage
    from calls
    left join seeds.outcomes as words
        on words.vendor = 'voximplant' and calls.end_reason = words.vendor_outcome
)

select
    account,
    record_id as vendor_call_id,
    if(is_internal, 'internal', coalesce(direction, 'unknown')) as direction,
    customer_number,
    business_number,
    outcome_and_stage[1] as outcome,
    outcome_and_stage[2] as outcome_stage,
    talk_seconds::decimal(12, 3) as talk_seconds,
    transfer_seconds::decimal(12, 3) as transfer_seconds,
    leg_count::integer as leg_count,
    agent_count::integer as agent_count,
    is_transferred,
    agent_name
from judged
