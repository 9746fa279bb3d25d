-- What each of the last 24 months came to by currency, and how many of its calls have a final cost.
select
    strftime(month, '%Y-%m') as month,
    vendor,
    account,
    currency,
    sum(due_calls)::bigint as due_calls,
    sum(final_calls)::bigint as final_calls,
    sum(provisional_calls)::bigint as provisional_calls,
    sum(pending_calls)::bigint as pending_calls,
    sum(cost_usage) as cost_usage,
    sum(cost_base) as cost_base,
    sum(cost_all_in) as cost_all_in
from main.monthly_costs
where month > getvariable('last_date')::date - interval 24 month
group by all
order by all
