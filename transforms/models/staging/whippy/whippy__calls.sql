-- One row per Whippy call. Its analysis (voicemail, rating, language) comes late. It has
-- no price; rate cards may give one.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage, cost_status, unmapped_values
-- @accepted cost_status: none
-- @column vendor_call_id: id
-- @column direction: direction
-- @column started_at: created_at
-- @column customer_number: from inbound, to outbound
-- @column business_number: to inbound, from outbound
-- @column outcome: voicemail; else delivery_status, by seeds/outcomes.csv; unknown of a call that
--     says that it was completed, until the analysis says whether a voicemail took it
-- @column outcome_stage: as outcome
-- @column vendor_outcome: delivery_status
-- @column total_seconds: duration, else duration_ms, else metadata.duration, in milliseconds
-- @column duration_basis: reported, with a duration
-- @column is_answered: voicemail; else delivery_status, by seeds/outcomes.csv; not before the analysis
-- @column is_answered_by_person: of an answered call, user_id; false with agent_id alone
-- @column is_voicemail: voicemail; a call that failed was none; another that is not analysed may be
--     one
-- @column is_bot_handled: true with agent_id, else metadata.agent_id; false with user_id alone
-- @column is_self_service: as is_bot_handled, of an inbound call
-- @column is_contained: answered with agent_id alone: no field but user_id would say that the bot
--     passed the call on
-- @column is_recorded: whether attachments has audio
-- @column cost_status: the vendor gives no price
-- @column language: language
-- @column rating: call_completion_rating
-- @column first_loaded_at: first read with the record
-- @column last_loaded_at: first read with its newest version
-- @column load_id: load of that read
with sent as (
    select
        account,
        record_id as vendor_call_id,
        nullif(record['from'], '') as caller,
        nullif(record['to'], '') as callee,
        nullif(record['delivery_status'], '') as vendor_outcome,
        try_cast(record['voicemail'] as boolean) as is_voicemail,
        record['user_id'] != '' as has_person,
        -- Without an agent a person spoke, but the record may just not say so.
        case
            when bot_id is not null then true
            when record['user_id'] != '' then false
        end as is_bot_handled,
        nullif(
            len(list_filter(record['attachments'], lambda x: x['content_type'] like 'audio/%')),
            0
        ) is not null as has_recording,
        nullif(record['language'], '') as language,
        nullif(record['call_completion_rating'], '') as rating,
        first_loaded_at,
        last_loaded_at,
        load_id
    from staging.whippy__records
),

typed as (
    select
        sent.*,
        case
            when sent.is_voicemail then ['voicemail', 'voicemail']
            when words.is_answered and sent.is_voicemail is null then ['unknown', 'none']
            when words.outcome is not null then [words.outcome, words.outcome_stage]
            else ['unknown', 'none']
        end as outcome_and_stage,
        case
            when sent.is_voicemail then false
            when words.is_answered and sent.is_voicemail is null then null
            else words.is_answered
        end as is_answered,
        words.outcome = 'failed' as has_failed
    from sent
    left join seeds.outcomes as words
        on words.vendor = 'whippy' and sent.vendor_outcome = words.vendor_outcome
)

select
    typed.account,
    typed.vendor_call_id,
    spans.direction,
    spans.started_at,
    case spans.direction when 'inbound' then typed.caller when 'outbound' then typed.callee end
        as customer_number,
    case spans.direction when 'inbound' then typed.callee when 'outbound' then typed.caller end
        as business_number,
    typed.outcome_and_stage[1] as outcome,
    typed.outcome_and_stage[2] as outcome_stage,
    typed.vendor_outcome,
    spans.total_seconds,
    case when spans.total_seconds is not null then 'reported' end as duration_basis,
    typed.is_answered,
    case
        when not typed.is_answered then false
        when typed.is_answered and typed.has_person then true
        when typed.is_answered and typed.is_bot_handled then false
    end as is_answered_by_person,
    coalesce(typed.is_voicemail, if(typed.has_failed, false, null)) as is_voicemail,
    typed.is_bot_handled,
    if(spans.direction = 'inbound', typed.is_bot_handled, null) as is_self_service,
    case
        when not typed.is_answered then false
        when typed.is_answered and typed.has_person then false
        when typed.is_answered then typed.is_bot_handled
    end as is_contained,
    case when typed.has_recording then true end as is_recorded,
    'none' as cost_status,
    typed.language,
    typed.rating,
    unmapped.unmapped_values,
    typed.first_loaded_at,
    typed.last_loaded_at,
    typed.load_id
from typed
inner join staging.whippy__spans as spans
    on typed.account = spans.account and typed.vendor_call_id = spans.vendor_call_id
inner join staging.whippy__unmapped_values as unmapped
    on typed.account = unmapped.account and typed.vendor_call_id = unmapped.vendor_call_id
