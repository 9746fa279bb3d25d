-- One row per entry of a Zoom engagement's queues.
-- Older records have only the deprecated queue_id, which is the same number.
-- @key account, vendor_call_id, seq
-- @column seq: order in queues
-- @column vendor_queue_id: queues[].cc_queue_id, else queue_id, else queue_name
-- @column queue_name: queues[].queue_name
with entries as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['queues']) as queue,
        generate_subscripts(record['queues'], 1)::integer as seq
    from staging.zoom__voice_calls
)

select
    account,
    vendor_call_id,
    seq,
    coalesce(
        nullif(queue['cc_queue_id'], ''),
        nullif(queue['queue_id'], ''),
        nullif(queue['queue_name'], '')
    ) as vendor_queue_id,
    nullif(queue['queue_name'], '') as queue_name
from entries
