-- One row per nothing: the columns of the agents of a vendor's calls, with their types.
-- @key account, vendor_call_id, vendor_agent_id
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as seq,
    null::varchar as vendor_agent_id,
    null::varchar as agent_name,
    null::boolean as is_bot,
    null::decimal(12, 3) as talk_seconds
where false
