-- What the calls of some days cost, and would cost under the rate cards of `rated`, a build of the
-- same raw files. A row for each month, account and currency; without a currency are the calls
-- that have no cost. Only the accounts of these cards are compared. The base costs are those of
-- the whole months.
with accounts as (
    select distinct
        vendor,
        account
    from rated.main.dim_rate_cards
),

calls as (
    select
        date_trunc('month', own.started_at at time zone 'UTC')::date as month,
        own.vendor,
        own.account,
        own.currency,
        own.cost_total as cost,
        others.currency as rated_currency,
        others.cost_total as rated_cost
    from main.fact_calls as own
    inner join rated.main.fact_calls as others on own.call_key = others.call_key
    inner join accounts on own.vendor = accounts.vendor and own.account = accounts.account
    where
        own.started_at >= getvariable('first_day')::date::timestamp at time zone 'UTC'
        and own.started_at < (getvariable('last_day')::date + 1)::timestamp at time zone 'UTC'
        and not own.is_deleted
),

months as (
    select
        unnest(
            generate_series(
                date_trunc('month', getvariable('first_day')::date::timestamp),
                getvariable('last_day')::date::timestamp,
                interval 1 month
            )
        )::date as month
),

parts as (
    select
        month,
        vendor,
        account,
        currency,
        count(*) as calls,
        sum(cost) as cost
    from calls
    group by all
    union all by name
    select
        month,
        vendor,
        account,
        rated_currency as currency,
        count(*) as rated_calls,
        sum(rated_cost) as rated_cost
    from calls
    group by all
    union all by name
    select
        usage.month,
        usage.vendor,
        usage.account,
        usage.currency,
        sum(usage.base_cost) as base_cost
    from main.monthly_account_usage as usage
    inner join accounts on usage.vendor = accounts.vendor and usage.account = accounts.account
    inner join months on usage.month = months.month
    where usage.base_cost is not null
    group by all
    union all by name
    select
        usage.month,
        usage.vendor,
        usage.account,
        usage.currency,
        sum(usage.base_cost) as rated_base_cost
    from rated.main.monthly_account_usage as usage
    inner join accounts on usage.vendor = accounts.vendor and usage.account = accounts.account
    inner join months on usage.month = months.month
    where usage.base_cost is not null
    group by all
)

select
    month,
    vendor,
    account,
    currency,
    coalesce(sum(calls), 0)::bigint as calls,
    sum(cost)::decimal(24, 6) as cost,
    sum(base_cost)::decimal(24, 6) as base_cost,
    coalesce(sum(rated_calls), 0)::bigint as rated_calls,
    sum(rated_cost)::decimal(24, 6) as rated_cost,
    sum(rated_base_cost)::decimal(24, 6) as rated_base_cost
from parts
group by all
order by month asc, vendor asc, account asc, currency asc nulls last
