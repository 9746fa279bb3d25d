-- What a month of a vendor is expected to cost, part by part, the largest first: the components
-- of its calls by what becomes of their cost, and the base costs by item. The parts of an account
-- and currency add up to `expected` in invoice_reconciliation.
with calls as (
    select
        call_key,
        account,
        currency,
        cost_unallocated,
        case
            when is_deleted then 'deleted'
            when cost_status not in ('none', 'final') then 'not final'
            else 'final'
        end as state
    from main.fact_calls
    where
        vendor = getvariable('vendor')
        and account = coalesce(getvariable('account'), account)
        and date_trunc('month', started_at at time zone 'UTC') = getvariable('month')::date
        and cost_total is not null
),

lines as (
    select
        calls.account,
        calls.currency,
        calls.state,
        costs.component as part,
        calls.call_key,
        costs.amount
    from main.fact_call_costs as costs
    inner join calls on costs.call_key = calls.call_key
    where costs.is_leaf and costs.amount is not null
    union all
    select
        account,
        currency,
        state,
        'unallocated' as part,
        call_key,
        cost_unallocated as amount
    from calls
    where cost_unallocated != 0
)

select
    account,
    currency,
    state,
    part,
    count(distinct call_key) as calls,
    sum(amount)::decimal(24, 6) as amount
from lines
group by all
union all
select
    account,
    currency,
    'base' as state,
    concat_ws(' ', vendor_account, item) as part,
    null as calls,
    base_cost::decimal(24, 6) as amount
from main.monthly_account_usage
where
    vendor = getvariable('vendor')
    and account = coalesce(getvariable('account'), account)
    and month = getvariable('month')::date
    and base_cost is not null
order by account asc, currency asc, abs(amount) desc, state asc, part asc
