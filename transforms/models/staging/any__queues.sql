-- One row per nothing: the columns of the queues of a vendor's calls, with their types.
-- @key account, vendor_call_id, vendor_queue_id
select
    null::varchar as account,
    null::varchar as vendor_call_id,
    null::integer as seq,
    null::varchar as vendor_queue_id,
    null::varchar as queue_name
where false
