-- One row per queue of a Zoom engagement, each once, in the order of its record.
-- Older records have only the deprecated queue_id, which is the same number.
-- @key account, vendor_call_id, vendor_queue_id
-- @not_null seq
-- @column seq: order in queues
-- @column vendor_queue_id: queues[].cc_queue_id, else queue_id, else queue_name
-- @column queue_name: queues[].queue_name
with listed as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['queues']) as queue,
        generate_subscripts(record['queues'], 1)::integer as position
    from staging.zoom__voice_calls
),

named as (
    select
        account,
        vendor_call_id,
        position,
        nullif(queue['queue_name'], '') as queue_name,
        coalesce(nullif(queue['cc_queue_id'], ''), nullif(queue['queue_id'], ''), queue_name)
            as vendor_queue_id
    from listed
)

select
    account,
    vendor_call_id,
    row_number() over (partition by account, vendor_call_id order by min(position))::integer
        as seq,
    vendor_queue_id,
    arg_min(queue_name, position) as queue_name
from named
where vendor_queue_id is not null
group by account, vendor_call_id, vendor_queue_id
