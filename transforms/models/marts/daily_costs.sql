-- One row per date, vendor, account, cost center, component and currency; the components of a day sum to its
-- total.
-- @key call_date, vendor, account, cost_center, component, currency
-- @nullable call_date, cost_center
-- @not_null vendor, account, component, amount, calls, lines
-- @column call_date: in the reporting time zone; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column cost_center: as in fact_calls; NULL = no rule of cost_centers.csv fits
-- @column component: as in fact_call_costs, or unallocated: the part of a total that no line
--     explains
-- @column currency: ISO 4217
-- @column calls [calls]: calls with such a line
-- @column lines [lines]: priced leaf lines
-- @column amount [currency]: what they cost
with parts as (
    select
        calls.call_date,
        calls.vendor,
        calls.account,
        calls.cost_center,
        lines.component,
        lines.currency,
        lines.call_key,
        lines.amount
    from main.fact_call_costs as lines
    inner join main.fact_calls as calls on lines.call_key = calls.call_key
    where lines.is_leaf and lines.amount is not null and not calls.is_deleted
    union all
    select
        call_date,
        vendor,
        account,
        cost_center,
        'unallocated' as component,
        currency,
        call_key,
        cost_unallocated as amount
    from main.fact_calls
    where cost_unallocated != 0 and not is_deleted
)

select
    call_date,
    vendor,
    account,
    cost_center,
    component,
    currency,
    count(distinct call_key) as calls,
    count(*) as lines,
    sum(amount)::decimal(24, 6) as amount
from parts
group by all
