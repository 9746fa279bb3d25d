-- One row per vendor: what its table holds, for the summary of a run. Vendors may be loaded for
-- different spans, so what is compared is of the dates that are complete for all of them.
with compared as (
    select
        count(*) as days,
        min(date) as first_date,
        max(date) as last_date
    from main.dim_dates
    where is_complete_for_all
),

listed as (
    select
        calls.*,
        dates.is_complete_for_all is true as is_compared
    from main.fact_calls as calls
    left join main.dim_dates as dates on calls.call_date = dates.date
    where not calls.is_deleted
),

costs as (
    select
        vendor,
        string_agg(format('{:.2f} {}', cost, currency), ', ' order by currency) as costs,
        string_agg(
            format('{:.2f} {}', compared_cost, currency), ', '
            order by currency
        ) filter (where compared_cost is not null) as compared_costs
    from (
        select
            vendor,
            currency,
            sum(cost_total) as cost,
            sum(cost_total) filter (where is_compared) as compared_cost
        from listed
        where cost_total is not null
        group by all
    ) as sums
    group by all
),

reconciled as (
    select
        vendor,
        count(*) filter (where verdict = 'matched') as matched,
        count(*) filter (where verdict = 'mismatched') as mismatched,
        sum(rows_distinct) filter (where verdict = 'matched')::bigint as rows_matched
    from ops.reconciliation
    group by all
),

quarantined as (
    select
        vendor,
        count(distinct row(account, stream, payload)) as records
    from ops.quarantine
    where is_open
    group by all
),

unmapped as (
    select
        vendor,
        count(*) as found
    from ops.unmapped_values
    group by all
)

select
    calls.vendor,
    count(*) as calls,
    round(sum(calls.line_seconds) / 60)::bigint as minutes,
    any_value(costs.costs) as costs,
    count(*) filter (
        where calls.cost_status in ('pending', 'partial')
    ) as cost_pending,
    any_value(reconciled.rows_matched) as rows_reconciled,
    coalesce(any_value(reconciled.mismatched), 0) as windows_mismatched,
    coalesce(any_value(unmapped.found), 0) as unknown_values,
    coalesce(any_value(quarantined.records), 0) as quarantined,
    min(calls.started_at) as first_call_at,
    max(calls.started_at) as last_call_at,
    min(calls.call_date) as first_date,
    count(*) filter (where calls.is_compared) as compared_calls,
    round(sum(calls.line_seconds) filter (where calls.is_compared) / 60)::bigint
        as compared_minutes,
    any_value(costs.compared_costs) as compared_costs,
    count(*) filter (
        where calls.is_compared and calls.cost_status in ('pending', 'partial')
    ) as compared_cost_pending,
    any_value(compared.days) as compared_days,
    any_value(compared.first_date) as compared_from,
    any_value(compared.last_date) as compared_to
from listed as calls
cross join compared
left join costs on calls.vendor = costs.vendor
left join reconciled on calls.vendor = reconciled.vendor
left join quarantined on calls.vendor = quarantined.vendor
left join unmapped on calls.vendor = unmapped.vendor
group by calls.vendor
order by calls.vendor
