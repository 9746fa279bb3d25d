-- One row per day and currency with a published rate: what one unit was in the reporting currency.
-- As published; else the other way round; else over a currency that both have a rate with
-- on that day, the euro before others. A day without any has no row.
-- @former_name main.fx_rates
-- @key date, from_currency
-- @not_null to_currency, rate
-- @check rate > 0
-- @column date: day that the rate was published for
-- @column from_currency: ISO 4217
-- @column to_currency: ISO 4217, the reporting currency
-- @column rate: units of to_currency for one of from_currency, rounded half up
-- @column source: who published it, and how it was derived where it was; NULL = not known
with pairs as (
    -- In whole numbers, for DuckDB divides decimals as floats.
    select
        date,
        from_currency,
        to_currency,
        (rate * 10000000000)::hugeint as numerator,
        10000000000::hugeint as denominator,
        0 as steps,
        source
    from config.fx_rates
    union all
    select
        date,
        to_currency as from_currency,
        from_currency as to_currency,
        10000000000::hugeint as numerator,
        (rate * 10000000000)::hugeint as denominator,
        1 as steps,
        source
    from config.fx_rates
),

ways as (
    select pairs.* replace (pairs.source || if(pairs.steps = 1, ', inverse', '') as source)
    from pairs
    inner join config.run as run
        on pairs.to_currency = run.reporting_currency
    union all
    select
        one.date,
        one.from_currency,
        other.to_currency,
        one.numerator * other.numerator as numerator,
        one.denominator * other.denominator as denominator,
        if(one.to_currency = 'EUR', 2, 3) as steps,
        one.source || if(one.source = other.source, '', ' and ' || other.source)
        || ', over ' || one.to_currency as source
    from pairs as one
    inner join pairs as other
        on one.date = other.date and one.to_currency = other.from_currency
    inner join config.run as run
        on other.to_currency = run.reporting_currency
    where one.from_currency != other.to_currency
),

rounded as (
    select
        *,
        try_cast(
            (
                numerator // denominator * 100000000
                + (numerator % denominator * 100000000 + denominator // 2) // denominator
            )
            * 0.00000001 as decimal(18, 8)
        ) as rate
    from ways
)

select
    date,
    from_currency,
    to_currency,
    rate,
    source
from rounded
where rate > 0
qualify row_number() over (
    partition by date, from_currency
    order by steps, source, numerator, denominator
) = 1
