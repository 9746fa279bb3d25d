-- What was paid by date, component and currency, base costs included. Cost centers beyond the eight
-- that paid for most calls are one.
with largest as (
    select cost_center
    from main.daily_costs
    where
        call_date between getvariable('first_date') and getvariable('last_date')
        and cost_center is not null
    group by cost_center
    order by sum(calls) desc, cost_center asc
    limit 8
)

select
    days.call_date,
    days.vendor,
    days.account,
    case
        when days.cost_center is not null then coalesce(largest.cost_center, 'all others')
    end as cost_center,
    days.component,
    if(days.component = 'base', 'base', 'usage') as part,
    days.currency,
    sum(days.amount) as amount
from main.daily_costs as days
left join largest on days.cost_center = largest.cost_center
where days.call_date between getvariable('first_date') and getvariable('last_date')
group by all
order by all
