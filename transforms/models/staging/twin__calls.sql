-- One row per TWIN call. Its cost counts once it is billed: the 0 before is no price.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage, cost_status, is_erased, unknown_values
-- @accepted cost_status: pending, final
with typed as (
    select
        account,
        record_id as vendor_call_id,
        record,
        nullif(record['status'], '') as vendor_outcome,
        -- A time without a zone is UTC; one that has a zone cannot take another.
        coalesce(
            try_cast(record['startedAt'] || 'Z' as timestamptz),
            try_cast(record['startedAt'] as timestamptz),
            try_cast(record['createdAt'] || 'Z' as timestamptz),
            try_cast(record['createdAt'] as timestamptz)
        ) as started_at,
        coalesce(
            try_cast(record['finishedAt'] || 'Z' as timestamptz),
            try_cast(record['finishedAt'] as timestamptz)
        ) as ended_at,
        case
            when record['hungUpBy'] = 'client' then 'customer'
            when record['hungUpBy'] in ('bot', 'robot') then 'bot'
            when record['hungUpBy'] = 'operator' then 'agent'
            when record['hungUpBy'] != '' then 'unknown'
        end as hangup_by,
        try_cast(record['duration'] as decimal(12, 3)) as total_seconds,
        try_cast(record['mainCallDuration'] as decimal(12, 3)) as main_seconds,
        try_cast(record['autoCallDuration'] as decimal(12, 3)) as auto_seconds,
        try_cast(record['robotCallDuration'] as decimal(12, 3)) as bot_seconds,
        try_cast(record['aiCallDuration'] as decimal(12, 3)) as ai_seconds,
        try_cast(record['transferCallDuration'] as decimal(12, 3)) as transfer_seconds,
        record['billedAt'] != '' as is_billed,
        try_cast(record['depersonalized'] as boolean) as is_erased,
        first_loaded_at,
        last_loaded_at,
        load_id
    from staging.twin__sessions
)

select
    typed.account,
    typed.vendor_call_id,
    'inbound' as direction,
    typed.started_at,
    typed.ended_at,
    case
        when typed.is_erased is not true then nullif(typed.record['callingNumber'], '')
    end as customer_number,
    nullif(typed.record['number'], '') as business_number,
    coalesce(words.outcome, 'unknown') as outcome,
    coalesce(words.outcome_stage, 'none') as outcome_stage,
    typed.vendor_outcome,
    typed.hangup_by,
    case when typed.total_seconds >= 0 then typed.total_seconds end as total_seconds,
    typed.bot_seconds,
    typed.ai_seconds,
    typed.transfer_seconds,
    case when typed.total_seconds >= 0 then 'reported' end as duration_basis,
    (
        coalesce(typed.main_seconds > 0, false)::integer
        + coalesce(typed.auto_seconds > 0, false)::integer
        + coalesce(typed.bot_seconds > 0, false)::integer
        + coalesce(typed.transfer_seconds > 0, false)::integer
        + coalesce(typed.ai_seconds > 0, false)::integer
    )::integer as leg_count,
    words.is_answered,
    typed.transfer_seconds > 0 as is_transferred,
    typed.bot_seconds > 0 or typed.ai_seconds > 0 as is_bot_handled,
    case when typed.record['recordPath'] != '' then true end as is_recorded,
    case
        when typed.is_billed then try_cast(typed.record['totalCost'] as decimal(18, 6))
    end as reported_cost,
    case when typed.is_billed then coalesce(accounts.currency, 'RUB') end as currency,
    case when typed.is_billed then 'final' else 'pending' end as cost_status,
    nullif(typed.record['emotion'], '') as sentiment,
    nullif(typed.record['nps'], '') as nps,
    coalesce(typed.is_erased, false) as is_erased,
    unknown.unknown_values,
    typed.first_loaded_at,
    typed.last_loaded_at,
    typed.load_id
from typed
inner join staging.twin__unknown_values as unknown
    on
        typed.account = unknown.account
        and typed.vendor_call_id = unknown.vendor_call_id
left join config.accounts as accounts
    on accounts.vendor = 'twin' and typed.account = accounts.account
left join seeds.outcomes as words
    on
        words.vendor = 'twin'
        and words.vendor_outcome = coalesce(
            typed.vendor_outcome,
            case
                when typed.ended_at is null then 'INPROGRESS'
                when typed.total_seconds > 0 then 'ANSWERED'
            end
        )
