-- One row per place where a call names an agent: the columns of a vendor's <vendor>__agents.
-- bridge_call_agents makes one row of an agent that stands at several places.
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
