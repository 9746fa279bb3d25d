-- One row per currency of calls that have no exchange rate: their cost_reporting is NULL.
-- A rate holds for its day and the seven after it: get the days' own, or the last before.
-- @key currency
-- @not_null reporting_currency, calls
-- @column currency: ISO 4217 of the calls' costs
-- @column reporting_currency: ISO 4217, as configured
-- @column from_day: call_date of the first of the calls; NULL = no start is known
-- @column to_day: call_date of the last of the calls; NULL = no start is known
-- @column calls [calls]: priced calls that have no cost_reporting
select
    currency,
    reporting_currency,
    min(call_date) as from_day,
    max(call_date) as to_day,
    count(*) as calls
from main.fact_calls
where cost_total is not null and fx_rate is null and not is_deleted
group by all
