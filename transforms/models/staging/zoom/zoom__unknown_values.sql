-- One row per Zoom engagement: its words without a mapping, and its values of another
-- type. An object where a text is due stays in the text's column; told of it is only
-- that it is one, as it is of an object in a list that is none or has nothing.
-- @key account, vendor_call_id
-- @not_null unknown_values
with pairs as (
    select
        account,
        record_id,
        unnest(list_filter(pairs, lambda x: x['value'] != '')) as pair,
        pair['field'] as field
    from staging.zoom__misfits
    union all
    select
        account,
        record_id,
        unnest(list_filter(pairs, lambda x: x['value'] != '')) as pair,
        concat_ws('.', 'voice_call_details', nullif(pair['field'], '')) as field
    from staging.zoom__leg_misfits
    union all
    select
        rates.account,
        rates.record_id,
        struct_pack(field := rates.field, value := rates.rate) as pair,
        rates.field
    from staging.zoom__rates as rates
    inner join staging.zoom__prices as prices
        on rates.account = prices.account and rates.rate = prices.charge
    where prices.is_unreadable
),

misfits as (
    select
        account,
        record_id,
        list(
            distinct struct_pack(
                field := field,
                value := if(left(pair['value'], 1) in ('{', '['), 'no scalar', pair['value'])
            )
        ) as found
    from pairs
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
