-- One row per customer interaction as the vendor names it, over all vendors.
-- @key call_key
-- @not_null vendor, account, vendor_call_id, direction, outcome, outcome_stage, cost_source, cost_status, is_settled, is_deleted, is_erased, first_loaded_at, last_loaded_at, reporting_currency, load_id
-- @accepted direction: inbound, outbound, internal, unknown
-- @accepted customer_number_kind: e164, sip, internal, anonymous, unknown
-- @accepted outcome: answered, abandoned, missed, rejected, voicemail, overflowed, contained, busy, no_answer, failed, canceled, in_progress, unknown
-- @accepted outcome_stage: ivr, queue, ring, connected, hold, voicemail, callback, none
-- @accepted hangup_by: customer, agent, bot, system, carrier, unknown
-- @accepted duration_basis: reported, derived
-- @accepted cost_source: reported, summed, rated, none
-- @accepted cost_status: none, pending, partial, final
-- @check (cost_total is null) = (currency is null)
-- @check total_seconds is null or total_seconds >= 0
-- @check cost_source != 'none' or cost_total is null
-- @column call_key: vendor:account:vendor_call_id; readable and stable
-- @column vendor: its name in the configuration
-- @column account: the account's alias in the configuration
-- @column vendor_call_id: the vendor's identifier, as text
-- @column parent_call_key: the call that this one came from; NULL = none, or not reported
-- @column direction: inbound, outbound, internal, unknown
-- @column started_at: when it began, UTC; NULL = the vendor's time cannot be read
-- @column answered_at: when somebody took it, UTC; NULL = not answered, or not reported
-- @column ended_at: when it ended, UTC; NULL = not ended, or not reported
-- @column call_date: date of started_at in the reporting time zone; NULL = started_at is
-- @column customer_number: the customer's number as E.164 with +; NULL = none, or no such number
-- @column business_number: our number as E.164 with +; NULL = none, or no such number
-- @column customer_number_kind: e164, sip, internal, anonymous, unknown; NULL = the vendor names nobody
-- @column country: ISO 3166-1 alpha-2 of the customer's side, as the vendor says, else of customer_number; NULL = neither tells, or the number belongs to no country, or to one of many
-- @column outcome: what became of it, in our words; unknown for a word without a mapping
-- @column outcome_stage: where in the call that was decided
-- @column vendor_outcome: the vendor's own word; NULL = none was sent
-- @column hangup_by: who ended it; NULL = not reported
-- @column total_seconds [seconds]: the whole call, as the vendor counts it; NULL = not ended, or not reported
-- @column ring_seconds [seconds]: ringing; NULL = not reported
-- @column ivr_seconds [seconds]: in self service; NULL = not reported
-- @column queue_seconds [seconds]: waiting in queues; NULL = not reported
-- @column talk_seconds [seconds]: conversation with agents; NULL = not reported
-- @column hold_seconds [seconds]: on hold; NULL = not reported
-- @column wrap_seconds [seconds]: work after the call; NULL = not reported
-- @column bot_seconds [seconds]: with a scripted bot; NULL = not reported
-- @column ai_seconds [seconds]: with an AI agent; NULL = not reported
-- @column transfer_seconds [seconds]: after a transfer; NULL = not reported
-- @column billed_seconds [seconds]: what was charged for: as the vendor says, else as a rate card or price list counted, allowance included; NULL = neither, or priced per call
-- @column duration_basis: of total_seconds: reported, or derived (end minus start); NULL = total_seconds is
-- @column leg_count [legs]: legs, attempts or stages; NULL = not reported
-- @column agent_count [agents]: distinct agents; NULL = not reported, or not countable
-- @column queue_count [queues]: distinct queues; NULL = not reported, or not countable
-- @column is_answered: whether somebody, or a bot, spoke with the customer; NULL = unknowable
-- @column is_abandoned: whether the customer gave up first; NULL = unknowable
-- @column is_voicemail: whether it went to voicemail; NULL = unknowable
-- @column is_transferred: whether it was passed on; NULL = unknowable
-- @column is_bot_handled: whether a bot spoke; NULL = unknowable
-- @column is_recorded: whether there is a recording; NULL = unknowable
-- @column cost_total [currency]: what it cost: rated by a card that overrides, else reported, else summed from its parts, else rated; NULL = unknown, or not billed yet
-- @column cost_telephony [currency]: part of cost_total; NULL = no such line
-- @column cost_transfer [currency]: part of cost_total; NULL = no such line
-- @column cost_bot [currency]: part of cost_total; NULL = no such line
-- @column cost_ai [currency]: part of cost_total: language model, speech both ways, platform; NULL = no such line
-- @column cost_recording [currency]: part of cost_total; NULL = no such line
-- @column cost_transcription [currency]: part of cost_total; NULL = no such line
-- @column cost_other [currency]: part of cost_total; NULL = no such line
-- @column cost_unallocated [currency]: cost_total minus its parts; shown, never hidden; NULL = cost_total is
-- @column currency: ISO 4217 of all cost columns; NULL = cost_total is
-- @column cost_source: reported, summed, rated (from a rate card or a price list), none
-- @column cost_status: none (no cost is to come), pending, partial, final
-- @column cost_reporting [reporting_currency]: cost_total in the reporting currency, at fx_rate, rounded half up; NULL = cost_total is, or no rate is known
-- @column reporting_currency: ISO 4217, as configured
-- @column fx_rate [reporting_currency per currency]: the last rate published on call_date or up to 7 days before it, 1 for the reporting currency itself; NULL = cost_total is, or no rate is known
-- @column agent_name: first agent, a convenience: all are in bridge_call_agents; NULL = none, or not named
-- @column queue_name: first queue, a convenience: all are in bridge_call_queues; NULL = none, or not named
-- @column language: as the vendor says it; NULL = not reported, or not yet
-- @column sentiment: as the vendor says it; NULL = not reported, or not yet
-- @column rating: as the vendor says it; NULL = not reported, or not yet
-- @column nps: net promoter score, as the vendor says it; NULL = not reported, or not yet
-- @column is_settled: ended, cost not to come, and past the vendor's settle horizon: nothing more is expected
-- @column is_deleted: two complete, believable readings of different runs, at least 20 hours apart, no longer had it, and no other window has it alive; as it was last seen, and left out of the marts
-- @column is_erased: the vendor has depersonalised it; its personal columns are NULL in every table
-- @column first_loaded_at: when it was first read, UTC
-- @column last_loaded_at: when its present version was first read, or it was gone, UTC
-- @column load_id: the load that brought its present version, or did not
with with_phone_numbers as (
    select
        found.* exclude (country),
        customers.e164 as customer_e164,
        customers.kind as customer_kind,
        businesses.e164 as business_e164,
        if(
            regexp_full_match(found.country, '[A-Za-z]{2}'),
            upper(found.country),
            customers.country
        ) as country
    from staging.calls as found
    left join intermediate.phone_numbers as customers
        on
            found.vendor = customers.vendor
            and found.account = customers.account
            and found.customer_number = customers.number
    left join intermediate.phone_numbers as businesses
        on
            found.vendor = businesses.vendor
            and found.account = businesses.account
            and found.business_number = businesses.number
),

calls as (
    select
        numbers.* replace (
            if(lines.has_rate_card, lines.card_currency, numbers.currency) as currency,
            if(lines.has_rate_card, 'final', numbers.cost_status) as cost_status
        ),
        lines.total,
        lines.telephony,
        lines.transfer,
        lines.bot,
        lines.ai,
        lines.recording,
        lines.transcription,
        lines.other,
        lines.is_rated,
        coalesce(lines.has_rate_card, false) as has_rate_card,
        lines.rated_seconds,
        if(lines.has_rate_card, lines.total, coalesce(numbers.reported_cost, lines.total))
            as cost_total,
        -- Not every vendor says when a call ended; an outcome says that it did.
        numbers.ended_at is not null
        or numbers.total_seconds is not null
        or numbers.outcome not in ('in_progress', 'unknown') as has_ended,
        deleted.deleted_at,
        deleted.load_id as deleting_load_id,
        accounts.settle_after,
        run.now,
        run.reporting_currency,
        (numbers.started_at at time zone run.reporting_time_zone)::date as call_date
    from with_phone_numbers as numbers
    left join intermediate.call_cost_totals as lines
        on
            numbers.vendor = lines.vendor
            and numbers.account = lines.account
            and numbers.vendor_call_id = lines.vendor_call_id
    left join inputs.deleted as deleted
        on
            numbers.vendor = deleted.vendor
            and numbers.account = deleted.account
            and numbers.vendor_call_id = deleted.record_id
    left join config.accounts as accounts
        on numbers.vendor = accounts.vendor and numbers.account = accounts.account
    cross join config.run as run
),

converted as (
    select
        calls.*,
        case
            when calls.cost_total is null then null
            when calls.currency = calls.reporting_currency then 1
            else rates.rate
        end::decimal(18, 8) as fx_rate
    from calls
    left join intermediate.fx_days as rates
        on calls.currency = rates.from_currency and calls.call_date = rates.day
)

select
    vendor || ':' || account || ':' || vendor_call_id as call_key,
    vendor,
    account,
    vendor_call_id,
    vendor || ':' || account || ':' || parent_call_id as parent_call_key,
    direction,
    started_at,
    answered_at,
    ended_at,
    call_date,
    customer_e164 as customer_number,
    business_e164 as business_number,
    customer_kind as customer_number_kind,
    country,
    outcome,
    outcome_stage,
    vendor_outcome,
    hangup_by,
    total_seconds,
    ring_seconds,
    ivr_seconds,
    queue_seconds,
    talk_seconds,
    hold_seconds,
    wrap_seconds,
    bot_seconds,
    ai_seconds,
    transfer_seconds,
    coalesce(billed_seconds, rated_seconds) as billed_seconds,
    case when total_seconds is not null then duration_basis end as duration_basis,
    leg_count,
    agent_count,
    queue_count,
    is_answered,
    case
        when outcome not in ('unknown', 'in_progress') then outcome = 'abandoned'
    end as is_abandoned,
    is_voicemail,
    is_transferred,
    is_bot_handled,
    is_recorded,
    cost_total::decimal(18, 6) as cost_total,
    telephony::decimal(18, 6) as cost_telephony,
    transfer::decimal(18, 6) as cost_transfer,
    bot::decimal(18, 6) as cost_bot,
    ai::decimal(18, 6) as cost_ai,
    recording::decimal(18, 6) as cost_recording,
    transcription::decimal(18, 6) as cost_transcription,
    other::decimal(18, 6) as cost_other,
    (cost_total - coalesce(total, 0))::decimal(18, 6) as cost_unallocated,
    case when cost_total is not null then currency end as currency,
    case
        when has_rate_card then 'rated'
        when reported_cost is not null then 'reported'
        when total is null then 'none'
        when is_rated then 'rated'
        else 'summed'
    end as cost_source,
    coalesce(cost_status, 'none') as cost_status,
    -- Exact, and rounded half up: a product of decimals is one of whole numbers.
    try_cast(cost_total::decimal(28, 6) * fx_rate as decimal(18, 6)) as cost_reporting,
    reporting_currency,
    fx_rate,
    agent_name,
    queue_name,
    language,
    sentiment,
    rating,
    nps,
    coalesce(
        has_ended
        and coalesce(cost_status, 'none') in ('none', 'final')
        and started_at + settle_after <= now,
        false
    ) as is_settled,
    deleted_at is not null as is_deleted,
    coalesce(is_erased, false) as is_erased,
    first_loaded_at,
    coalesce(deleted_at, last_loaded_at) as last_loaded_at,
    coalesce(deleting_load_id, load_id) as load_id
from converted
