-- One row per customer interaction as the vendor names it, over all vendors.
-- @key call_key
-- @not_null vendor, account, vendor_call_id, direction, call_type, outcome, outcome_stage,
--     cost_source, cost_status, is_settled, is_deleted, is_erased, first_loaded_at, last_loaded_at,
--     reporting_currency, load_id
-- @accepted direction: inbound, outbound, internal, unknown
-- @accepted call_type: inbound, outbound, internal, callback, conference, consult, unknown
-- @accepted customer_number_kind: e164, sip, internal, anonymous, unknown, removed
-- @accepted outcome: answered, abandoned, missed, rejected, voicemail, overflowed, contained, busy,
--     no_answer, failed, canceled, in_progress, unknown
-- @accepted outcome_stage: ivr, queue, ring, connected, hold, voicemail, callback, none
-- @accepted hangup_by: customer, agent, bot, system, carrier, unknown
-- @accepted duration_basis: reported, derived
-- @accepted cost_source: reported, summed, rated, none
-- @accepted cost_status: none, pending, partial, provisional, final
-- @check (cost_total is null) = (currency is null)
-- @check total_seconds is null or total_seconds >= 0
-- @check not (is_contained and is_answered_by_person)
-- @check cost_source != 'none' or cost_total is null
-- @personal customer: customer_number
-- @personal staff: agent_name
-- @personal anyone: payer_id, payer_name
-- @personal about_customer: customer_number_kind, country, language, sentiment, rating, nps
-- @column call_key: vendor:account:vendor_call_id; readable and stable
-- @column vendor: its name in the configuration
-- @column account: the account's alias in the configuration
-- @column vendor_call_id: the vendor's identifier, as text
-- @column parent_call_key: the call that this one came from; NULL = none, or not reported
-- @column direction: inbound, outbound, internal, unknown
-- @column call_type: what kind of call it is: inbound or outbound with a customer; internal among
--     colleagues; callback = the customer asked for it, and its wait was not on the line; conference =
--     with others beside the customer from its beginning; consult = internal, before a call was passed
--     on; unknown. Of a vendor that names no kinds it is direction
-- @column started_at: when it began, UTC; NULL = the vendor's time cannot be read
-- @column answered_at: when somebody took it, UTC; NULL = not answered, or not reported
-- @column ended_at: when it ended, UTC; NULL = not ended, or not reported
-- @column call_date: date of started_at in the reporting time zone; NULL = started_at is
-- @column started_at_local: started_at in the reporting time zone, without a zone; NULL = started_at is
-- @column call_hour: hour of started_at_local, 0 to 23; NULL = started_at is
-- @column customer_number [phone number]: the customer's number as E.164 with +; NULL = none, or no such number
-- @column business_number: our number as E.164 with +; NULL = none, or no such number
-- @column customer_number_kind: e164, sip, internal, anonymous, unknown; removed = the call is older
--     than [privacy] raw_days, and has lost what was personal in every table; NULL = the vendor names
--     nobody, or is_erased
-- @column country: ISO 3166-1 alpha-2 of the customer's side, as the vendor says, else of
--     customer_number; NULL = neither shows it, or the number belongs to no country, or to one of
--     many, or the call is erased or removed
-- @column outcome: what became of it, in our words; unknown for a word without a mapping, and where
--     the vendor does not say, or not yet
-- @column outcome_stage: where in the call that was decided
-- @column vendor_outcome: the vendor's own word; NULL = none was sent
-- @column hangup_by: who ended it; NULL = not reported
-- @column total_seconds [seconds]: the whole call, as the vendor counts it; NULL = not ended, or
--     not reported
-- @column line_seconds [seconds]: how long a line was open: total_seconds, of a callback without the
--     wait for it: what minutes are counted by; NULL = total_seconds is, or it is a callback whose parts
--     are not reported
-- @column ring_seconds [seconds]: ringing; NULL = not reported
-- @column ivr_seconds [seconds]: in self service; NULL = not reported
-- @column queue_seconds [seconds]: waiting in queues, on the line; NULL = not reported, or a callback
-- @column callback_seconds [seconds]: waiting for a callback, with no line open; NULL = no callback, or
--     not reported
-- @column talk_seconds [seconds]: conversation with agents; NULL = not reported, or there was none
-- @column hold_seconds [seconds]: on hold; NULL = not reported
-- @column wrap_seconds [seconds]: work after the call; NULL = not reported
-- @column handle_seconds [seconds]: handle time, as Genesys and Amazon Connect count it: as the vendor
--     reports it, else talk, hold and wrap-up; NULL = not reported, or one of the three is not
-- @column bot_seconds [seconds]: with a scripted bot; NULL = not reported
-- @column ai_seconds [seconds]: with an AI agent; NULL = not reported
-- @column transfer_seconds [seconds]: after a transfer; NULL = not reported
-- @column billed_seconds [seconds]: what was charged for: as the vendor says, else as a rate card
--     or price list counted, allowance included; NULL = neither, or priced per call
-- @column duration_basis: of total_seconds: reported, or derived (end minus start); NULL =
--     total_seconds is
-- @column leg_count [legs]: legs, attempts or stages; NULL = not reported
-- @column agent_count [agents]: distinct agents who handled it, as in bridge_call_agents; NULL = not
--     reported, or not countable
-- @column queue_count [queues]: distinct queues; NULL = not reported, or not countable
-- @column attempt_count [attempts]: how often a customer was dialled, one after the other or at once,
--     as Genesys counts dialer attempts; NULL = not outbound
-- @column is_answered: whether somebody, or a bot, spoke with the customer; NULL = unknowable
-- @column is_answered_by_person: whether a person of the business did; NULL = unknowable, such as of a
--     telephone that the call was put through to, which may be a machine
-- @column is_abandoned: whether the customer gave up first; NULL = unknowable, as of an inbound call
--     that ended before anybody took it, where the vendor does not say who ended it
-- @column is_voicemail: whether it went to voicemail; NULL = unknowable, as of a vendor that never
--     says it
-- @column is_transferred: whether it went on to somebody else after somebody, or a bot, had taken it,
--     as Genesys counts transfers apart from first connections; NULL = unknowable
-- @column is_bot_handled: whether it was a bot's call: a bot spoke, or would have; NULL = unknowable
-- @column is_self_service: whether the customer came into self-service, a menu or a bot, as Genesys
--     counts entries into a flow; NULL = unknowable
-- @column is_contained: whether self-service or a bot finished it, and nobody had to take over, as
--     Google CCAI counts containment; NULL = unknowable
-- @column is_recorded: whether there is a recording; NULL = unknowable
-- @column cost_total [currency]: what it cost: rated by a card that overrides, else reported, else
--     summed from its parts, else rated; NULL = unknown, or not billed yet
-- @column cost_telephony [currency]: part of cost_total; NULL = no such line
-- @column cost_transfer [currency]: part of cost_total; NULL = no such line
-- @column cost_bot [currency]: part of cost_total; NULL = no such line
-- @column cost_ai [currency]: part of cost_total: language model, speech both ways, platform; NULL
--     = no such line
-- @column cost_recording [currency]: part of cost_total; NULL = no such line
-- @column cost_transcription [currency]: part of cost_total; NULL = no such line
-- @column cost_other [currency]: part of cost_total; NULL = no such line
-- @column cost_unallocated [currency]: cost_total minus its parts; shown, never hidden; NULL =
--     cost_total is
-- @column currency: ISO 4217 of all cost columns; NULL = cost_total is
-- @column cost_source: reported, summed, rated (from a rate card or a price list), none
-- @column cost_status: none (no cost is to come); pending (it is to come), partial (a part of it is
--     to come); provisional: rated within an allowance whose month is not over, not complete, or not
--     past the settle horizon, so that another call of the month can still move it; final
-- @column cost_reporting [reporting_currency]: cost_total in the reporting currency, at fx_rate,
--     rounded half up; NULL = cost_total is, or no rate is known
-- @column reporting_currency: ISO 4217, as configured
-- @column fx_rate [reporting_currency per currency]: the last rate published on call_date or up to
--     7 days before it, 1 for the reporting currency itself; NULL = cost_total is, or no rate is
--     known
-- @column agent_name [may be a number]: first agent who handled it, a convenience: all are in
--     bridge_call_agents; NULL = none, or not named
-- @column queue_name: first queue, a convenience: all are in bridge_call_queues; NULL = none, or
--     not named
-- @column payer_kind: what pays for it, in the vendor's word: customer, company, application,
--     queue, ...; the nearest, a convenience: all levels are in bridge_call_payers; NULL = not reported
-- @column payer_id [may be a number]: the vendor's identifier of it, as text; NULL = not reported
-- @column payer_name [may be a number]: its name at this call; NULL = not reported
-- @column cost_center: by the first rule of cost_centers.csv that fits; NULL = none fits, or there
--     are none
-- @column cost_center_rule: the rule's place in the file, from 1, as in ops.cost_center_rules; NULL
--     = cost_center is
-- @column language: as the vendor says it; NULL = not reported, or not yet
-- @column sentiment: as the vendor says it; NULL = not reported, or not yet
-- @column rating: as the vendor says it; NULL = not reported, or not yet
-- @column nps: net promoter score, as the vendor says it; NULL = not reported, or not yet
-- @column is_settled: ended, cost not to come, and past the vendor's settle horizon: nothing more
--     is expected
-- @column is_deleted: two complete, believable reads of different runs, at least 20 hours apart, no
--     longer had it, and no other window has it alive; as it was last seen, and left out of the
--     marts
-- @column is_erased: erased, by its vendor or with callhouse erase; its personal columns are NULL in
--     every table
-- @column first_loaded_at: when it was first read, UTC
-- @column last_loaded_at: when its present version was first read, or it was found deleted, UTC
-- @column load_id: the load that brought its present version, or found it deleted
with agents as (
    select
        vendor,
        account,
        vendor_call_id,
        count(*) as agent_count,
        first(agent_name order by seq) as agent_name
    from intermediate.call_agents
    where role = 'handled'
    group by all
),

with_phone_numbers as (
    select
        calls.*,
        customers.e164 as customer_e164,
        customers.kind as customer_number_kind,
        customers.country as customer_country,
        businesses.e164 as business_e164
    from staging.calls as calls
    left join intermediate.phone_numbers as customers
        on
            calls.vendor = customers.vendor
            and calls.account = customers.account
            and calls.customer_number = customers.number
    left join intermediate.phone_numbers as businesses
        on
            calls.vendor = businesses.vendor
            and calls.account = businesses.account
            and calls.business_number = businesses.number
)

select
    calls.vendor || ':' || calls.account || ':' || calls.vendor_call_id as call_key,
    calls.vendor,
    calls.account,
    calls.vendor_call_id,
    calls.vendor || ':' || calls.account || ':' || calls.parent_call_id as parent_call_key,
    calls.direction,
    coalesce(calls.call_type, calls.direction) as call_type,
    calls.started_at,
    calls.answered_at,
    calls.ended_at,
    costs.call_date,
    calls.started_at at time zone run.reporting_time_zone as started_at_local,
    hour(calls.started_at at time zone run.reporting_time_zone)::integer as call_hour,
    calls.customer_e164 as customer_number,
    calls.business_e164 as business_number,
    coalesce(
        calls.customer_number_kind,
        if(erased.is_removed and not coalesce(calls.is_erased, false), 'removed', null)
    ) as customer_number_kind,
    case
        when erased.record_id is not null or calls.is_erased then null
        when regexp_full_match(calls.country, '[A-Za-z]{2}') then upper(calls.country)
        else calls.customer_country
    end as country,
    calls.outcome,
    calls.outcome_stage,
    calls.vendor_outcome,
    calls.hangup_by,
    calls.total_seconds,
    if(calls.call_type = 'callback', calls.line_seconds, calls.total_seconds) as line_seconds,
    calls.ring_seconds,
    calls.ivr_seconds,
    calls.queue_seconds,
    calls.callback_seconds,
    calls.talk_seconds,
    calls.hold_seconds,
    calls.wrap_seconds,
    coalesce(
        calls.handle_seconds, calls.talk_seconds + calls.hold_seconds + calls.wrap_seconds
    )::decimal(12, 3) as handle_seconds,
    calls.bot_seconds,
    calls.ai_seconds,
    calls.transfer_seconds,
    coalesce(calls.billed_seconds, costs.rated_seconds) as billed_seconds,
    case when calls.total_seconds is not null then calls.duration_basis end as duration_basis,
    calls.leg_count,
    if(
        calls.is_answered is null or calls.agent_count is null,
        null,
        coalesce(agents.agent_count, 0)
    )::integer as agent_count,
    calls.queue_count,
    coalesce(calls.attempt_count, if(calls.direction = 'outbound', 1, null)) as attempt_count,
    calls.is_answered,
    calls.is_answered_by_person,
    case
        when calls.outcome in ('unknown', 'in_progress') then null
        when
            calls.direction in ('inbound', 'unknown')
            and (
                calls.outcome in ('missed', 'no_answer')
                or (calls.outcome = 'canceled' and calls.outcome_stage = 'ring')
            )
            then null
        else calls.outcome = 'abandoned'
    end as is_abandoned,
    calls.is_voicemail,
    calls.is_transferred,
    calls.is_bot_handled,
    calls.is_self_service,
    calls.is_contained,
    calls.is_recorded,
    costs.cost_total,
    costs.cost_telephony,
    costs.cost_transfer,
    costs.cost_bot,
    costs.cost_ai,
    costs.cost_recording,
    costs.cost_transcription,
    costs.cost_other,
    costs.cost_unallocated,
    costs.currency,
    costs.cost_source,
    costs.cost_status,
    costs.cost_reporting,
    costs.reporting_currency,
    costs.fx_rate,
    agents.agent_name,
    calls.queue_name,
    payers.payer_kind,
    payers.payer_id,
    payers.payer_name,
    centers.cost_center,
    centers.rule_number as cost_center_rule,
    calls.language,
    calls.sentiment,
    calls.rating,
    calls.nps,
    -- Not every vendor says when a call ended; a length or an outcome says that it did.
    coalesce(
        (
            calls.ended_at is not null
            or calls.total_seconds is not null
            or calls.outcome not in ('in_progress', 'unknown')
        )
        and costs.cost_status in ('none', 'final')
        and calls.started_at + accounts.settle_after <= run.now,
        false
    ) as is_settled,
    deleted.record_id is not null as is_deleted,
    coalesce(calls.is_erased, false) or coalesce(not erased.is_removed, false) as is_erased,
    calls.first_loaded_at,
    coalesce(deleted.deleted_at, calls.last_loaded_at) as last_loaded_at,
    coalesce(deleted.load_id, calls.load_id) as load_id
from with_phone_numbers as calls
inner join intermediate.call_costs as costs
    on
        calls.vendor = costs.vendor
        and calls.account = costs.account
        and calls.vendor_call_id = costs.vendor_call_id
left join agents
    on
        calls.vendor = agents.vendor
        and calls.account = agents.account
        and calls.vendor_call_id = agents.vendor_call_id
left join staging.payers as payers
    on
        payers.level = 1
        and calls.vendor = payers.vendor
        and calls.account = payers.account
        and calls.vendor_call_id = payers.vendor_call_id
left join intermediate.call_cost_centers as centers
    on
        calls.vendor = centers.vendor
        and calls.account = centers.account
        and calls.vendor_call_id = centers.vendor_call_id
left join inputs.deleted as deleted
    on
        calls.vendor = deleted.vendor
        and calls.account = deleted.account
        and calls.vendor_call_id = deleted.record_id
left join inputs.erased as erased
    on
        calls.vendor = erased.vendor
        and calls.account = erased.account
        and calls.vendor_call_id = erased.record_id
left join config.accounts as accounts
    on calls.vendor = accounts.vendor and calls.account = accounts.account
cross join config.run as run
