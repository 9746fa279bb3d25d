-- One row per version of a price list of a vendor's and item of it. It is the list of an
-- account of the vendor's, or of somebody within it who has prices of their own. The item
-- base is the price owner itself. A vendor without such a list has none.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_account,
    null::varchar as price_owner_kind,
    null::varchar as price_owner,
    null::boolean as is_in_force,
    null::boolean as is_sent,
    null::varchar as item,
    null::varchar as currency,
    null::varchar as unit,
    null::decimal(15, 6) as base_cost,
    null::decimal(15, 6) as raw_unit_multiplier,
    null::decimal(15, 6) as unit_cost,
    null::decimal(15, 6) as allowance,
    null::timestamptz as fetched_at
where false
