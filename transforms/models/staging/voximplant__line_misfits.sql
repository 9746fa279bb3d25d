-- One row per Voximplant session: the values in its records and in the other resources it
-- used that are of another type than is due, and its resources without a mapping.
-- @key account, record_id
-- @not_null misfits
with components as (
    select list(vendor_component) as known
    from seeds.cost_components
    where vendor = 'voximplant'
),

opened as (
    select
        sessions.*,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        sessions.last_loaded_at + interval 1 day as latest,
        components.known
    from staging.voximplant__call_sessions as sessions
    cross join components
),

-- What fits is NULL in `typed`.
sent as (
    select
        account,
        record_id,
        list_transform(record['records'], lambda x: {
            'texts': [
                { 'field': 'records.record_id', 'value': x['record_id'] },
                { 'field': 'records.transaction_id', 'value': x['transaction_id'] }
            ],
            'typed': [
                { 'field': 'records.null', 'value': if(x is null, 'missing', null) },
                { 'field': 'records.record_id', 'value': if(
                    x is null or x['record_id'] != '', null, 'missing'
                ) },
                { 'field': 'records.start_time', 'value': if(
                    try_cast(x['start_time'] as timestamp) at time zone 'UTC'
                    between earliest and latest,
                    null, x['start_time']
                ) },
                { 'field': 'records.duration', 'value': if(
                    try_cast(x['duration'] as decimal(10, 3)) >= 0, null, x['duration']
                ) },
                { 'field': 'records.transcription_status', 'value': if(
                    x['transcription_status'] in ('Not required', 'In progress', 'Complete'),
                    null, x['transcription_status']
                ) }
            ],
            'amounts': [{ 'field': 'records.cost', 'value': x['cost'] }]
        }) as of_records,
        list_transform(record['other_resource_usage'], lambda x: {
            'texts': [
                { 'field': 'other_resource_usage.transaction_id', 'value': x['transaction_id'] },
                { 'field': 'other_resource_usage.unit', 'value': x['unit'] },
                {
                    'field': 'other_resource_usage.resource_usage_id',
                    'value': x['resource_usage_id']
                }
            ],
            'typed': [
                { 'field': 'other_resource_usage.null', 'value': if(x is null, 'missing', null) },
                { 'field': 'other_resource_usage.resource_type', 'value': case
                    when x is null then null
                    when coalesce(x['resource_type'], '') = '' then 'missing'
                    when len(list_filter(known, lambda y: x['resource_type'] glob y)) = 0
                        then x['resource_type']
                end },
                { 'field': 'other_resource_usage.used_at', 'value': if(
                    try_cast(x['used_at'] as timestamp) at time zone 'UTC'
                    between earliest and latest,
                    null, x['used_at']
                ) }
            ],
            'amounts': [
                { 'field': 'other_resource_usage.cost', 'value': x['cost'] },
                {
                    'field': 'other_resource_usage.resource_quantity',
                    'value': x['resource_quantity']
                }
            ]
        }) as of_resources,
        list_concat(of_records, of_resources) as lines
    from opened
)

select
    account,
    record_id,
    list_concat(
        list_filter(
            flatten(list_transform(lines, lambda x: x['typed'])), lambda x: x['value'] != ''
        ),
        list_filter(
            flatten(list_transform(lines, lambda x: x['amounts'])),
            lambda x: x['value'] != '' and coalesce(
                try_cast(x['value'] as decimal(15, 6)) = 0
                and try_cast(x['value'] as double) != 0,
                true
            )
        ),
        list_filter(
            flatten(list_transform(lines, lambda x: x['texts'])),
            lambda x: if(left(x['value'], 1) in ('{', '['), json_valid(x['value']), false)
        )
    ) as misfits
from sent
