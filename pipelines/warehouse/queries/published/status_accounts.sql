-- One row per vendor account: the calls that wait for an end or a price, by their age, its
-- last run, what is left of its quota, and the lookback beside the one the data justify.
with pending as (
    select
        calls.vendor,
        calls.account,
        getvariable('now') - coalesce(calls.started_at, calls.first_loaded_at) as age
    from main.fact_calls as calls
    where
        not calls.is_deleted
        and (
            calls.cost_status in ('pending', 'partial')
            or (
                calls.ended_at is null
                and calls.total_seconds is null
                and calls.outcome in ('in_progress', 'unknown')
            )
        )
),

ages as (
    select
        vendor,
        account,
        count(*) filter (where age < interval 1 day) as under_1_day,
        count(*) filter (where age >= interval 1 day and age < interval 7 days) as under_7_days,
        count(*) filter (where age >= interval 7 days and age < interval 30 days) as under_30_days,
        count(*) filter (where age >= interval 30 days) as over_30_days
    from pending
    group by all
),

last_runs as (
    select
        vendor,
        started_at,
        command,
        outcome
    from ops.runs
    qualify row_number() over (partition by vendor order by run_no desc) = 1
),

limits as (
    select
        vendor,
        account,
        bool_or(is_configured) as is_configured,
        max(daily_requests) as daily_requests
    from ops.streams
    group by all
),

quarantined as (
    select
        vendor,
        account,
        count(distinct row(stream, payload)) as records
    from ops.quarantine
    where is_open
    group by all
),

used as (
    select
        vendor,
        account,
        sum(requests)::bigint as requests
    from ops.load_windows
    where started_at >= date_trunc('day', getvariable('now'))
    group by all
)

select
    limits.vendor,
    limits.account,
    limits.is_configured,
    coalesce(ages.under_1_day, 0) as pending_under_1_day,
    coalesce(ages.under_7_days, 0) as pending_1_to_7_days,
    coalesce(ages.under_30_days, 0) as pending_7_to_30_days,
    coalesce(ages.over_30_days, 0) as pending_over_30_days,
    coalesce(quarantined.records, 0) as quarantined,
    last_runs.started_at as last_run_at,
    last_runs.command as last_run_command,
    last_runs.outcome as last_run_outcome,
    limits.daily_requests,
    coalesce(used.requests, 0) as requests_today,
    -- NULL without a limit; greatest alone would make it 0.
    case
        when limits.daily_requests is not null
            then greatest(0, limits.daily_requests - coalesce(used.requests, 0))
    end as requests_left,
    lags.calls_watched,
    lags.calls_changed,
    lags.lag_p50_hours,
    lags.lag_p90_hours,
    lags.lag_p99_hours,
    lags.lag_max_hours,
    lags.lookback_days,
    lags.lookback_days_justified
from limits
left join ages on limits.vendor = ages.vendor and limits.account = ages.account
left join quarantined
    on limits.vendor = quarantined.vendor and limits.account = quarantined.account
left join last_runs on limits.vendor = last_runs.vendor
left join used on limits.vendor = used.vendor and limits.account = used.account
left join ops.settlement_lag as lags
    on limits.vendor = lags.vendor and limits.account = lags.account
order by limits.vendor, limits.account
