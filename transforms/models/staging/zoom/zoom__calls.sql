-- One row per Zoom engagement. Its charge may still come until the settle horizon; one
-- that has none by then costs the sum of its legs' charges, and without these is not charged for.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage, cost_status, unmapped_values
-- @accepted cost_status: none, pending, partial, final
-- @column vendor_call_id: engagement_id
-- @column direction: internal if all types are of an internal call, else direction
-- @column call_type: callback where one of types is; else internal where all are, consult of them where
--     one of sub_types is warm; direction where one is external_call; conference where one is; else
--     unknown; direction without types
-- @column started_at: start_time
-- @column answered_at: start_time, flow_duration and waiting_duration later: of an answered inbound
--     call that was not passed on, unless after ended_at
-- @column ended_at: end_time, unless before the start or after the read
-- @column customer_number: consumer_number, else caller_number inbound and callee_number outbound
-- @column business_number: callee_number inbound, caller_number outbound
-- @column country: country_name, by seeds/countries.csv
-- @column outcome: result, by seeds/outcomes.csv
-- @column outcome_stage: result, by seeds/outcomes.csv
-- @column vendor_outcome: result
-- @column total_seconds: total_duration, else duration of the list of engagements
-- @column line_seconds: of a callback, flow_duration plus handling_duration minus wrap_up_duration of
--     the list of engagements
-- @column ivr_seconds: flow_duration of the list of engagements, where the account may read it
-- @column queue_seconds: waiting_duration of the list of engagements, unless of a callback
-- @column callback_seconds: waiting_duration of the list of engagements, of a callback
-- @column talk_seconds: talk_duration of the list of engagements
-- @column hold_seconds: handling_duration of the list of engagements minus its talk_duration and
--     wrap_up_duration; NULL where they are more
-- @column wrap_seconds: wrap_up_duration of the list of engagements
-- @column handle_seconds: handling_duration of the list of engagements
-- @column duration_basis: reported, with total_seconds
-- @column leg_count: entries of voice_call_details
-- @column agent_count: distinct entries of agents by user_id, else display_name
-- @column queue_count: distinct entries of queues by cc_queue_id, else queue_id, else queue_name
-- @column is_answered: result, by seeds/outcomes.csv
-- @column is_answered_by_person: as is_answered: its words are of calls that agents took
-- @column is_voicemail: inbox, else voice_mail of the list of engagements, else as outcome
-- @column is_transferred: whether one of sub_types is a transfer, or transferCount of the list of
--     engagements is above 0
-- @column is_self_service: of an inbound call, a result of self-service, flow_duration above 0, or flows
-- @column is_contained: result
-- @column is_recorded: recorded
-- @column reported_cost: charge, the number in the text
-- @column currency: the symbol in charge, else in the charges of the legs, else the configured
--     currency
-- @column cost_status: final with a charge; without one until the settle horizon partial, if legs
--     have charges, or pending; then final or none
-- @column queue_name: queue_name of the first of queues
-- @column first_loaded_at: first read with the record
-- @column last_loaded_at: first read with its newest version
-- @column load_id: load of that read
with typed as (
    select
        account,
        record_id as vendor_call_id,
        record,
        case
            when record['direction'] in ('inbound', 'outbound') then record['direction']
            else 'unknown'
        end as sent_direction,
        len(
            list_filter(
                record['types'],
                lambda x: x in (
                    'internal_call', 'internal_conference_call', 'internal_callback_call'
                )
            )
        ) as internal_types,
        if(
            internal_types > 0 and internal_types = len(record['types']),
            'internal',
            sent_direction
        ) as direction,
        list_filter(record['types'], lambda x: x like '%callback_call') as callbacks,
        list_filter(record['sub_types'], lambda x: x like 'internal_warm_%') as consults,
        case
            when len(callbacks) > 0 then 'callback'
            when direction = 'internal' and len(consults) > 0 then 'consult'
            when direction = 'internal' or coalesce(len(record['types']), 0) = 0 then direction
            when list_contains(record['types'], 'external_call') then sent_direction
            when list_contains(record['types'], 'external_conference_call') then 'conference'
            else 'unknown'
        end as call_type,
        nullif(record['result'], '') as vendor_outcome,
        event_at as started_at,
        read_time(record['end_time'], null) as sent_end,
        if(
            sent_end between event_at and last_loaded_at + interval 1 day, sent_end, null
        ) as ended_at,
        nullif(record['caller_number'], '') as caller_number,
        nullif(record['callee_number'], '') as callee_number,
        try_cast(record['total_duration'] as decimal(12, 3)) as seconds,
        if(seconds >= 0, seconds, null) as reported_seconds,
        list_transform(
            record['agents'],
            lambda x: coalesce(nullif(x['user_id'], ''), nullif(x['display_name'], ''))
        ) as agents,
        list_transform(
            record['queues'],
            lambda x: coalesce(
                nullif(x['cc_queue_id'], ''),
                nullif(x['queue_id'], ''),
                nullif(x['queue_name'], '')
            )
        ) as queues,
        list_filter(record['sub_types'], lambda x: x like '%transfer%') as transfers,
        lower(replace(trim(record['country_name']), '’', '''')) as country_name,
        first_loaded_at,
        last_loaded_at,
        load_id
    from staging.zoom__voice_calls
),

leg_charges as (
    select
        account,
        vendor_call_id,
        min(currency) as currency
    from staging.zoom__leg_charges
    where is_cost
    group by all
)

select
    typed.account,
    typed.vendor_call_id,
    typed.direction,
    typed.call_type,
    typed.started_at,
    case
        when
            typed.sent_direction = 'inbound' and words.is_answered
            and coalesce(len(typed.transfers), 0) + coalesce(parts.transfers, 0) = 0
            and parts.waited <= coalesce(typed.ended_at - typed.started_at, parts.waited)
            then typed.started_at + parts.waited
    end as answered_at,
    typed.ended_at,
    coalesce(
        nullif(typed.record['consumer_number'], ''),
        case typed.sent_direction
            when 'inbound' then typed.caller_number when 'outbound' then typed.callee_number
        end
    ) as customer_number,
    case typed.sent_direction
        when 'inbound' then typed.callee_number when 'outbound' then typed.caller_number
    end as business_number,
    countries.country,
    coalesce(words.outcome, 'unknown') as outcome,
    coalesce(words.outcome_stage, 'none') as outcome_stage,
    typed.vendor_outcome,
    coalesce(typed.reported_seconds, parts.total_seconds) as total_seconds,
    -- Its own length has the hours until the customer was called back.
    if(
        typed.call_type = 'callback',
        nullif(
            greatest(parts.flow_seconds + parts.handling_seconds - parts.wrap_up_seconds, -1), -1
        ),
        null
    )::decimal(12, 3) as line_seconds,
    parts.flow_seconds as ivr_seconds,
    if(typed.call_type = 'callback', null, parts.waiting_seconds) as queue_seconds,
    if(typed.call_type = 'callback', parts.waiting_seconds, null) as callback_seconds,
    parts.talk_seconds,
    parts.hold_seconds::decimal(12, 3) as hold_seconds,
    parts.wrap_up_seconds as wrap_seconds,
    parts.handling_seconds as handle_seconds,
    if(coalesce(typed.reported_seconds, parts.total_seconds) is null, null, 'reported')
        as duration_basis,
    len(typed.record['voice_call_details'])::integer as leg_count,
    if(
        list_count(typed.agents) = len(typed.agents), len(list_distinct(typed.agents)), null
    )::integer as agent_count,
    if(
        list_count(typed.queues) = len(typed.queues), len(list_distinct(typed.queues)), null
    )::integer as queue_count,
    words.is_answered,
    words.is_answered as is_answered_by_person,
    coalesce(
        try_cast(typed.record['inbox'] as boolean),
        parts.has_voice_mail,
        if(words.outcome != 'unknown', words.outcome = 'voicemail', null)
    ) as is_voicemail,
    coalesce(
        nullif(len(typed.transfers) > 0, false), parts.transfers > 0, len(typed.transfers) > 0
    ) as is_transferred,
    case
        when typed.sent_direction != 'inbound' then null
        when words.outcome_stage = 'ivr' or parts.flow_seconds > 0 then true
        when len(typed.record['flows']) > 0 then true
        when coalesce(parts.flow_seconds, len(typed.record['flows'])) = 0 then false
    end as is_self_service,
    if(words.outcome != 'unknown', words.outcome = 'contained', null) as is_contained,
    try_cast(typed.record['recorded'] as boolean) as is_recorded,
    charges.amount as reported_cost,
    coalesce(charges.currency, legs.currency) as currency,
    case
        when charges.amount is not null then 'final'
        when run.now >= coalesce(typed.ended_at, typed.started_at) + settings.settle_after
            then if(legs.account is null, 'none', 'final')
        when legs.account is not null then 'partial'
        else 'pending'
    end as cost_status,
    nullif(typed.record['queues'][1]['queue_name'], '') as queue_name,
    unmapped.unmapped_values,
    typed.first_loaded_at,
    greatest(typed.last_loaded_at, parts.last_loaded_at) as last_loaded_at,
    if(parts.last_loaded_at > typed.last_loaded_at, parts.load_id, typed.load_id) as load_id
from typed
left join staging.zoom__engagements as parts
    on typed.account = parts.account and typed.vendor_call_id = parts.record_id
inner join staging.zoom__unmapped_values as unmapped
    on
        typed.account = unmapped.account
        and typed.vendor_call_id = unmapped.vendor_call_id
left join staging.zoom__prices as charges
    on typed.account = charges.account and typed.record['charge'] = charges.charge
left join leg_charges as legs
    on typed.account = legs.account and typed.vendor_call_id = legs.vendor_call_id
left join config.accounts as settings
    on settings.vendor = 'zoom' and typed.account = settings.account
left join seeds.countries as countries
    on typed.country_name = countries.name
left join seeds.outcomes as words
    on words.vendor = 'zoom' and typed.vendor_outcome = words.vendor_outcome
cross join config.run as run
