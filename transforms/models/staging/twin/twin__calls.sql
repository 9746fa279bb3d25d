-- One row per TWIN call. Its cost counts once it is billed: the 0 before is not a price.
-- One that is not billed by the settle horizon has none; a later bill still counts.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage, cost_status, is_erased, unmapped_values
-- @accepted cost_status: none, pending, final
-- @column vendor_call_id: callId
-- @column direction: the list has inbound calls only
-- @column started_at: startedAt, else createdAt
-- @column ended_at: finishedAt, unless before the start
-- @column customer_number: callingNumber
-- @column business_number: number
-- @column outcome: status, by seeds/outcomes.csv; without one, duration or finishedAt show it
-- @column outcome_stage: as outcome
-- @column vendor_outcome: status
-- @column hangup_by: hungUpBy
-- @column total_seconds: duration
-- @column bot_seconds: robotCallDuration
-- @column ai_seconds: aiCallDuration
-- @column transfer_seconds: transferCallDuration
-- @column duration_basis: reported, with duration
-- @column leg_count: stages (main, auto, robot, AI, transfer) that took time
-- @column is_answered: status, by seeds/outcomes.csv
-- @column is_voicemail: as outcome: no status is a voicemail
-- @column is_transferred: transferCallDuration above 0; null is 0 where the call is over and another
--     stage took time (twin.md, section 7)
-- @column is_bot_handled: robotCallDuration or aiCallDuration above 0
-- @column is_recorded: recordPath
-- @column reported_cost: totalCost, once billed
-- @column currency: the configured currency, else RUB: the vendor sends none
-- @column cost_status: final with billedAt, pending without it until the settle horizon, and longer
--     where it is not a time
-- @column sentiment: emotion
-- @column nps: nps
-- @column is_erased: depersonalized
-- @column first_loaded_at: first read with the record
-- @column last_loaded_at: first read with its newest version
-- @column load_id: load of that read
with typed as (
    select
        account,
        record_id as vendor_call_id,
        record,
        nullif(record['status'], '') as vendor_outcome,
        coalesce(started_at, created_at) as started_at,
        finished_at as ended_at,
        case
            when record['hungUpBy'] = 'client' then 'customer'
            when record['hungUpBy'] in ('bot', 'robot') then 'bot'
            when record['hungUpBy'] = 'operator' then 'agent'
            when record['hungUpBy'] != '' then 'unknown'
        end as hangup_by,
        list_transform(
            [
                record['duration'], record['mainCallDuration'], record['autoCallDuration'],
                record['robotCallDuration'], record['aiCallDuration'],
                record['transferCallDuration']
            ],
            lambda x: if(
                try_cast(x as decimal(12, 3)) >= 0, try_cast(x as decimal(12, 3)), null
            )
        ) as lengths,
        case
            when list_count(lengths[2:]) > 0 then len(list_filter(lengths[2:], lambda x: x > 0))
        end::integer as leg_count,
        lengths[1] as total_seconds,
        lengths[4] as bot_seconds,
        lengths[5] as ai_seconds,
        lengths[6] as transfer_seconds,
        names_transfer and record['transferCallDuration'] is null as is_transfer_null,
        try_cast(record['totalCost'] as decimal(15, 6)) as cost,
        if(
            cost != 0 or try_cast(record['totalCost'] as double) = 0, cost, null
        )::decimal(18, 6) as total_cost,
        is_billed,
        reports_billing,
        coalesce(has_unread_billing, false) as has_unread_billing,
        is_erased,
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
        when not typed.is_erased then nullif(typed.record['callingNumber'], '')
    end as customer_number,
    nullif(typed.record['number'], '') as business_number,
    coalesce(words.outcome, 'unknown') as outcome,
    coalesce(words.outcome_stage, 'none') as outcome_stage,
    typed.vendor_outcome,
    typed.hangup_by,
    typed.total_seconds,
    typed.bot_seconds,
    typed.ai_seconds,
    typed.transfer_seconds,
    if(typed.total_seconds is null, null, 'reported') as duration_basis,
    typed.leg_count,
    words.is_answered,
    if(words.outcome not in ('unknown', 'in_progress'), false, null) as is_voicemail,
    coalesce(
        typed.transfer_seconds > 0,
        if(
            typed.is_transfer_null and typed.leg_count > 0
            and words.outcome not in ('in_progress', 'unknown'),
            false,
            null
        )
    ) as is_transferred,
    typed.bot_seconds > 0 or typed.ai_seconds > 0 as is_bot_handled,
    case when typed.record['recordPath'] != '' then true end as is_recorded,
    if(typed.is_billed, typed.total_cost, null) as reported_cost,
    case when typed.is_billed then coalesce(accounts.currency, 'RUB') end as currency,
    case
        when typed.is_billed and typed.reports_billing then 'final'
        -- It was billed, at a time that cannot be read: its cost may still change.
        when typed.has_unread_billing then 'pending'
        when run.now >= coalesce(typed.ended_at, typed.started_at) + accounts.settle_after
            then if(typed.is_billed, 'final', 'none')
        else 'pending'
    end as cost_status,
    nullif(typed.record['emotion'], '') as sentiment,
    nullif(typed.record['nps'], '') as nps,
    typed.is_erased,
    unmapped.unmapped_values,
    typed.first_loaded_at,
    typed.last_loaded_at,
    typed.load_id
from typed
inner join staging.twin__unmapped_values as unmapped
    on
        typed.account = unmapped.account
        and typed.vendor_call_id = unmapped.vendor_call_id
left join config.accounts as accounts
    on accounts.vendor = 'twin' and typed.account = accounts.account
left join seeds.outcomes as words
    on
        words.vendor = 'twin'
        and words.vendor_outcome = coalesce(
            typed.vendor_outcome,
            case
                when typed.total_seconds > 0 then 'ANSWERED'
                when typed.ended_at is null then 'INPROGRESS'
            end
        )
cross join config.run as run
