-- One row per Whippy call: its words without a mapping, its values of another type, and
-- a price, which no document promises and nothing here counts.
-- @key account, vendor_call_id
-- @not_null unknown_values
with sent as (
    select
        records.account,
        records.record_id as vendor_call_id,
        list_zip(
            [
                'created_at', 'updated_at', 'direction', 'delivery_status', 'voicemail',
                'duration', 'metadata', 'attachments', 'cost', 'cost', 'cost'
            ],
            [
                case when spans.started_at is null then records.record['created_at'] end,
                case
                    when try_cast(records.record['updated_at'] as timestamptz) is null
                        then records.record['updated_at']
                end,
                case when spans.direction = 'unknown' then records.record['direction'] end,
                case when words.outcome is null then records.record['delivery_status'] end,
                case
                    when try_cast(records.record['voicemail'] as boolean) is null
                        then records.record['voicemail']
                end,
                case when spans.total_seconds is null then spans.milliseconds end,
                records.metadata_shape,
                records.attachments_shape,
                records.record['call_cost'],
                records.record['cost'],
                records.record['price']
            ]
        ) as fields
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
        list_filter(fields, lambda x: x[2] != '' and x[2] != 'NULL'),
        lambda x: struct_pack(field := x[1], value := x[2])
    ) as unknown_values
from sent
