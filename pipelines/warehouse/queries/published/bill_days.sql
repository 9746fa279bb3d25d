-- The days of a month that are not complete, of each account that has a row of that month. A day
-- before the first that was ever requested has no state of its own.
with days as (
    select distinct
        months.vendor,
        months.account,
        unnest(
            generate_series(
                months.month::timestamp, last_day(months.month)::timestamp, interval 1 day
            )
        )::date as day
    from main.invoice_reconciliation as months
    where
        months.vendor = getvariable('vendor')
        and months.account = coalesce(getvariable('account'), months.account)
        and months.month = getvariable('month')::date
)

select
    days.account,
    case
        when coverage.state is not null then coverage.state
        when days.day > build_info.as_of::date then 'in_future'
        else 'not requested'
    end as state,
    count(*) as days,
    min(days.day) as first_day,
    max(days.day) as last_day
from days
left join ops.coverage_days as coverage
    on
        days.vendor = coverage.vendor
        and days.account = coverage.account
        and days.day = coverage.day
cross join ops.build_info as build_info
where coverage.state is distinct from 'complete'
group by all
order by days.account, first_day
