-- One row per Voximplant session. A line without a price may still get one until the
-- settle horizon; after it, what has none was not billed.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage, cost_status, unmapped_values
-- @accepted cost_status: none, pending, partial, final
-- @column vendor_call_id: call_session_history_id
-- @column direction: incoming of the first of calls; internal where every one is a user's
-- @column started_at: start_date
-- @column ended_at: start_date plus duration
-- @column customer_number: remote_number of the customer's leg in calls
-- @column business_number: local_number of the first of calls
-- @column outcome: successful and end_reason.code of calls, by seeds/outcomes.csv; finish_reason
--     without calls
-- @column outcome_stage: as outcome
-- @column vendor_outcome: finish_reason
-- @column total_seconds: duration
-- @column talk_seconds: duration of the agents' successful calls
-- @column transfer_seconds: duration of the successful calls to a telephone after the customer's
-- @column duration_basis: reported, with duration
-- @column leg_count: entries of calls
-- @column agent_count: distinct users of the application who took a call
-- @column is_answered: successful of calls
-- @column is_voicemail: as outcome: no end_reason is a voicemail
-- @column is_transferred: whether a telephone was called successfully after the customer's leg
-- @column is_recorded: whether records has an entry
-- @column currency: account_info.currency (RUR is RUB), or the configured currency
-- @column cost_status: pending while the session, a price or a transcription is open, until the
--     settle horizon; partial when some prices are there, or one is not withdrawn yet in the ledger
--     that is read
-- @column agent_name: remote_number of the first user who took a call
-- @column first_loaded_at: first read with the record
-- @column last_loaded_at: first read with its newest version
-- @column load_id: load of that read
with ledgers as (
    select
        account,
        min(performed_at) as begins_at
    from staging.voximplant__transactions
    where is_committed
    group by all
),

costs as (
    select
        lines.account,
        lines.vendor_call_id,
        count(lines.amount) as priced_count,
        count_if(lines.amount is null) as unpriced_count,
        count_if(
            lines.amount is not null
            and lines.vendor_transaction_id is not null
            and not coalesce(ledger.is_committed, false)
        ) as reserved_count,
        max(lines.currency) as currency
    from staging.voximplant__costs as lines
    left join staging.voximplant__transactions as ledger
        on
            lines.account = ledger.account
            and lines.vendor_transaction_id = ledger.transaction_id
    where lines.is_leaf
    group by all
),

typed as (
    select
        account,
        record_id as vendor_call_id,
        record,
        nullif(record['finish_reason'], '') as vendor_outcome,
        event_at as started_at,
        try_cast(record['duration'] as decimal(10, 3)) as seconds,
        if(seconds >= 0, seconds, null) as total_seconds,
        started_at + to_seconds(total_seconds::double) as ended_at,
        vendor_outcome is null and nullif(record['duration'], '') is null as is_open,
        len(record['records']) > 0 as has_records,
        list_contains(
            list_transform(record['records'], lambda x: x['transcription_status']),
            'In progress'
        ) as is_transcribing,
        first_loaded_at,
        last_loaded_at,
        load_id
    from staging.voximplant__call_sessions
)

select
    typed.account,
    typed.vendor_call_id,
    outcomes.direction,
    typed.started_at,
    typed.ended_at,
    outcomes.customer_number,
    outcomes.business_number,
    if(typed.is_open, 'in_progress', outcomes.outcome) as outcome,
    if(typed.is_open, 'none', outcomes.outcome_stage) as outcome_stage,
    typed.vendor_outcome,
    typed.total_seconds,
    outcomes.talk_seconds,
    outcomes.transfer_seconds,
    if(typed.total_seconds is null, null, 'reported') as duration_basis,
    coalesce(outcomes.leg_count, len(typed.record['calls']))::integer as leg_count,
    outcomes.agent_count,
    case
        when not typed.is_open and outcomes.outcome != 'unknown'
            then outcomes.outcome = 'answered'
    end as is_answered,
    if(typed.is_open or outcomes.outcome = 'unknown', null, false) as is_voicemail,
    outcomes.is_transferred,
    case when typed.has_records or not typed.is_open then typed.has_records end as is_recorded,
    costs.currency,
    case
        when
            (
                typed.vendor_outcome is null
                or costs.unpriced_count > 0
                or (costs.reserved_count > 0 and typed.started_at >= ledgers.begins_at)
                or typed.is_transcribing
            )
            and coalesce(
                run.now
                < coalesce(typed.ended_at, typed.started_at) + settings.settle_after,
                true
            )
            then if(costs.priced_count > 0, 'partial', 'pending')
        when costs.priced_count > 0 then 'final'
        else 'none'
    end as cost_status,
    outcomes.agent_name,
    unmapped.unmapped_values,
    typed.first_loaded_at,
    typed.last_loaded_at,
    typed.load_id
from typed
inner join staging.voximplant__outcomes as outcomes
    on
        typed.account = outcomes.account
        and typed.vendor_call_id = outcomes.vendor_call_id
inner join staging.voximplant__unmapped_values as unmapped
    on
        typed.account = unmapped.account
        and typed.vendor_call_id = unmapped.vendor_call_id
left join costs
    on typed.account = costs.account and typed.vendor_call_id = costs.vendor_call_id
left join ledgers on typed.account = ledgers.account
left join config.accounts as settings
    on settings.vendor = 'voximplant' and typed.account = settings.account
cross join config.run as run
