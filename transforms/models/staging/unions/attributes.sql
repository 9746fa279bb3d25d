-- One row per call and value of a vendor's field that has no column in common with the other
-- vendors: the columns of a vendor's <vendor>__attributes.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::varchar as attribute,
    null::integer as item_no,
    null::varchar as value
where false
