-- One row per price owner, item of its price list, and time in which its prices did not change:
-- every item that the vendor lists, known or not. What calls were rated by is in
-- monthly_account_usage.
-- @key vendor, account, price_owner_kind, price_owner, item, valid_from
-- @not_null currency
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account; NULL = not reported
-- @column price_owner_kind: account, or customer: one within an account with prices of its own
-- @column price_owner: the vendor's own number of it
-- @column item: what the price list calls it: base for the price owner itself, else in its own words
-- @column currency: ISO 4217
-- @column base_cost [currency]: paid once in a month; NULL = not reported
-- @column raw_unit_multiplier: units for one unit used; 0 counts as 1; NULL = cannot be read
-- @column unit_cost [currency per unit]: of a unit beyond the allowance; NULL = not reported
-- @column allowance: units of a month that cost nothing; NULL = there are none, or it cannot be read
-- @column valid_from: when a run first read it, UTC: it may be older
-- @column valid_to: when a run first read another one, UTC; NULL = it is the last one read
with versions as (
    select
        *,
        dense_rank() over of_owner as version_no
    from staging.price_list_items
    window of_owner as (
        partition by vendor, account, price_owner_kind, price_owner
        order by fetched_at
    )
),

times as (
    select distinct
        vendor,
        account,
        price_owner_kind,
        price_owner,
        version_no,
        fetched_at
    from versions
),

grouped as (
    select
        *,
        version_no - row_number() over (
            partition by
                vendor, account, vendor_account, price_owner_kind, price_owner, item,
                currency, base_cost, raw_unit_multiplier, unit_cost, allowance
            order by version_no
        ) as island
    from versions
    where is_in_force and is_sent
),

islands as (
    select
        vendor,
        account,
        vendor_account,
        price_owner_kind,
        price_owner,
        item,
        currency,
        base_cost,
        raw_unit_multiplier,
        unit_cost,
        allowance,
        island,
        min(fetched_at) as valid_from,
        max(version_no) as last_version
    from grouped
    group by all
)

select
    islands.vendor,
    islands.account,
    islands.vendor_account,
    islands.price_owner_kind,
    islands.price_owner,
    islands.item,
    islands.currency,
    islands.base_cost::decimal(18, 6) as base_cost,
    islands.raw_unit_multiplier::decimal(18, 6) as raw_unit_multiplier,
    islands.unit_cost::decimal(18, 6) as unit_cost,
    islands.allowance::decimal(18, 6) as allowance,
    islands.valid_from,
    times.fetched_at as valid_to
from islands
left join times
    on
        islands.vendor = times.vendor
        and islands.account = times.account
        and islands.price_owner_kind = times.price_owner_kind
        and islands.price_owner = times.price_owner
        and islands.last_version + 1 = times.version_no
