-- One row per leg of a Zoom engagement, opened and numbered. Legs have no id of their own:
-- what they are numbered by does not change when their charge comes late.
-- @key account, vendor_call_id, leg_no
with legs as (
    select
        account,
        record_id as vendor_call_id,
        last_loaded_at,
        unnest(record['voice_call_details']) as leg
    from staging.zoom__voice_calls
)

select
    account,
    vendor_call_id,
    leg,
    timestamptz '2000-01-01 00:00:00Z' as earliest,
    last_loaded_at + interval 1 day as latest,
    read_time(leg['start_time'], null) as sent_start,
    if(sent_start between earliest and latest, sent_start, null) as started_at,
    read_time(leg['end_time'], null) as sent_end,
    if(sent_end between earliest and latest, sent_end, null) as ended_at,
    row_number() over (
        partition by account, vendor_call_id
        order by
            started_at asc nulls last,
            leg['call_leg'] asc nulls last,
            leg['caller_number'] asc nulls last,
            leg['callee_number'] asc nulls last,
            leg['type'] asc nulls last,
            ended_at asc nulls last
    )::integer as leg_no
from legs
