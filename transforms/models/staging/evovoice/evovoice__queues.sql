-- One row per voice session in a waiting queue, of which only the id is known. The queue in which
-- calls are put on hold is another: it is an attribute.
-- @key account, vendor_call_id, vendor_queue_id
-- @column seq: a session names one queue
-- @column vendor_queue_id: ringQueueId
select
    account,
    record_id as vendor_call_id,
    1 as seq,
    session['ringQueueId'] as vendor_queue_id
from staging.evovoice__sessions
where is_call and session['ringQueueId'] != ''
