-- One row per vendor: what its table holds, for the summary of a run.
with costs as (
    select
        vendor,
        string_agg(
            format('{:.2f} {}', cost, currency), ', '
            order by currency
        ) as costs
    from (
        select
            vendor,
            currency,
            sum(cost_total) as cost
        from main.fact_calls
        where cost_total is not null and not is_deleted
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
    round(sum(calls.total_seconds) / 60)::bigint as minutes,
    any_value(costs.costs) as costs,
    count(*) filter (
        where calls.cost_status in ('pending', 'partial')
    ) as cost_pending,
    any_value(reconciled.rows_matched) as rows_reconciled,
    coalesce(any_value(reconciled.mismatched), 0) as windows_mismatched,
    coalesce(any_value(unmapped.found), 0) as unknown_values,
    coalesce(any_value(quarantined.records), 0) as quarantined,
    min(calls.started_at) as first_call_at,
    max(calls.started_at) as last_call_at
from main.fact_calls as calls
left join costs on calls.vendor = costs.vendor
left join reconciled on calls.vendor = reconciled.vendor
left join quarantined on calls.vendor = quarantined.vendor
left join unmapped on calls.vendor = unmapped.vendor
where not calls.is_deleted
group by calls.vendor
order by calls.vendor
