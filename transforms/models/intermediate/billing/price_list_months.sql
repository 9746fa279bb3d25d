-- One row per month, account of a vendor's with a price list, and item of it, as rated in that month.
-- Only EvoVoice has such a list. A month goes by the last list read in it, as its calls
-- do; the first has the first list or rated call.
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
with prices as (
    select
        account,
        record_id as vendor_account,
        item,
        base_cost,
        allowance,
        fetched_at
    from staging.evovoice__accounts
    union all
    select
        account,
        record_id as vendor_account,
        'base' as item,
        account_base_cost as base_cost,
        null as allowance,
        fetched_at
    from staging.evovoice__accounts
    where item = 'inboundVoiceCalls'
),

used as (
    select
        account,
        vendor_account,
        min(month) as first_month
    from intermediate.rated_units
    where vendor_account is not null
    group by all
),

begun as (
    select
        prices.account,
        prices.vendor_account,
        least(
            min(date_trunc('month', prices.fetched_at at time zone 'UTC')::date),
            min(used.first_month)
        ) as first_month
    from prices
    left join used
        on prices.account = used.account and prices.vendor_account = used.vendor_account
    group by all
),

months as (
    select
        begun.account,
        begun.vendor_account,
        unnest(
            generate_series(
                begun.first_month::timestamp,
                date_trunc('month', house.now at time zone 'UTC'),
                interval 1 month
            )
        )::date as month,
        ((month + interval 1 month)::timestamp at time zone 'UTC') as month_end
    from begun
    cross join config.callhouse as house
)

select
    months.month,
    'evovoice' as vendor,
    months.account,
    months.vendor_account,
    prices.item,
    coalesce(accounts.currency, 'USD') as currency,
    if(prices.item = 'base', null, 'minute') as unit,
    prices.base_cost,
    prices.allowance
from months
inner join prices
    on
        months.account = prices.account
        and months.vendor_account = prices.vendor_account
left join config.accounts as accounts
    on accounts.vendor = 'evovoice' and months.account = accounts.account
qualify row_number() over (
    partition by months.account, months.vendor_account, prices.item, months.month
    order by
        prices.fetched_at >= months.month_end,
        abs(epoch_us(months.month_end) - epoch_us(prices.fetched_at))
) = 1
