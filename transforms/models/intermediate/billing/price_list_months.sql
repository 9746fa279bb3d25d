-- One row per month, price owner, and item of its price list, as rated in that month. A month goes
-- by the last list read in it, as its calls do; the first has the first list or rated call.
-- @kind table
-- @former_name ops.price_list_months
-- @key month, vendor, account, vendor_account, price_owner_kind, price_owner, item
-- @nullable vendor_account, price_owner_kind, price_owner
-- @not_null currency
-- @column month: its first day, in UTC
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account; NULL = not reported
-- @column price_owner_kind: as in monthly_account_usage; NULL = an earlier version built it
-- @column price_owner: as in monthly_account_usage; NULL = an earlier version built it
-- @column item: as in monthly_account_usage
-- @column currency: ISO 4217
-- @column unit: of the allowance: second, minute or call; NULL = calls are not rated by the item
-- @column base_cost [currency]: paid once in the month; NULL = none, or another rate card followed
-- @column allowance [unit]: units of the month that cost nothing; NULL = there are no units
with used as (
    select
        vendor,
        account,
        price_owner_kind,
        price_owner,
        min(month) as first_month
    from intermediate.rated_units
    where price_owner is not null
    group by all
),

begun as (
    select
        prices.vendor,
        prices.account,
        prices.price_owner_kind,
        prices.price_owner,
        least(
            min(date_trunc('month', prices.fetched_at at time zone 'UTC')::date),
            min(used.first_month)
        ) as first_month
    from staging.price_list_items as prices
    left join used
        on
            prices.vendor = used.vendor
            and prices.account = used.account
            and prices.price_owner_kind = used.price_owner_kind
            and prices.price_owner = used.price_owner
    group by all
),

months as (
    select
        begun.vendor,
        begun.account,
        begun.price_owner_kind,
        begun.price_owner,
        unnest(
            generate_series(
                begun.first_month::timestamp,
                date_trunc('month', run.now at time zone 'UTC'),
                interval 1 month
            )
        )::date as month,
        ((month + interval 1 month)::timestamp at time zone 'UTC') as month_end
    from begun
    cross join config.run as run
),

in_effect as (
    select
        prices.*,
        months.month
    from months
    inner join staging.price_list_items as prices
        on
            months.vendor = prices.vendor
            and months.account = prices.account
            and months.price_owner_kind = prices.price_owner_kind
            and months.price_owner = prices.price_owner
    qualify rank() over (
        partition by
            prices.vendor, prices.account, prices.price_owner_kind, prices.price_owner,
            months.month
        order by
            prices.fetched_at >= months.month_end,
            abs(epoch_us(months.month_end) - epoch_us(prices.fetched_at))
    ) = 1
)

select
    month,
    vendor,
    account,
    vendor_account,
    price_owner_kind,
    price_owner,
    item,
    currency,
    unit,
    base_cost,
    allowance
from in_effect
where is_in_force
