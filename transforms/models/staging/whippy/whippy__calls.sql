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
-- @column outcome: voicemail; else delivery_status, by seeds/outcomes.csv
-- @column outcome_stage: as outcome
-- @column vendor_outcome: delivery_status
-- @column total_seconds: duration, else duration_ms, else metadata.duration, in milliseconds
-- @column duration_basis: reported, with a duration
-- @column is_answered: voicemail; else delivery_status, by seeds/outcomes.csv
-- @column is_voicemail: voicemail; a call that failed was none; another that is not analysed may be
--     one
-- @column is_bot_handled: true with agent_id, else metadata.agent_id; false with user_id alone
-- @column is_recorded: whether attachments has audio
-- @column cost_status: the vendor gives no price
-- @column language: language
-- @column rating: call_completion_rating
-- @column first_loaded_at: first read with the record
-- @column last_loaded_at: first read with its newest version
-- @column load_id: load of that read
with typed as (
    select
        account,
        record_id as vendor_call_id,
        nullif(record['from'], '') as caller,
        nullif(record['to'], '') as callee,
        nullif(record['delivery_status'], '') as vendor_outcome,
        try_cast(record['voicemail'] as boolean) as is_voicemail,
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
    case when typed.is_voicemail then 'voicemail' else coalesce(words.outcome, 'unknown') end
        as outcome,
    case when typed.is_voicemail then 'voicemail' else coalesce(words.outcome_stage, 'none') end
        as outcome_stage,
    typed.vendor_outcome,
    spans.total_seconds,
    case when spans.total_seconds is not null then 'reported' end as duration_basis,
    case when typed.is_voicemail then false else words.is_answered end as is_answered,
    coalesce(typed.is_voicemail, if(words.outcome = 'failed', false, null)) as is_voicemail,
    typed.is_bot_handled,
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
left join seeds.outcomes as words
    on words.vendor = 'whippy' and typed.vendor_outcome = words.vendor_outcome
