-- One row per day and currency with an exchange rate in force: the last one published on that day
-- or up to seven days before.
-- @kind table
-- @former_name ops.fx_days
-- @key day, from_currency
-- @not_null to_currency, rate, published_on
-- @column day: of a call, its call_date
-- @column from_currency: ISO 4217
-- @column to_currency: ISO 4217, the reporting currency
-- @column rate: units of to_currency for one of from_currency, as in dim_fx_rates
-- @column published_on: day that the rate was published for
with spans as (
    select
        *,
        least(
            date + 7,
            lead(date) over (partition by from_currency order by date) - 1
        ) as last_day
    from main.dim_fx_rates
)

select
    unnest(generate_series(date, last_day, interval 1 day))::date as day,
    from_currency,
    to_currency,
    rate,
    date as published_on
from spans
