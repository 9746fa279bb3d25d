-- One row per month, price owner, and item of its price list. Its calls go by the lists in effect
-- at their creation; the base cost and the allowance of a month are those of the last list in force
-- in it. The first month has the first list or rated call.
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

versions as (
    select
        vendor,
        account,
        price_owner_kind,
        price_owner,
        fetched_at,
        bool_and(is_in_force) as is_in_force,
        row_number() over in_turn = 1 as is_first,
        lead(fetched_at) over in_turn as valid_to
    from staging.price_list_items
    group by vendor, account, price_owner_kind, price_owner, fetched_at
    window in_turn as (
        partition by vendor, account, price_owner_kind, price_owner
        order by fetched_at
    )
),

in_effect as (
    select
        versions.vendor,
        versions.account,
        versions.price_owner_kind,
        versions.price_owner,
        months.month,
        max(versions.fetched_at) as fetched_at
    from months
    inner join versions
        on
            months.vendor = versions.vendor
            and months.account = versions.account
            and months.price_owner_kind = versions.price_owner_kind
            and months.price_owner = versions.price_owner
            and (versions.is_first or months.month_end > versions.fetched_at)
            and coalesce(
                months.month::timestamp at time zone 'UTC' < versions.valid_to, true
            )
    where versions.is_in_force
    group by all
)

select
    in_effect.month,
    prices.vendor,
    prices.account,
    prices.vendor_account,
    prices.price_owner_kind,
    prices.price_owner,
    prices.item,
    prices.currency,
    prices.unit,
    prices.base_cost,
    prices.allowance
from in_effect
inner join staging.price_list_items as prices
    on
        in_effect.vendor = prices.vendor
        and in_effect.account = prices.account
        and in_effect.price_owner_kind = prices.price_owner_kind
        and in_effect.price_owner = prices.price_owner
        and in_effect.fetched_at = prices.fetched_at
