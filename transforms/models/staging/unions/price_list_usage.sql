-- One row per call that a vendor's monthly price list covers: what it used of the month.
-- A vendor without such a list has no <vendor>__price_list_usage.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::varchar as vendor_account,
    null::varchar as price_owner_kind,
    null::varchar as price_owner,
    null::varchar as item,
    null::date as month,
    null::varchar as unit,
    null::decimal(18, 6) as minutes,
    null::decimal(18, 6) as units,
    null::decimal(18, 6) as billable_units,
    null::decimal(18, 6) as amount,
    null::boolean as has_allowance
where false
