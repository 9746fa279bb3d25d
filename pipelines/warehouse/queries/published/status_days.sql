-- One row per vendor account and UTC day: as it was at the last build, and missing since.
with built as (
    select
        days.vendor,
        days.account,
        max(days.day) as last_day
    from ops.coverage_days as days
    semi join ops.streams as streams
        on
            days.vendor = streams.vendor
            and days.account = streams.account
            and streams.is_configured
    group by all
),

later as (
    select
        vendor,
        account,
        unnest(
            generate_series(
                last_day + interval 1 day, getvariable('now')::date, interval 1 day
            )
        )::date as day
    from built
)

select
    vendor,
    account,
    day,
    state,
    is_settled,
    records
from ops.coverage_days
union all
select
    vendor,
    account,
    day,
    case when day < getvariable('now')::date then 'missing' else 'in_future' end as state,
    false as is_settled,
    null as records
from later
order by vendor, account, day
