-- One row per date of the reporting time zone, from the first call's year to the end of this one.
-- @key date
-- @not_null year, quarter, month, iso_year, iso_week, weekday, is_weekend, month_start
-- @not_null is_complete_for_all
-- @column date: joins to call_date
-- @column year: of the date
-- @column quarter: 1 to 4
-- @column month: 1 to 12
-- @column month_start: first date of the month
-- @column iso_year: the year that the ISO 8601 week belongs to
-- @column iso_week: 1 to 53, weeks begin on Monday
-- @column weekday: 1 = Monday to 7 = Sunday
-- @column is_weekend: Saturday and Sunday
-- @column is_complete_for_all: whether the UTC days that it touches are complete, in
--     ops.coverage_days, for each account that is configured: of such dates vendors can be compared
with bounds as (
    select
        date_trunc('year', min(calls.call_date)) as first_date,
        date_trunc('year', any_value(run.now at time zone run.reporting_time_zone))
        + interval 1 year - interval 1 day as last_date
    from main.fact_calls as calls
    cross join config.run as run
),

dates as (
    select unnest(generate_series(first_date::timestamp, last_date, interval 1 day))::date as date
    from bounds
),

-- A date of another zone than UTC touches two UTC days.
touched as (
    select
        dates.date,
        unnest(
            generate_series(
                date_trunc(
                    'day', dates.date::timestamp at time zone run.reporting_time_zone
                    at time zone 'UTC'
                ),
                (dates.date + interval 1 day) at time zone run.reporting_time_zone
                at time zone 'UTC' - interval 1 microsecond,
                interval 1 day
            )
        )::date as day
    from dates
    cross join config.run as run
),

accounts as (
    select distinct
        vendor,
        account
    from ops.streams
    where is_configured and is_required
),

complete as (
    select
        touched.date,
        bool_and(coalesce(days.state = 'complete', false)) as is_complete
    from touched
    cross join accounts
    left join ops.coverage_days as days
        on
            touched.day = days.day
            and accounts.vendor = days.vendor
            and accounts.account = days.account
    group by touched.date
)

select
    dates.date,
    year(dates.date)::integer as year,
    quarter(dates.date)::integer as quarter,
    month(dates.date)::integer as month,
    date_trunc('month', dates.date)::date as month_start,
    isoyear(dates.date)::integer as iso_year,
    week(dates.date)::integer as iso_week,
    isodow(dates.date)::integer as weekday,
    isodow(dates.date) >= 6 as is_weekend,
    coalesce(complete.is_complete, false) as is_complete_for_all
from dates
left join complete on dates.date = complete.date
