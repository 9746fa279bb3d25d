-- One row per queue of a call: the columns of a vendor's <vendor>__queues.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as seq,
    null::varchar as vendor_queue_id,
    null::varchar as queue_name
where false
