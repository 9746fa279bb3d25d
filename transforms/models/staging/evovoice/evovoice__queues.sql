-- One row per voice session that waited in a queue, of which only the name is known.
-- @key account, vendor_call_id, vendor_queue_id
-- @column seq: a session names one queue
-- @column vendor_queue_id: holdQueueName
-- @column queue_name: holdQueueName
select
    account,
    record_id as vendor_call_id,
    1 as seq,
    session['holdQueueName'] as vendor_queue_id,
    session['holdQueueName'] as queue_name
from staging.evovoice__sessions
where is_call and session['holdQueueName'] != ''
