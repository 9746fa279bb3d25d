-- One row: how many calls there are, since when, and what they cost by currency.
with sums as (
    select
        currency,
        sum(cost_total) as cost
    from main.fact_calls
    where not is_deleted and cost_total is not null
    group by currency
),

listed as (
    select string_agg(format('{:,.2f} {}', cost, currency), ', ' order by currency) as costs
    from sums
)

select
    count(*) as calls,
    min(calls.call_date) as first_date,
    any_value(listed.costs) as costs
from main.fact_calls as calls
cross join listed
where not calls.is_deleted
