-- Sessions that have not ended, are being transcribed, or have a line without a price.
with opened as (
    select
        account,
        record_id,
        from_json(
            payload,
            '{
                "finish_reason": "VARCHAR",
                "calls": [{"cost": "VARCHAR"}],
                "records": [{"cost": "VARCHAR", "transcription_status": "VARCHAR"}],
                "other_resource_usage": [{"cost": "VARCHAR"}]
            }'
        ) as record
    from latest
),

waiting as (
    select
        account,
        record_id,
        record['finish_reason'] as finish_reason,
        list_concat(
            list_transform(record['calls'], lambda x: x['cost']),
            list_transform(record['records'], lambda x: x['cost']),
            list_transform(record['other_resource_usage'], lambda x: x['cost'])
        ) as costs,
        list_transform(record['records'], lambda x: x['transcription_status']) as states
    from opened
)

select
    account,
    record_id
from waiting
where
    coalesce(finish_reason, '') = ''
    or len(list_filter(costs, lambda x: coalesce(x, '') = '')) > 0
    or list_contains(states, 'In progress')
