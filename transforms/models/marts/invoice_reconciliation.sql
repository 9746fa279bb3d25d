-- One row per UTC month, vendor, account and currency: what its calls and its base costs say that
-- the vendor bills, beside what the lines of invoices.csv say that it billed.
-- @kind table
-- @key month, vendor, account, currency
-- @nullable month, currency
-- @not_null calls, pending_calls, calls_without_cost
-- @check (difference is null) = (expected is null or invoiced is null)
-- @column month: its first day, in UTC, by the start of the calls; NULL = they have no known start
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls, or as in invoices.csv
-- @column currency: ISO 4217; a call without a cost has that of the others, if the month has only
--     one; NULL = it has none, or several
-- @column calls [calls]: that the vendor lists
-- @column cost_final [currency]: of calls whose cost is final; NULL = no such call has a cost
-- @column cost_not_final [currency]: so far, of calls whose cost is pending, partial or provisional; NULL = no
--     such call has a cost
-- @column cost_deleted [currency]: of calls that the vendor no longer lists, and may have billed;
--     NULL = no such call has a cost
-- @column base_cost [currency]: of monthly_account_usage, paid whatever is called; NULL = none
-- @column expected [currency]: the sum of these four; NULL = all of them are
-- @column invoiced [currency]: the sum of the lines of invoices.csv; NULL = there is none
-- @column difference [currency]: invoiced less expected; NULL = one of them is
-- @column pending_calls [calls]: of calls, those whose cost is pending, partial or provisional
-- @column calls_without_cost [calls]: of calls, those that have no cost, though one is due
-- @column incomplete_days [days]: of the whole month, those that are not complete in
--     ops.coverage_days; NULL = month is
-- @column notes: of the lines of invoices.csv, in their order; NULL = none
with parts as (
    select
        date_trunc('month', started_at at time zone 'UTC')::date as month,
        vendor,
        account,
        currency,
        count(*) filter (where not is_deleted) as calls,
        sum(cost_total) filter (where not is_deleted and cost_status in ('none', 'final'))
            as cost_final,
        sum(cost_total) filter (where not is_deleted and cost_status not in ('none', 'final'))
            as cost_not_final,
        sum(cost_total) filter (where is_deleted) as cost_deleted,
        count(*) filter (where not is_deleted and cost_status not in ('none', 'final'))
            as pending_calls,
        count(*) filter (where not is_deleted and cost_total is null and cost_status != 'none')
            as calls_without_cost
    from main.fact_calls
    group by all
    union all by name
    select
        month,
        vendor,
        account,
        currency,
        sum(base_cost) as base_cost
    from main.monthly_account_usage
    where base_cost is not null
    group by all
    union all by name
    select
        month,
        vendor,
        account,
        currency,
        sum(amount) as invoiced,
        string_agg(note, '; ' order by number) as notes
    from config.invoices
    group by all
),

named as (
    select
        * replace (
            coalesce(
                currency,
                if(
                    count(distinct currency) over in_month = 1,
                    min(currency) over in_month,
                    null
                )
            ) as currency
        )
    from parts
    window in_month as (partition by month, vendor, account)
),

summed as (
    select
        month,
        vendor,
        account,
        currency,
        coalesce(sum(calls), 0)::bigint as calls,
        sum(cost_final)::decimal(24, 6) as cost_final,
        sum(cost_not_final)::decimal(24, 6) as cost_not_final,
        sum(cost_deleted)::decimal(24, 6) as cost_deleted,
        sum(base_cost)::decimal(24, 6) as base_cost,
        sum(invoiced)::decimal(24, 6) as invoiced,
        coalesce(sum(pending_calls), 0)::bigint as pending_calls,
        coalesce(sum(calls_without_cost), 0)::bigint as calls_without_cost,
        max(notes) as notes
    from named
    group by all
),

complete as (
    select
        vendor,
        account,
        date_trunc('month', day)::date as month,
        count(*) as days
    from ops.coverage_days
    where state = 'complete'
    group by all
)

select
    summed.month,
    summed.vendor,
    summed.account,
    summed.currency,
    summed.calls,
    summed.cost_final,
    summed.cost_not_final,
    summed.cost_deleted,
    summed.base_cost,
    list_sum(
        [summed.cost_final, summed.cost_not_final, summed.cost_deleted, summed.base_cost]
    )::decimal(24, 6) as expected,
    summed.invoiced,
    (summed.invoiced - expected)::decimal(24, 6) as difference,
    summed.pending_calls,
    summed.calls_without_cost,
    (day(last_day(summed.month)) - coalesce(complete.days, 0))::integer as incomplete_days,
    summed.notes
from summed
left join complete
    on
        summed.month = complete.month
        and summed.vendor = complete.vendor
        and summed.account = complete.account
