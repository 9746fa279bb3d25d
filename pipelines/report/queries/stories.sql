-- The last calls, and of each currency the ten dearest of these dates.
with recent as (
    select
        call_key,
        started_at,
        currency,
        cost_total
    from main.fact_calls
    where
        call_date between getvariable('first_date') and getvariable('last_date')
        and not is_deleted
),

latest as (
    select call_key
    from recent
    order by started_at desc, call_key asc
    limit getvariable('calls')
),

dearest as (
    select unnest(max_by(call_key, (cost_total, call_key), 10)) as call_key
    from recent
    where cost_total > 0 and getvariable('calls') > 0
    group by currency
),

listed as (
    select
        call_key,
        true as is_latest
    from latest
    union all
    select
        call_key,
        false as is_latest
    from dearest
),

chosen as (
    select
        call_key,
        bool_or(is_latest) as is_latest,
        bool_or(not is_latest) as is_dearest
    from listed
    group by call_key
)

select
    calls.call_key,
    chosen.is_latest,
    chosen.is_dearest,
    calls.vendor,
    calls.account,
    calls.call_type,
    calls.direction,
    calls.started_at,
    calls.answered_at,
    calls.ended_at,
    calls.customer_number,
    calls.business_number,
    calls.country,
    calls.outcome,
    calls.outcome_stage,
    calls.hangup_by,
    calls.queue_name,
    calls.agent_name,
    calls.agent_count,
    calls.leg_count,
    calls.is_transferred,
    calls.is_bot_handled,
    calls.line_seconds,
    calls.ivr_seconds,
    calls.queue_seconds,
    calls.ring_seconds,
    calls.talk_seconds,
    calls.hold_seconds,
    calls.wrap_seconds,
    calls.cost_telephony,
    calls.cost_transfer,
    calls.cost_bot,
    calls.cost_ai,
    calls.cost_recording,
    calls.cost_transcription,
    calls.cost_other,
    calls.cost_unallocated,
    calls.cost_total,
    calls.currency,
    calls.cost_source,
    calls.cost_status,
    calls.cost_reporting,
    calls.reporting_currency,
    calls.cost_center,
    calls.payer_name
from main.fact_calls as calls
inner join chosen on calls.call_key = chosen.call_key
where calls.call_date between getvariable('first_date') and getvariable('last_date')
order by calls.started_at desc, calls.call_key asc
