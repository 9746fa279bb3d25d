-- Per vendor and currency: what calls cost, where the sum of their parts is another one.
with priced as (
    select
        vendor,
        currency,
        cost_total,
        coalesce(cost_unallocated, 0) + coalesce(cost_telephony, 0) + coalesce(cost_transfer, 0)
        + coalesce(cost_bot, 0) + coalesce(cost_ai, 0) + coalesce(cost_recording, 0)
        + coalesce(cost_transcription, 0) + coalesce(cost_other, 0) as parts
    from main.fact_calls
    where cost_total is not null
)

select
    vendor,
    currency,
    sum(cost_total) as total,
    sum(parts) as parts
from priced
group by all
having sum(cost_total) != sum(parts) or typeof(any_value(cost_total)) not like 'DECIMAL%'
order by all
