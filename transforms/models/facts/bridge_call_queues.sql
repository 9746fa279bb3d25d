-- One row per call and queue that it waited in, in the vendor's order.
-- @key call_key, queue_key
-- @not_null seq
-- @column call_key: the call
-- @column queue_key: vendor:account:vendor_queue_id, as in dim_queues
-- @column seq: 1 for the first queue of the call
-- @column queue_name: as the vendor wrote it at this call; NULL = not given
select
    vendor || ':' || account || ':' || vendor_call_id as call_key,
    vendor || ':' || account || ':' || vendor_queue_id as queue_key,
    row_number() over (
        partition by vendor, account, vendor_call_id
        order by min(seq)
    )::integer as seq,
    arg_min(queue_name, seq) as queue_name
from staging.queues
where vendor_queue_id is not null
group by vendor, account, vendor_call_id, vendor_queue_id
