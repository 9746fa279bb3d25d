-- One row per date of the reporting time zone, from the first call's year to the end of this one.
-- @key date
-- @not_null year, quarter, month, iso_year, iso_week, weekday, is_weekend, month_start
-- @column date: joins to call_date
-- @column year: of the date
-- @column quarter: 1 to 4
-- @column month: 1 to 12
-- @column month_start: first date of the month
-- @column iso_year: the year that the ISO 8601 week belongs to
-- @column iso_week: 1 to 53, weeks begin on Monday
-- @column weekday: 1 = Monday to 7 = Sunday
-- @column is_weekend: Saturday and Sunday
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
)

select
    date,
    year(date)::integer as year,
    quarter(date)::integer as quarter,
    month(date)::integer as month,
    date_trunc('month', date)::date as month_start,
    isoyear(date)::integer as iso_year,
    week(date)::integer as iso_week,
    isodow(date)::integer as weekday,
    isodow(date) >= 6 as is_weekend
from dates
