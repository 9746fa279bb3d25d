-- Per vendor and account: calls whose cost was final and is another one now, and what they cost.
select
    old.vendor,
    old.account,
    count(*) as calls,
    old.currency as old_currency,
    sum(old.cost_total)::decimal(24, 6) as old_cost,
    new.currency as new_currency,
    sum(new.cost_total)::decimal(24, 6) as new_cost
from {table} as old
inner join {built} as new on old.call_key = new.call_key
where
    old.cost_status = 'final'
    and (
        old.cost_total is distinct from new.cost_total
        or old.currency is distinct from new.currency
    )
group by all
order by all
