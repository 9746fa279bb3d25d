-- One row per queue that any call names.
-- @key queue_key
-- @not_null vendor, account, calls, vendor_queue_id
-- @column queue_key: vendor:account:vendor_queue_id
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_queue_id: the vendor's number of the queue, or its name where it has none
-- @column queue_name: as the latest call names it; NULL = never named
-- @column calls [calls]: calls that name the queue; deleted ones do not count
-- @column first_call_at: start of the first of them, UTC; NULL = none is left
-- @column last_call_at: start of the last of them, UTC; NULL = none is left
select
    queues.queue_key,
    any_value(calls.vendor) as vendor,
    any_value(calls.account) as account,
    any_value(queues.queue_key[length(calls.vendor || calls.account) + 3:]) as vendor_queue_id,
    arg_max(queues.queue_name, (calls.started_at, calls.call_key))
    filter (where queues.queue_name is not null) as queue_name,
    count(*) filter (where not calls.is_deleted) as calls,
    min(calls.started_at) filter (where not calls.is_deleted) as first_call_at,
    max(calls.started_at) filter (where not calls.is_deleted) as last_call_at
from main.bridge_call_queues as queues
inner join main.fact_calls as calls on queues.call_key = calls.call_key
group by queues.queue_key
