-- One row per place where a call names a queue: the columns of a vendor's <vendor>__queues.
-- bridge_call_queues makes one row of a queue that stands at several places.
-- @kind union
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as seq,
    null::varchar as vendor_queue_id,
    null::varchar as queue_name
where false
