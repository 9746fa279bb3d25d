-- One row per Voximplant session: in its records and resources, the words without a
-- mapping and the values of another type. What tells a record from another, or what a
-- resource was, is needed, so that its absence is such a value.
with known as (
    select coalesce(list(distinct costs.vendor_component), []) as resources
    from staging.voximplant__costs as costs
    inner join seeds.cost_components as components
        on
            components.vendor = 'voximplant'
            and costs.vendor_component glob components.vendor_component
),

sessions as (
    select
        sessions.account,
        sessions.record_id,
        sessions.record,
        known.resources,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        sessions.last_loaded_at + interval 1 day as latest
    from staging.voximplant__call_sessions as sessions
    cross join known
)

select
    account,
    record_id,
    list_concat(
        flatten(
            list_transform(
                record['records'],
                lambda x: [
                    ('records.record_id', if(nullif(x['record_id'], '') is null, 'missing', null)),
                    (
                        'records.start_time',
                        if(
                            read_time(x['start_time'], 'UTC') between earliest and latest,
                            null,
                            x['start_time']
                        )
                    ),
                    (
                        'records.duration',
                        if(try_cast(x['duration'] as decimal(10, 3)) >= 0, null, x['duration'])
                    ),
                    (
                        'records.cost',
                        if(
                            try_cast(x['cost'] as decimal(15, 6)) != 0
                            or try_cast(x['cost'] as double) = 0,
                            null,
                            x['cost']
                        )
                    ),
                    (
                        'records.transcription_status',
                        if(
                            x['transcription_status']
                            in ('Not required', 'In progress', 'Complete'),
                            null,
                            x['transcription_status']
                        )
                    )
                ]
            )
        ),
        flatten(
            list_transform(
                record['other_resource_usage'],
                lambda x: [
                    (
                        'other_resource_usage.resource_type',
                        if(
                            list_contains(resources, x['resource_type']),
                            null,
                            coalesce(nullif(x['resource_type'], ''), 'missing')
                        )
                    ),
                    (
                        'other_resource_usage.used_at',
                        if(
                            read_time(x['used_at'], 'UTC') between earliest and latest,
                            null,
                            x['used_at']
                        )
                    ),
                    (
                        'other_resource_usage.cost',
                        if(
                            try_cast(x['cost'] as decimal(15, 6)) != 0
                            or try_cast(x['cost'] as double) = 0,
                            null,
                            x['cost']
                        )
                    ),
                    (
                        'other_resource_usage.resource_quantity',
                        if(
                            try_cast(x['resource_quantity'] as decimal(15, 6)) != 0
                            or try_cast(x['resource_quantity'] as double) = 0,
                            null,
                            x['resource_quantity']
                        )
                    )
                ]
            )
        )
    )::struct(field varchar, value varchar)[] as pairs
from sessions
