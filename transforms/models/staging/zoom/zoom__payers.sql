-- One row per Zoom engagement and level of who pays for it: its first queue, if it came to
-- one, and the account, which has the bill.
-- @key account, vendor_call_id, level
-- @column level: 1 the queue and 2 the account, 1 the account of an engagement without a queue
-- @column payer_kind: queue, account
-- @column payer_id: queues[].cc_queue_id, else queue_id, else queue_name; the account's alias
-- @column payer_name: queues[].queue_name
with queues as (
    select
        account,
        vendor_call_id,
        vendor_queue_id,
        queue_name
    from staging.zoom__queues
    where vendor_queue_id is not null
    qualify row_number() over (partition by account, vendor_call_id order by seq) = 1
)

select
    account,
    vendor_call_id,
    1::integer as level,
    'queue' as payer_kind,
    vendor_queue_id as payer_id,
    queue_name as payer_name
from queues
union all
select
    calls.account,
    calls.record_id as vendor_call_id,
    if(queues.vendor_queue_id is null, 1, 2)::integer as level,
    'account' as payer_kind,
    calls.account as payer_id,
    null as payer_name
from staging.zoom__voice_calls as calls
left join queues
    on calls.account = queues.account and calls.record_id = queues.vendor_call_id
