-- What a month of a vendor's calls cost by who pays for them, deleted calls included: the ten with
-- the largest cost of each account and currency.
select
    account,
    currency,
    payer_kind,
    payer_id,
    max_by(payer_name, started_at) as payer_name,
    count(*) as calls,
    sum(cost_total)::decimal(24, 6) as amount
from main.fact_calls
where
    vendor = getvariable('vendor')
    and account = coalesce(getvariable('account'), account)
    and date_trunc('month', started_at at time zone 'UTC') = getvariable('month')::date
    and cost_total is not null
group by account, currency, payer_kind, payer_id
qualify
    row_number() over (
        partition by account, currency
        order by sum(cost_total) desc, payer_kind asc, payer_id asc
    ) <= 10
order by account asc, currency asc, amount desc, payer_kind asc, payer_id asc
