-- One row per Zoom engagement with a charge or a rate, of itself or of a leg: of these the
-- texts that are not an amount, and the symbols that contradict the configured currency.
-- @key account, record_id
with texts as (
    select
        account,
        record_id,
        'charge' as field,
        record['charge'] as charge,
        true as is_charge
    from staging.zoom__voice_calls
    union all
    select
        account,
        record_id,
        'voice_call_details.charge' as field,
        unnest(list_transform(record['voice_call_details'], lambda x: x['charge'])) as charge,
        true as is_charge
    from staging.zoom__voice_calls
    union all
    select
        account,
        record_id,
        field,
        rate as charge,
        false as is_charge
    from staging.zoom__rates
),

priced as (
    select
        texts.account,
        texts.record_id,
        [
            (texts.field, if(prices.is_unreadable, nullif(texts.charge, '-'), null)),
            (texts.field || ' symbol', if(texts.is_charge, prices.contrary_symbol, null))
        ]::struct(field varchar, value varchar)[] as pairs
    from texts
    inner join staging.zoom__prices as prices
        on texts.account = prices.account and texts.charge = prices.charge
)

select
    account,
    record_id,
    list_filter(flatten(list(pairs)), lambda x: x['value'] != '') as unmapped_values
from priced
group by account, record_id
