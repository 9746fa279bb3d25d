-- One row per call and level of who pays for it: the columns of a vendor's <vendor>__payers.
-- Level 1 is the nearest to the call, such as a customer; the levels above are whom it belongs
-- to. A level without an id and a name is left out.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as level,
    null::varchar as payer_kind,
    null::varchar as payer_id,
    null::varchar as payer_name
where false
