-- One row per account and measure whose last complete day is far from what it usually is: further
-- from the median of the same weekday of the 8 weeks before than the variable factor times the usual
-- distance (the median absolute deviation, as a standard deviation; at least a tenth of the median,
-- and of calls the square root of it), and beyond every day at the same place of one of the 3 months
-- before, such as the last but one. Needs 4 such weekdays. Costs that are low are left out: late
-- prices may come.
with spans as (
    select
        dates.date,
        (dates.date::timestamp at time zone info.reporting_time_zone at time zone 'UTC')::date
            as first_day,
        (
            (dates.date + interval 1 day) at time zone info.reporting_time_zone
            at time zone 'UTC' - interval 1 microsecond
        )::date as last_day
    from main.dim_dates as dates
    cross join ops.build_info as info
),

days as (
    select
        coverage.vendor,
        coverage.account,
        spans.date
    from spans
    inner join ops.coverage_days as coverage
        on coverage.day between spans.first_day and spans.last_day
    group by all
    having
        count(*) filter (where coverage.state = 'complete')
        = any_value(spans.last_day) - any_value(spans.first_day) + 1
),

calls as (
    select
        vendor,
        account,
        call_date,
        sum(calls) as amount
    from main.daily_calls
    group by all
),

costs as (
    select
        vendor,
        account,
        call_date,
        currency,
        sum(amount) as amount
    from main.daily_costs
    where component != 'base'
    group by all
),

measured as (
    select
        'volume' as kind,
        days.vendor,
        days.account,
        days.date,
        null as currency,
        coalesce(calls.amount, 0)::double as amount
    from days
    left join calls
        on
            days.vendor = calls.vendor
            and days.account = calls.account
            and days.date = calls.call_date
    union all
    select
        'cost' as kind,
        days.vendor,
        days.account,
        days.date,
        costs.currency,
        costs.amount::double as amount
    from days
    inner join costs
        on
            days.vendor = costs.vendor
            and days.account = costs.account
            and days.date = costs.call_date
),

latest as (
    select *
    from measured
    qualify date = max(date) over (partition by vendor, account)
),

weekdays as (
    select
        latest.kind,
        latest.vendor,
        latest.account,
        latest.currency,
        latest.date,
        any_value(latest.amount) as amount,
        count(*) as weeks,
        median(past.amount) as usual,
        mad(past.amount) as deviation
    from latest
    inner join measured as past
        on
            latest.kind = past.kind
            and latest.vendor = past.vendor
            and latest.account = past.account
            and latest.currency is not distinct from past.currency
            and latest.date > past.date
            and latest.date - 56 <= past.date
            and isodow(latest.date) = isodow(past.date)
    group by all
),

places as (
    select
        latest.kind,
        latest.vendor,
        latest.account,
        latest.currency,
        min(past.amount) as least,
        max(past.amount) as most
    from latest
    inner join measured as past
        on
            latest.kind = past.kind
            and latest.vendor = past.vendor
            and latest.account = past.account
            and latest.currency is not distinct from past.currency
            and latest.date - 20 > past.date
            and latest.date - interval 3 months - interval 3 days <= past.date
            and (
                day(latest.date) = day(past.date)
                or last_day(latest.date) - latest.date = last_day(past.date) - past.date
            )
    group by all
)

select
    weekdays.kind,
    weekdays.vendor,
    weekdays.account,
    weekdays.currency,
    weekdays.date,
    weekdays.amount,
    weekdays.usual,
    weekdays.weeks
from weekdays
left join places
    on
        weekdays.kind = places.kind
        and weekdays.vendor = places.vendor
        and weekdays.account = places.account
        and weekdays.currency is not distinct from places.currency
where
    weekdays.weeks >= 4
    and abs(weekdays.amount - weekdays.usual) > getvariable('factor') * greatest(
        1.4826 * weekdays.deviation,
        0.1 * weekdays.usual,
        if(weekdays.kind = 'volume', sqrt(weekdays.usual), 0)
    )
    and (weekdays.kind = 'volume' or weekdays.amount > weekdays.usual)
    and not coalesce(weekdays.amount between places.least and places.most, false)
order by all
