-- One row per place where a call names an agent: the columns of a vendor's <vendor>__agents.
-- call_agents makes one row of an agent that stands at several places. A role that a vendor
-- does not say of each agent is NULL here: it is that of the whole call.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as seq,
    null::varchar as vendor_agent_id,
    null::varchar as agent_name,
    null::boolean as is_bot,
    null::varchar as role,
    null::decimal(12, 3) as talk_seconds
where false
