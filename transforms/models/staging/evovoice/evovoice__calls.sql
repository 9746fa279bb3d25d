-- One row per session that is a call; chats and faxes are none.
-- The parts of the duration are read from the log, and no parent is named.
-- @key account, vendor_call_id
-- @not_null direction, started_at, outcome, outcome_stage, cost_status, unmapped_values
-- @column vendor_call_id: id
-- @column parent_call_id: the first session of the month with the same conferenceSid, else
--     callSid: inferred (evovoice.md, section 7)
-- @column direction: direction; internal where both addresses are of the account's own
--     devices, client:... or an extension
-- @column started_at: dateCreated
-- @column answered_at: log, the first line that begins a conversation
-- @column ended_at: dateCompleted, once ended
-- @column customer_number: fromAddress inbound; toAddress, else destination, outbound
-- @column business_number: toAddress inbound, fromAddress outbound
-- @column outcome: wasMissed and ended; then outcome, by seeds/outcomes.csv, where it is a voicemail,
--     abandoned or rejected; then answeredById; else outcome
-- @column outcome_stage: as outcome
-- @column vendor_outcome: outcome
-- @column total_seconds: dateCompleted minus dateCreated
-- @column ring_seconds: log, by seeds/log_lines.csv, where all of its lines are known
-- @column ivr_seconds: as ring_seconds
-- @column queue_seconds: as ring_seconds
-- @column talk_seconds: as ring_seconds
-- @column hold_seconds: as ring_seconds
-- @column duration_basis: derived: the vendor sends no duration
-- @column leg_count: entries of members
-- @column agent_count: answeredById, and members with the role Agent; NULL without members
-- @column queue_count: whether ringQueueId is given: a call is in one waiting queue at a time
-- @column is_answered: as outcome
-- @column is_answered_by_person: of an answered call, whether answeredById or a member with the role
--     Agent is given; NULL without either: an AI may have taken it
-- @column is_voicemail: outcome, by seeds/outcomes.csv; else as outcome
-- @column is_transferred: whether a member has the role Transfer
-- @column is_self_service: of an inbound call, ivr_seconds above 0
-- @column is_contained: false of a call that a person took, or nobody; NULL of others: no word is for it
-- @column currency: the configured currency, else USD
-- @column cost_status: final once rated, pending until the session ends
-- @column first_loaded_at: first read with the record
-- @column last_loaded_at: first read with its newest version
-- @column load_id: load of that read
with voice as (
    select
        *,
        record_id as vendor_call_id,
        -- Twilio's clients, and short numbers: no customer has either.
        [
            session['fromAddress'],
            coalesce(nullif(session['toAddress'], ''), session['destination'])
        ] as addresses,
        date_trunc('month', created_at at time zone 'UTC') as month,
        case
            when len(list_filter(
                addresses, lambda x: regexp_full_match(x, '(?i)client:.+|[0-9]{2,6}')
            )) = 2 then 'internal'
            when session['direction'] in ('Incoming', '0') then 'inbound'
            when session['direction'] in ('Outgoing', '1') then 'outbound'
            else 'unknown'
        end as direction,
        if(has_ended, completed_at, null) as ended_at,
        nullif(session['fromAddress'], '') as from_number,
        nullif(session['toAddress'], '') as to_number,
        nullif(session['destination'], '') as destination,
        coalesce(nullif(session['answeredById'], ''), session['answeredByName']) != ''
            as has_answerer,
        list_transform(session['members'], lambda member: member['role']) as roles,
        len(list_filter(roles, lambda role: role in ('Agent', '2'))) as agents,
        len(list_filter(roles, lambda role: role in ('Transfer', '3'))) as transfers,
        len(list_filter(
            roles, lambda role: role in ('None', 'Caller', 'Agent', 'Transfer', '0', '1', '2', '3')
        )) = len(roles) as has_all_roles
    from staging.evovoice__sessions
    where is_call
),

-- Only the sessions of a month are computed together.
with_first as (
    select
        *,
        if(
            session['conferenceSid'] != '',
            first_value(vendor_call_id) over of_conference,
            null
        ) as first_of_conference,
        if(session['callSid'] != '', first_value(vendor_call_id) over of_line, null)
            as first_of_line
    from voice
    window
        of_conference as (
            partition by account, session['accountId'], month, session['conferenceSid']
            order by created_at, vendor_call_id
        ),
        of_line as (
            partition by account, session['accountId'], month, session['callSid']
            order by created_at, vendor_call_id
        )
),

with_outcome as (
    select
        voice.*,
        words.outcome as known_outcome,
        words.outcome_stage as known_stage,
        words.is_answered::boolean as is_known_answer,
        case
            when voice.is_missed then 'missed'
            when not voice.has_ended then 'in_progress'
            when words.outcome in ('voicemail', 'abandoned', 'rejected') then words.outcome
            when voice.has_answerer then 'answered'
            else coalesce(words.outcome, 'unknown')
        end as outcome
    from with_first as voice
    left join seeds.outcomes as words
        on words.vendor = 'evovoice' and voice.session['outcome'] = words.vendor_outcome
),

judged as (
    select
        *,
        case outcome
            when 'answered' then true
            when 'missed' then false
            when 'in_progress' then if(has_answerer, true, null)
            else is_known_answer
        end as is_answered,
        case
            when not is_answered then false
            when is_answered and (has_answerer or agents > 0) then true
        end as is_answered_by_person
    from with_outcome
)

select
    calls.account,
    calls.vendor_call_id,
    coalesce(
        nullif(calls.first_of_conference, calls.vendor_call_id),
        nullif(calls.first_of_line, calls.vendor_call_id)
    ) as parent_call_id,
    calls.direction,
    calls.created_at as started_at,
    durations.answered_at,
    calls.ended_at,
    case calls.direction
        when 'inbound' then calls.from_number
        when 'outbound' then coalesce(calls.to_number, calls.destination)
    end as customer_number,
    case calls.direction
        when 'inbound' then calls.to_number
        when 'outbound' then calls.from_number
    end as business_number,
    calls.outcome,
    case calls.outcome
        when 'missed' then 'ring'
        when 'in_progress' then 'none'
        when 'answered' then 'connected'
        else coalesce(calls.known_stage, 'none')
    end as outcome_stage,
    nullif(calls.session['outcome'], '') as vendor_outcome,
    (
        (epoch_us(calls.ended_at) - epoch_us(calls.created_at) + 500) // 1000
        * 0.001::decimal(4, 3)
    )::decimal(12, 3) as total_seconds,
    durations.ring_seconds,
    durations.ivr_seconds,
    durations.queue_seconds,
    durations.talk_seconds,
    durations.hold_seconds,
    if(total_seconds is not null, 'derived', null) as duration_basis,
    len(calls.roles)::integer as leg_count,
    if(calls.has_all_roles or calls.agents > 0, calls.agents, null)::integer as agent_count,
    if(calls.session['ringQueueId'] != '', 1, null)::integer as queue_count,
    calls.is_answered,
    calls.is_answered_by_person,
    case
        when calls.outcome != 'in_progress'
            then
                coalesce(
                    calls.known_outcome = 'voicemail',
                    if(calls.outcome != 'unknown', false, null)
                )
    end as is_voicemail,
    if(calls.has_all_roles or calls.transfers > 0, calls.transfers > 0, null) as is_transferred,
    case
        when calls.direction != 'inbound' then null
        when durations.ivr_seconds > 0 then true
        when calls.ended_at is not null and durations.vendor_call_id is not null then false
    end as is_self_service,
    if(calls.is_answered_by_person or not calls.is_answered, false, null) as is_contained,
    costs.currency,
    case
        when not calls.has_ended then 'pending'
        when costs.amount is not null then 'final'
        else 'none'
    end as cost_status,
    unmapped.unmapped_values,
    calls.first_loaded_at,
    calls.last_loaded_at,
    calls.load_id
from judged as calls
left join staging.evovoice__durations as durations
    on
        calls.account = durations.account
        and calls.vendor_call_id = durations.vendor_call_id
left join staging.evovoice__costs as costs
    on calls.account = costs.account and calls.vendor_call_id = costs.vendor_call_id
inner join staging.evovoice__unmapped_values as unmapped
    on calls.account = unmapped.account and calls.vendor_call_id = unmapped.vendor_call_id
