-- One row per version of a vendor's account and item of its monthly price list.
-- The item base is the account itself. A vendor without such a list has none.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_account,
    null::varchar as item,
    null::varchar as currency,
    null::varchar as unit,
    null::decimal(15, 6) as base_cost,
    null::decimal(15, 6) as allowance,
    null::timestamptz as fetched_at
where false
