-- One row per leg of a call: the columns of a vendor's <vendor>__legs.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as leg_no,
    null::varchar as role,
    null::varchar as direction,
    null::varchar as from_party,
    null::varchar as to_party,
    null::varchar as party_name,
    null::timestamptz as started_at,
    null::timestamptz as ended_at,
    null::decimal(12, 3) as total_seconds,
    null::boolean as is_successful,
    null::varchar as vendor_result,
    null::varchar as end_code,
    null::decimal(18, 6) as cost,
    null::varchar as currency
where false
