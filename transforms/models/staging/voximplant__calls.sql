-- One row per Voximplant session. What became of it is read from its legs, for the
-- vendor only says how the session ended: an inbound call is answered when a leg after
-- the customer's is, and contained when none was tried; any other, when the customer is.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage, cost_status, unknown_values
-- @accepted cost_status: none, pending, partial, final
with legs as (
    select
        account,
        vendor_call_id,
        count(*) as leg_count,
        max(direction) filter (where leg_no = 1) as direction,
        max(if(direction = 'inbound', to_party, from_party))
            filter (where leg_no = 1) as business_number,
        max(if(direction = 'inbound', from_party, to_party))
            filter (where role = 'customer') as customer_number,
        bool_or(is_successful) filter (where role = 'customer') as is_customer_on,
        bool_or(is_successful) filter (where role != 'customer') as is_other_on,
        max(end_code) filter (where role = 'customer') as customer_code,
        arg_max(end_code, leg_no) filter (where role != 'customer') as other_code,
        count(distinct to_party) filter (where role = 'agent' and is_successful) as agent_count,
        arg_min(to_party, leg_no) filter (where role = 'agent' and is_successful) as agent_name,
        sum(total_seconds) filter (where role = 'agent' and is_successful) as talk_seconds,
        sum(total_seconds) filter (where role = 'transfer' and is_successful) as transfer_seconds,
        bool_or(role = 'transfer' and is_successful) as is_transferred
    from staging.voximplant__legs
    group by all
),

costs as (
    select
        account,
        vendor_call_id,
        count(amount) as priced_count,
        count_if(amount is null) as unpriced_count,
        max(currency) as currency
    from staging.voximplant__costs
    where is_leaf
    group by all
),

sessions as (
    select
        account,
        record_id as vendor_call_id,
        record,
        nullif(record['finish_reason'], '') as vendor_outcome,
        try_cast(record['start_date'] as timestamp) at time zone 'UTC' as started_at,
        try_cast(record['duration'] as decimal(12, 3)) as total_seconds,
        started_at + to_seconds(total_seconds::double) as ended_at,
        vendor_outcome is null and total_seconds is null as is_open,
        list_contains(
            list_transform(record['records'], lambda x: x['transcription_status']),
            'In progress'
        ) as is_transcribing,
        first_loaded_at,
        last_loaded_at,
        load_id
    from staging.voximplant__call_sessions
),

decided as (
    select
        sessions.*,
        legs.* exclude (account, vendor_call_id),
        costs.* exclude (account, vendor_call_id),
        case
            when legs.direction = 'inbound' and legs.is_customer_on then legs.is_other_on
            else coalesce(legs.is_customer_on, legs.is_other_on)
        end as is_reached,
        case
            when legs.leg_count is null then sessions.vendor_outcome
            when legs.direction = 'inbound' and legs.is_customer_on then legs.other_code
            else coalesce(legs.customer_code, legs.other_code)
        end as word,
        legs.direction = 'inbound' and legs.is_customer_on and legs.leg_count = 1 as is_alone,
        coalesce(
            house.now < coalesce(sessions.ended_at, sessions.started_at) + settings.settle_after,
            true
        ) as is_young
    from sessions
    left join legs
        on
            sessions.account = legs.account
            and sessions.vendor_call_id = legs.vendor_call_id
    left join costs
        on
            sessions.account = costs.account
            and sessions.vendor_call_id = costs.vendor_call_id
    left join config.accounts as settings
        on settings.vendor = 'voximplant' and sessions.account = settings.account
    cross join config.callhouse as house
)

select
    decided.account,
    decided.vendor_call_id,
    coalesce(decided.direction, 'unknown') as direction,
    decided.started_at,
    decided.ended_at,
    decided.customer_number,
    decided.business_number,
    case
        when decided.is_open then 'in_progress'
        when decided.is_reached then 'answered'
        when decided.is_alone then 'contained'
        when words.outcome is not null then words.outcome
        when decided.leg_count > 0 and decided.word is not null then 'failed'
        else 'unknown'
    end as outcome,
    case
        when decided.is_open then 'none'
        when decided.is_reached then 'connected'
        when decided.is_alone then 'ivr'
        when words.outcome is not null then words.outcome_stage
        when decided.leg_count > 0 and decided.word is not null then 'ring'
        else 'none'
    end as outcome_stage
from decided
left join seeds.outcomes as words
    on words.vendor = 'voximplant' and decided.word = words.vendor_outcome
