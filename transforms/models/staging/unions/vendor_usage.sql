-- One row per UTC month, account of a vendor's and category of usage that the vendor counts:
-- the columns of a vendor's <vendor>__vendor_usage. `direction` says which of our calls are
-- in the category: inbound, outbound or all; NULL: it is of something else.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_account,
    null::date as month,
    null::varchar as category,
    null::varchar as description,
    null::varchar as direction,
    null::decimal(24, 6) as usage_count,
    null::varchar as usage_count_unit,
    null::decimal(24, 6) as quantity,
    null::varchar as unit,
    null::decimal(24, 6) as price,
    null::varchar as currency,
    null::timestamptz as read_at
where false
