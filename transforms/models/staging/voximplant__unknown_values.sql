-- One row per Voximplant session: its words without a mapping, and its values of
-- another type.
-- @key account, vendor_call_id
-- @not_null unknown_values
with given as (
    select
        account,
        record_id,
        unnest(
            list_concat(
                [
                    ('finish_reason', 'finish_reason', record['finish_reason']),
                    ('start_date', 'time', record['start_date']),
                    ('duration', 'seconds', record['duration'])
                ],
                flatten(list_transform(record['calls'], lambda x: [
                    ('calls', 'part', if(x['call_id'] is null, 'without call_id', '')),
                    ('calls.cost', 'number', x['cost']),
                    ('calls.start_time', 'time', x['start_time']),
                    ('calls.duration', 'seconds', x['duration']),
                    ('calls.incoming', 'boolean', x['incoming']),
                    ('calls.successful', 'boolean', x['successful']),
                    ('calls.remote_number_type', 'party', x['remote_number_type'])
                ])),
                flatten(list_transform(record['records'], lambda x: [
                    ('records', 'part', if(x['record_id'] is null, 'without record_id', '')),
                    ('records.cost', 'number', x['cost']),
                    ('records.duration', 'seconds', x['duration']),
                    ('records.transcription_status', 'text', x['transcription_status'])
                ])),
                flatten(list_transform(record['other_resource_usage'], lambda x: [
                    (
                        'other_resource_usage',
                        'part',
                        if(x['resource_type'] is null, 'without resource_type', '')
                    ),
                    ('other_resource_usage.cost', 'number', x['cost']),
                    ('other_resource_usage.resource_quantity', 'number', x['resource_quantity']),
                    ('other_resource_usage.resource_type', 'resource', x['resource_type'])
                ]))
            )
        ) as one
    from staging.voximplant__call_sessions
),

misfits as (
    select
        given.account,
        given.record_id,
        list(distinct struct_pack(field := given.one[1], value := given.one[3])) as found
    from given
    left join seeds.outcomes as outcomes
        on outcomes.vendor = 'voximplant' and given.one[3] = outcomes.vendor_outcome
    left join seeds.cost_components as components
        on
            components.vendor = 'voximplant'
            and given.one[2] = 'resource'
            and given.one[3] glob components.vendor_component
    where
        given.one[3] != '' and case given.one[2]
            when 'part' then true
            when 'number' then try_cast(given.one[3] as decimal(18, 6)) is null
            when 'seconds' then coalesce(try_cast(given.one[3] as decimal(12, 3)) < 0, true)
            when 'time' then try_cast(given.one[3] as timestamp) is null
            when 'boolean' then try_cast(given.one[3] as boolean) is null
            when 'party' then lower(given.one[3]) not in ('pstn', 'mobile', 'user', 'sip')
            when 'text'
                then given.one[3] not in ('Not required', 'In progress', 'Complete')
            when 'finish_reason' then outcomes.outcome is null
            when 'resource' then components.component is null
        end
    group by all
)

select
    sessions.account,
    sessions.record_id as vendor_call_id,
    list_sort(list_concat(sessions.misshapen, misfits.found)) as unknown_values
from staging.voximplant__call_sessions as sessions
left join misfits
    on sessions.account = misfits.account and sessions.record_id = misfits.record_id
