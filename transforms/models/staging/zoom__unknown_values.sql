-- One row per Zoom engagement: its words without a mapping, and its values of another
-- type. A currency's symbol other than the dollar's is one while no currency is
-- configured: the amount would pass for dollars.
-- @key account, vendor_call_id
-- @not_null unknown_values
with given as (
    select
        account,
        record_id,
        unnest(
            list_concat(
                [
                    ('result', 'result', record['result']),
                    ('direction', 'direction', record['direction']),
                    ('start_time', 'time', record['start_time']),
                    ('end_time', 'time', record['end_time']),
                    ('total_duration', 'seconds', record['total_duration']),
                    ('recorded', 'boolean', record['recorded']),
                    ('inbox', 'boolean', record['inbox']),
                    ('charge', 'charge', record['charge']),
                    ('charge symbol', 'symbol', record['charge'])
                ],
                flatten(list_transform(record['voice_call_details'], lambda x: [
                    (
                        'voice_call_details',
                        'part',
                        if(x['start_time'] is null, 'without start_time', '')
                    ),
                    ('voice_call_details.result', 'result', x['result']),
                    ('voice_call_details.call_leg', 'direction', x['call_leg']),
                    ('voice_call_details.start_time', 'time', x['start_time']),
                    ('voice_call_details.end_time', 'time', x['end_time']),
                    ('voice_call_details.total_duration', 'seconds', x['total_duration']),
                    ('voice_call_details.charge', 'charge', x['charge'])
                ]))
            )
        ) as one
    from staging.zoom__voice_calls
),

misfits as (
    select
        given.account,
        given.record_id,
        list(
            distinct struct_pack(
                field := given.one[1],
                value := if(given.one[2] = 'symbol', charges.symbol, given.one[3])
            )
        ) as found
    from given
    left join seeds.outcomes as outcomes
        on outcomes.vendor = 'zoom' and given.one[3] = outcomes.vendor_outcome
    left join staging.zoom__charges as charges
        on given.one[3] = charges.charge
    left join config.accounts as settings
        on settings.vendor = 'zoom' and given.account = settings.account
    where
        given.one[3] != '' and case given.one[2]
            when 'part' then true
            when 'result' then outcomes.outcome is null
            when 'direction' then given.one[3] not in ('inbound', 'outbound')
            when 'time' then try_cast(given.one[3] as timestamptz) is null
            when 'seconds' then coalesce(try_cast(given.one[3] as decimal(12, 3)) < 0, true)
            when 'boolean' then try_cast(given.one[3] as boolean) is null
            when 'charge' then charges.amount is null and given.one[3] != '-'
            when 'symbol'
                then
                    charges.amount is not null
                    and settings.currency is null
                    and charges.symbol not in ('', '$', 'US$', 'USD')
        end
    group by all
)

select
    calls.account,
    calls.record_id as vendor_call_id,
    list_sort(list_concat(calls.misshapen, misfits.found)) as unknown_values
from staging.zoom__voice_calls as calls
left join misfits
    on calls.account = misfits.account and calls.record_id = misfits.record_id
