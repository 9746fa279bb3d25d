-- One row per cost line of a vendor's own: the columns of its <vendor>__costs.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as line_no,
    null::varchar as component,
    null::varchar as vendor_component,
    null::decimal(18, 6) as amount,
    null::decimal(18, 6) as list_amount,
    null::decimal(18, 6) as discount_amount,
    null::varchar as currency,
    null::decimal(18, 6) as quantity,
    null::varchar as unit,
    null::decimal(18, 6) as unit_price,
    null::varchar as source,
    null::boolean as is_leaf,
    null::timestamptz as billed_at,
    null::varchar as vendor_transaction_id,
    null::integer as leg_no,
    null::boolean as has_allowance
where false
