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
    seq,
    queue_name
from staging.queues
