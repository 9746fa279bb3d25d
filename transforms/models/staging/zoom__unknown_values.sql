-- One row per Zoom engagement: its words without a mapping, and its values of another
-- type. A currency's symbol other than the dollar's is one while no currency is
-- configured: the amount would pass for dollars. An object where a text is due stays
-- in the text's column; told of it is only that it is one.
-- @key account, vendor_call_id
-- @not_null unknown_values
with given as (
    select
        * exclude (held),
        unnest(
            list_append(
                map_entries(held),
                { 'key': '', 'value': if(list_count(map_values(held)) > 0, null, 'empty') }
            )
        ) as one,
        one['key'] as name,
        concat_ws('.', nullif(place, ''), nullif(name, '')) as field,
        -- Legs are numbered by their start, so that its absence tells.
        if(
            field = 'voice_call_details.start_time',
            coalesce(nullif(one['value'], ''), 'missing'),
            nullif(one['value'], '')
        ) as value,
        try_cast(value as timestamptz) as moment,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        last_loaded_at + interval 1 day as latest
    from staging.zoom__parts
),

misfits as (
    select
        given.account,
        given.record_id,
        list(
            distinct struct_pack(
                field := given.field,
                value := case
                    when given.field = 'charge symbol' then charges.symbol
                    when left(given.value, 1) in ('{', '[') then 'no scalar'
                    else given.value
                end
            )
        ) as found
    from given
    left join seeds.outcomes as words
        on words.vendor = 'zoom' and given.value = words.vendor_outcome
    left join staging.zoom__charges as charges
        on given.value = charges.charge
    left join config.accounts as settings
        on settings.vendor = 'zoom' and given.account = settings.account
    where
        given.value is not null and case
            when given.field = 'charge symbol'
                then
                    charges.amount is not null
                    and settings.currency is null
                    and charges.symbol not in ('', '$', 'US$', 'USD')
            when given.field = 'sub_types' and given.name = ''
                then
                    not regexp_full_match(
                        given.value,
                        '(external|internal)_(warm|direct)_(conference|transfer)_call'
                        || '|flow_initiated_outgoing_call'
                    )
            when given.field in ('engagement_id', 'start_time') then false
            when given.field = 'end_time'
                then coalesce(given.moment not between given.event_at and given.latest, true)
            when given.name like '%\_time' escape '\'
                then coalesce(given.moment not between given.earliest and given.latest, true)
            when given.name = 'total_duration'
                then coalesce(try_cast(given.value as decimal(12, 3)) < 0, true)
            when given.name = 'charge' then charges.amount is null and given.value != '-'
            when given.name = 'result' then words.outcome is null
            when given.name in ('direction', 'call_leg')
                then given.value not in ('inbound', 'outbound')
            when given.name = 'type'
                then
                    not regexp_full_match(
                        given.value, '(external|internal)_(conference_|callback_)?call'
                    )
            when given.name in ('recorded', 'inbox')
                then try_cast(given.value as boolean) is null
            when given.name in ('sub_types', 'queues', 'agents', 'voice_call_details', 'flow')
                then false
            else
                (given.name = '' and given.field != '')
                or (left(given.value, 1) in ('{', '[') and json_valid(given.value))
        end
    group by all
)

select
    calls.account,
    calls.record_id as vendor_call_id,
    list_sort(
        list_concat(calls.misshapen, misfits.found, parts.unknown_values)
    ) as unknown_values
from staging.zoom__voice_calls as calls
left join misfits
    on calls.account = misfits.account and calls.record_id = misfits.record_id
left join staging.zoom__engagements as parts
    on calls.account = parts.account and calls.record_id = parts.record_id
