-- One row per Voximplant session: its words without a mapping, and its values of
-- another type.
-- @key account, vendor_call_id
-- @not_null unknown_values
with legs as (
    select
        account,
        record_id,
        unnest(record['calls']) as part
    from staging.voximplant__call_sessions
),

records as (
    select
        account,
        record_id,
        unnest(record['records']) as part
    from staging.voximplant__call_sessions
),

resources as (
    select
        account,
        record_id,
        unnest(record['other_resource_usage']) as part
    from staging.voximplant__call_sessions
),

given as (
    select
        account,
        record_id,
        unnest([
            ('finish_reason', 'finish_reason', record['finish_reason']),
            ('start_date', 'time', record['start_date']),
            ('duration', 'number', record['duration'])
        ]) as one
    from staging.voximplant__call_sessions
    union all
    select
        account,
        record_id,
        unnest([
            ('calls.cost', 'number', part['cost']),
            ('calls.start_time', 'time', part['start_time']),
            ('calls.duration', 'number', part['duration']),
            ('calls.incoming', 'boolean', part['incoming']),
            ('calls.successful', 'boolean', part['successful']),
            ('calls.remote_number_type', 'party', part['remote_number_type'])
        ]) as one
    from legs
    union all
    select
        account,
        record_id,
        unnest([
            ('records.cost', 'number', part['cost']),
            ('records.duration', 'number', part['duration']),
            ('records.transcription_status', 'transcript', part['transcription_status'])
        ]) as one
    from records
    union all
    select
        account,
        record_id,
        unnest([
            ('other_resource_usage.cost', 'number', part['cost']),
            ('other_resource_usage.resource_quantity', 'number', part['resource_quantity']),
            ('other_resource_usage.resource_type', 'resource', part['resource_type'])
        ]) as one
    from resources
),

misfits as (
    select
        given.account,
        given.record_id,
        list(distinct struct_pack(field := given.one[1], value := given.one[3])) as found
    from given
    left join seeds.outcomes as outcomes
        on
            outcomes.vendor = 'voximplant'
            and given.one[2] = 'finish_reason'
            and given.one[3] = outcomes.vendor_outcome
    left join seeds.cost_components as components
        on
            components.vendor = 'voximplant'
            and given.one[2] = 'resource'
            and given.one[3] glob components.vendor_component
    where
        given.one[3] != '' and case given.one[2]
            when 'number' then try_cast(given.one[3] as decimal(18, 6)) is null
            when 'time' then try_cast(given.one[3] as timestamp) is null
            when 'boolean' then try_cast(given.one[3] as boolean) is null
            when 'party' then lower(given.one[3]) not in ('pstn', 'mobile', 'user', 'sip')
            when 'transcript'
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
