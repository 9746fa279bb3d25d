-- One row per date, vendor, account, cost center, price owner, component and currency: what calls
-- cost, and the base costs of the month, spread over its days. The rows of calls alone, without the
-- component base, add up to what the calls of the day cost; with it, to all that is paid. Deleted
-- calls that their vendor charged for count.
-- @kind table
-- @key call_date, vendor, account, cost_center, price_owner_kind, price_owner, component, currency
-- @nullable call_date, cost_center, price_owner_kind, price_owner
-- @not_null vendor, account, component, amount, calls, deleted_calls, lines
-- @check component != 'base' or calls = 0
-- @column call_date: in the reporting time zone; of a base cost a day of its UTC month; NULL = the
--     start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column cost_center: as in fact_calls; NULL = no rule of cost_centers.csv fits, or it is a base cost
-- @column price_owner_kind: of a base cost whose it is, as in monthly_account_usage; NULL = it is of a
--     rate card, or a cost of calls
-- @column price_owner: the vendor's own number of it; NULL = as price_owner_kind
-- @column component: as in fact_call_costs; unallocated: the part of a total that no line explains;
--     base: base_cost of monthly_account_usage (a recurring charge, in FOCUS 1.0 ChargeFrequency
--     Recurring), an equal share for each day of the month until today
-- @column currency: ISO 4217
-- @column calls [calls]: calls with such a line; 0 = it is a base cost
-- @column deleted_calls [calls]: of them those that the vendor no longer lists
-- @column lines [lines]: priced leaf lines; 0 = it is a base cost
-- @column amount [currency]: what they cost
with base as (
    select
        usage.vendor,
        usage.account,
        usage.price_owner_kind,
        usage.price_owner,
        usage.currency,
        unnest(
            generate_series(
                usage.month::timestamp,
                least(
                    last_day(usage.month)::timestamp,
                    (run.now at time zone 'UTC')::date::timestamp
                ),
                interval 1 day
            )
        )::date as call_date,
        day(last_day(usage.month)) as days,
        (usage.base_cost * 1000000)::hugeint as millionths
    from main.monthly_account_usage as usage
    cross join config.run as run
    where usage.base_cost != 0
)

select
    call_date,
    vendor,
    account,
    cost_center,
    null::varchar as price_owner_kind,
    null::varchar as price_owner,
    component,
    currency,
    calls,
    deleted_calls,
    lines,
    amount
from intermediate.daily_call_costs
union all
select
    call_date,
    vendor,
    account,
    null as cost_center,
    price_owner_kind,
    price_owner,
    'base' as component,
    currency,
    0 as calls,
    0 as deleted_calls,
    0 as lines,
    -- What is spread by a day less what was by the day before: the days add up to the month.
    (
        sum(millionths * day(call_date) // days - millionths * (day(call_date) - 1) // days)
        * 0.000001
    )::decimal(24, 6) as amount
from base
group by all
