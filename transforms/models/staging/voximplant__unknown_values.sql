-- One row per Voximplant session: its words without a mapping, and its values of
-- another type; an account's currency that nobody says, for then nothing has a price.
-- An object where a text is due stays in the text's column; told of it is only that
-- it is one.
-- @key account, vendor_call_id
-- @not_null unknown_values
with given as (
    select
        * exclude (held),
        unnest(map_entries(held)) as one,
        one['key'] as name,
        concat_ws('.', nullif(place, ''), name) as field,
        if(
            field in ('calls.call_id', 'records.record_id', 'other_resource_usage.resource_type'),
            coalesce(nullif(one['value'], ''), 'missing'),
            nullif(one['value'], '')
        ) as value,
        try_cast(value as timestamp) at time zone 'UTC' as moment,
        try_cast(value as decimal(15, 6)) as amount
    from staging.voximplant__parts
),

misfits as (
    select
        given.account,
        given.record_id,
        list(
            distinct struct_pack(
                field := given.field,
                value := if(left(given.value, 1) in ('{', '['), 'no scalar', given.value)
            )
        ) as found
    from given
    left join staging.voximplant__account_info as info
        on given.account = info.account
    left join config.accounts as settings
        on settings.vendor = 'voximplant' and given.account = settings.account
    left join seeds.outcomes as words
        on words.vendor = 'voximplant' and given.value = words.vendor_outcome
    left join seeds.cost_components as components
        on
            components.vendor = 'voximplant'
            and given.name = 'resource_type'
            and given.value glob components.vendor_component
    where
        given.value is not null and case
            when given.field = 'currency'
                then coalesce(settings.currency, info.currency) is null
            when given.name in ('call_session_history_id', 'start_date') then false
            when given.name in ('start_time', 'used_at')
                then
                    coalesce(
                        given.moment not between timestamptz '2000-01-01 00:00:00Z'
                        and given.last_loaded_at + interval 1 day,
                        true
                    )
            when given.name = 'duration'
                then coalesce(try_cast(given.value as decimal(10, 3)) < 0, true)
            when given.name in ('cost', 'resource_quantity')
                then coalesce(given.amount = 0 and try_cast(given.value as double) != 0, true)
            when given.name in ('incoming', 'successful')
                then try_cast(given.value as boolean) is null
            when given.name = 'remote_number_type'
                then lower(given.value) not in ('pstn', 'mobile', 'user', 'sip')
            when given.name = 'transcription_status'
                then given.value not in ('Not required', 'In progress', 'Complete')
            when given.name = 'finish_reason' then words.outcome is null
            when given.name = 'resource_type' then components.component is null
            when given.name = 'code' then not regexp_full_match(given.value, '\d{3}')
            when given.name in ('calls', 'records', 'other_resource_usage', 'end_reason') then false
            else
                (given.name in ('call_id', 'record_id', 'null') and given.value = 'missing')
                or (left(given.value, 1) in ('{', '[') and json_valid(given.value))
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
