-- One row per agent of a call: the columns of a vendor's <vendor>__agents.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as seq,
    null::varchar as vendor_agent_id,
    null::varchar as agent_name,
    null::boolean as is_bot,
    null::decimal(12, 3) as talk_seconds
where false
