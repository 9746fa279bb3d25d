-- One row per call that a vendor's price list should cover and does not, and why: the columns
-- of a vendor's <vendor>__unrated. A vendor without price lists has none.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::varchar as reason
where false
