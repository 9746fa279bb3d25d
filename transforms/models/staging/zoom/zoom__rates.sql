-- One row per Zoom engagement and rate that it names: of itself, or of one of its legs.
-- @key account, record_id, field, rate
with rates as (
    select
        account,
        record_id,
        'rates' as field,
        unnest(record['rates']) as rate
    from staging.zoom__voice_calls
    union distinct
    select
        account,
        record_id,
        'voice_call_details.rate' as field,
        unnest(list_transform(record['voice_call_details'], lambda x: x['rate'])) as rate
    from staging.zoom__voice_calls
)

select *
from rates
where rate not in ('', '-')
