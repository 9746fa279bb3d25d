-- One row per day and currency with an exchange rate in force: the last one published on that day or up to seven days before.
-- @key day, from_currency
-- @not_null rate, published_on
with spans as (
    select
        *,
        least(
            date + 7,
            lead(date) over (partition by from_currency order by date) - 1
        ) as last_day
    from main.fx_rates
)

select
    unnest(generate_series(date, last_day, interval 1 day))::date as day,
    from_currency,
    to_currency,
    rate,
    date as published_on
from spans
