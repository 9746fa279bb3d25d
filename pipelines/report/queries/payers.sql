-- Who pays for calls, the ten with the largest cost of each vendor and currency.
select
    vendor,
    account,
    currency,
    payer_kind,
    coalesce(max_by(payer_name, started_at), payer_id) as payer,
    count(*) as calls,
    count(*) filter (where cost_status != 'final') as not_final_calls,
    sum(cost_total)::decimal(24, 6) as amount
from main.fact_calls
where
    call_date between getvariable('first_date') and getvariable('last_date')
    and cost_total is not null
    and payer_kind is not null
group by vendor, account, currency, payer_kind, payer_id
qualify
    row_number() over (
        partition by vendor, currency
        order by sum(cost_total) desc, payer_kind asc, payer_id asc
    ) <= 10
order by currency asc, amount desc, vendor asc, payer_kind asc, payer_id asc
