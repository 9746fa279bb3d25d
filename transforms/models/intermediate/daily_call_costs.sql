-- One row per date, vendor, account, cost center, component and currency: what calls cost, without
-- what is paid whatever is called. A deleted call counts where the amount is its vendor's own: what
-- is charged is paid, listed or not. One that was only rated does not.
-- @kind incremental call_date
-- @key call_date, vendor, account, cost_center, component, currency
-- @nullable call_date, cost_center
-- @not_null vendor, account, component, amount, calls, deleted_calls, lines
-- @column call_date: as in daily_costs; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column cost_center: as in fact_calls; NULL = no rule of cost_centers.csv fits
-- @column component: as in daily_costs
-- @column currency: ISO 4217
-- @column calls [calls]: as in daily_costs
-- @column deleted_calls [calls]: as in daily_costs
-- @column lines [lines]: as in daily_costs
-- @column amount [currency]: as in daily_costs
with calls as (
    select *
    from main.fact_calls
    where not is_deleted or cost_source in ('reported', 'summed')
),

parts as (
    select
        calls.call_date,
        calls.vendor,
        calls.account,
        calls.cost_center,
        lines.component,
        lines.currency,
        lines.call_key,
        calls.is_deleted,
        lines.amount
    from main.fact_call_costs as lines
    inner join calls on lines.call_key = calls.call_key
    where lines.is_leaf and lines.amount is not null
    union all
    select
        call_date,
        vendor,
        account,
        cost_center,
        'unallocated' as component,
        currency,
        call_key,
        is_deleted,
        cost_unallocated as amount
    from calls
    where cost_unallocated != 0
),

-- A call has few lines: to add them up first is cheaper than to tell calls apart in all of them.
by_call as (
    select
        call_date,
        vendor,
        account,
        cost_center,
        component,
        currency,
        call_key,
        is_deleted,
        count(*) as lines,
        sum(amount) as amount
    from parts
    group by all
)

select
    call_date,
    vendor,
    account,
    cost_center,
    component,
    currency,
    count(*) as calls,
    count(*) filter (where is_deleted) as deleted_calls,
    sum(lines)::bigint as lines,
    sum(amount)::decimal(24, 6) as amount
from by_call
group by all
