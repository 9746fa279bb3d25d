-- One row per Whippy call: its words without a mapping, its values of another type, and
-- whatever may be a price, which no document promises and nothing here counts. An object where a text
-- is due stays in the text's column; told of it is only that it is one.
-- @key account, vendor_call_id
-- @not_null unknown_values
with sent as (
    select
        records.account,
        records.record_id as vendor_call_id,
        list_zip(
            [
                'updated_at', 'direction', 'delivery_status', 'voicemail', 'duration',
                'metadata', 'attachments', 'a key'
            ],
            [
                if(records.updated_at is null, records.record['updated_at'], null),
                if(spans.direction = 'unknown', records.record['direction'], null),
                if(words.outcome is null, records.record['delivery_status'], null),
                if(
                    try_cast(records.record['voicemail'] as boolean) is null,
                    records.record['voicemail'],
                    null
                ),
                if(spans.total_seconds is null, spans.milliseconds, null),
                records.metadata_shape,
                records.attachments_shape,
                records.repeated_key
            ]
        ) as fields,
        list_zip(
            [
                'from', 'to', 'agent_id', 'user_id', 'language', 'call_completion_rating',
                'attachments.content_type'
            ],
            [
                records.record['from'],
                records.record['to'],
                records.record['agent_id'],
                records.record['user_id'],
                records.record['language'],
                records.record['call_completion_rating'],
                records.record['attachments'][1]['content_type']
            ]
        ) as texts,
        records.prices
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
    list_transform(
        list_concat(
            list_filter(
                list_concat(
                    fields, list_transform(prices, lambda x: row(x['field'], x['value']))
                ),
                lambda x: x[2] != '' and x[2] != 'NULL'
            ),
            list_filter(texts, lambda x: left(x[2], 1) in ('{', '[') and json_valid(x[2]))
        ),
        lambda x: struct_pack(
            field := x[1],
            value := if(left(x[2], 1) in ('{', '['), 'no scalar', x[2])
        )
    ) as unknown_values
from sent
