-- One row per Whippy call: the values of its record that nothing here can use.
-- @key account, vendor_call_id
-- @not_null unmapped_values
with fields as (
    select
        records.account,
        records.record_id as vendor_call_id,
        records.unmapped_values,
        [
            (
                'updated_at',
                if(records.updated_at is null, records.record['updated_at'], null)
            ),
            ('direction', if(spans.direction = 'unknown', records.record['direction'], null)),
            (
                'delivery_status',
                if(words.outcome is null, records.record['delivery_status'], null)
            ),
            (
                'voicemail',
                if(
                    try_cast(records.record['voicemail'] as boolean) is null,
                    records.record['voicemail'],
                    null
                )
            ),
            ('duration', if(spans.total_seconds is null, spans.milliseconds, null))
        ]::struct(field varchar, value varchar)[] as unread,
        [
            ('from', records.record['from']),
            ('to', records.record['to']),
            ('agent_id', records.record['agent_id']),
            ('user_id', records.record['user_id']),
            ('metadata.agent_id', records.record['metadata']['agent_id']),
            ('agent_version_id', records.record['agent_version_id']),
            ('conversation_id', records.record['conversation_id']),
            ('channel_id', records.record['channel_id']),
            ('mode', records.record['mode']),
            ('language', records.record['language']),
            ('call_completion_rating', records.record['call_completion_rating']),
            ('attachments.content_type', records.record['attachments'][1]['content_type'])
        ]::struct(field varchar, value varchar)[] as texts
    from staging.whippy__records as records
    inner join staging.whippy__spans as spans
        on records.account = spans.account and records.record_id = spans.vendor_call_id
    left join seeds.outcomes as words
        on
            words.vendor = 'whippy'
            and records.record['delivery_status'] = words.vendor_outcome
)

select
    account,
    vendor_call_id,
    list_concat(
        unmapped_values,
        list_filter(unread, lambda x: x['value'] != ''),
        list_filter(
            texts, lambda x: left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
        )
    ) as unmapped_values
from fields
