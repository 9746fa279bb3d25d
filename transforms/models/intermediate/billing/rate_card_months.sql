-- One row per month and rate card that is valid in it, from the first call of its account on.
-- Of several cards of a component that share a month, the latest has the base cost.
-- @kind table
-- @former_name ops.rate_card_months
-- @key month, vendor, account, item
-- @not_null currency
-- @column month: its first day, in UTC
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column item: as in monthly_account_usage
-- @column currency: ISO 4217
-- @column unit: of the allowance: second, minute or call; NULL = it is the base
-- @column base_cost [currency]: paid once in the month; NULL = none, or another rate card followed
-- @column allowance [unit]: units of the month that cost nothing; NULL = there are no units
with begun as (
    select
        vendor,
        account,
        min(date_trunc('month', started_at at time zone 'UTC')) as first_month
    from main.fact_calls
    group by all
),

spans as (
    select
        cards.*,
        concat_ws(' ', cards.direction, cards.component, cards.handled_by, cards.valid_from)
            as item,
        unnest(
            generate_series(
                greatest(date_trunc('month', cards.valid_from), begun.first_month),
                date_trunc('month', run.now at time zone 'UTC'),
                interval 1 month
            )
        )::date as month
    from main.dim_rate_cards as cards
    inner join begun on cards.vendor = begun.vendor and cards.account = begun.account
    cross join config.run as run
)

select
    month,
    vendor,
    account,
    item,
    currency,
    unit,
    case
        when row_number() over (
            partition by vendor, account, direction, component, handled_by, month
            order by valid_from desc
        ) = 1 then base_cost
    end as base_cost,
    allowance
from spans
where valid_to is null or valid_to >= month
