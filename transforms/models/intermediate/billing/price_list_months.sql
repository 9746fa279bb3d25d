-- One row per month, account of a vendor's with a price list, and item of it, as rated in that
-- month. A month goes by the last list read in it, as its calls do; the first has the first list or
-- rated call.
-- @kind table
-- @former_name ops.price_list_months
-- @key month, vendor, account, vendor_account, item
-- @not_null currency
-- @column month: its first day, in UTC
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account
-- @column item: as in monthly_account_usage
-- @column currency: ISO 4217
-- @column unit: of the allowance: second, minute or call; NULL = it is the base
-- @column base_cost [currency]: paid once in the month; NULL = none, or another rate card followed
-- @column allowance [unit]: units of the month that cost nothing; NULL = there are no units
with used as (
    select
        vendor,
        account,
        vendor_account,
        min(month) as first_month
    from intermediate.rated_units
    where vendor_account is not null
    group by all
),

begun as (
    select
        prices.vendor,
        prices.account,
        prices.vendor_account,
        least(
            min(date_trunc('month', prices.fetched_at at time zone 'UTC')::date),
            min(used.first_month)
        ) as first_month
    from staging.price_list_items as prices
    left join used
        on
            prices.vendor = used.vendor
            and prices.account = used.account
            and prices.vendor_account = used.vendor_account
    group by all
),

months as (
    select
        begun.vendor,
        begun.account,
        begun.vendor_account,
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
)

select
    months.month,
    months.vendor,
    months.account,
    months.vendor_account,
    prices.item,
    prices.currency,
    prices.unit,
    prices.base_cost,
    prices.allowance
from months
inner join staging.price_list_items as prices
    on
        months.vendor = prices.vendor
        and months.account = prices.account
        and months.vendor_account = prices.vendor_account
qualify row_number() over (
    partition by
        months.vendor, months.account, months.vendor_account, prices.item, months.month
    order by
        prices.fetched_at >= months.month_end,
        abs(epoch_us(months.month_end) - epoch_us(prices.fetched_at))
) = 1
