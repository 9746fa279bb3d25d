-- One row per Voximplant session. A line without a price may still get one until the
-- settle horizon; after it, what has none was not billed.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage, cost_status, unmapped_values
-- @accepted cost_status: none, pending, partial, final
-- @check talk_seconds is null or total_seconds is null or talk_seconds <= total_seconds
-- @column vendor_call_id: call_session_history_id
-- @column direction: incoming of the first of calls; outbound where that is a user's; internal where
--     every one is a user's
-- @column started_at: start_date
-- @column ended_at: start_date plus duration
-- @column customer_number: remote_number of the customer's leg in calls, of several the first that
--     was answered
-- @column business_number: local_number of the first of calls; where a user dialled out, of the
--     customer's leg
-- @column outcome: successful and end_reason.code of calls, by seeds/outcomes.csv; contained and
--     abandoned also by their lengths and other_resource_usage; finish_reason without calls
-- @column outcome_stage: as outcome
-- @column vendor_outcome: finish_reason
-- @column total_seconds: duration
-- @column talk_seconds: how long successful calls of agents, or the telephone that took the call,
--     and one of the customer's lasted together; overlaps count once
-- @column transfer_seconds: the same of those that came after the first of them
-- @column duration_basis: reported, with duration
-- @column leg_count: entries of calls
-- @column agent_count: distinct users of the application in calls
-- @column attempt_count: calls to a customer, of an outbound call
-- @column is_answered: successful of calls; of self-service alone, other_resource_usage
-- @column is_answered_by_person: of an answered call, whether a user's leg was successful; NULL of one
--     that a telephone or SIP address took
-- @column is_transferred: whether a further user or telephone was called successfully after one had
--     taken the call
-- @column is_bot_handled: other_resource_usage: a dialogue service or language model, or speech
--     recognition together with synthesis
-- @column is_self_service: of an inbound call, speech in other_resource_usage, or more than
--     min_contained_seconds before anybody was called
-- @column is_contained: as outcome; of a bot's call, that nobody else was called
-- @column is_recorded: whether records has an entry
-- @column currency: account_info.currency (RUR is RUB), or the configured currency
-- @column cost_status: pending while the session, a price or a transcription is open, until the
--     settle horizon; partial when some prices are there, or one is not withdrawn yet in the ledger
--     that is read
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
    -- Seconds are whole: those of legs may reach over the end of the session.
    if(
        typed.total_seconds < outcomes.talk_seconds, typed.total_seconds, outcomes.talk_seconds
    ) as talk_seconds,
    outcomes.transfer_seconds,
    if(typed.total_seconds is null, null, 'reported') as duration_basis,
    coalesce(outcomes.leg_count, len(typed.record['calls']))::integer as leg_count,
    outcomes.agent_count,
    outcomes.attempt_count,
    if(typed.is_open, null, outcomes.is_answered) as is_answered,
    if(typed.is_open, null, outcomes.is_answered_by_person) as is_answered_by_person,
    outcomes.is_transferred,
    if(typed.is_open, nullif(outcomes.is_bot_handled, false), outcomes.is_bot_handled)
        as is_bot_handled,
    if(typed.is_open, nullif(outcomes.is_self_service, false), outcomes.is_self_service)
        as is_self_service,
    if(typed.is_open, null, outcomes.is_contained) as is_contained,
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
