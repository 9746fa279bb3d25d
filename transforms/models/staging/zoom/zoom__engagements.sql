-- One row per Zoom engagement of any channel, where the account may read them: how long
-- its parts took, in seconds. The latest version of its record, opened.
-- @key account, record_id
-- @not_null unmapped_values
-- @unused direction, start_time, end_time, duration, handling_duration, transferCount,
--     queue_wait_type, voice_mail, consumers, flows, queues, agents, channels,
--     channel_types, survey_id, skills
with latest as (
    select
        account,
        record_id,
        payload,
        fetched_at as last_loaded_at,
        _dlt_load_id as load_id
    from raw.zoom__engagements
    qualify row_number() over (
        partition by account, record_id
        order by load_no desc, fetched_at desc
    ) = 1
),

opened as (
    select
        *,
        from_json(
            payload,
            '{
                "flow_duration": "VARCHAR", "waiting_duration": "VARCHAR",
                "talk_duration": "VARCHAR", "wrap_up_duration": "VARCHAR"
            }'
        ) as record
    from latest
)

select
    account,
    record_id,
    try_cast(record['flow_duration'] as decimal(12, 3)) as flow_seconds,
    try_cast(record['waiting_duration'] as decimal(12, 3)) as waiting_seconds,
    try_cast(record['talk_duration'] as decimal(12, 3)) as talk_seconds,
    try_cast(record['wrap_up_duration'] as decimal(12, 3)) as wrap_up_seconds,
    list_filter(
        [
            struct_pack(field := 'flow_duration', value := record['flow_duration']),
            struct_pack(field := 'waiting_duration', value := record['waiting_duration']),
            struct_pack(field := 'talk_duration', value := record['talk_duration']),
            struct_pack(field := 'wrap_up_duration', value := record['wrap_up_duration'])
        ],
        lambda x: x['value'] != ''
        and coalesce(try_cast(x['value'] as decimal(12, 3)) < 0, true)
    ) as unmapped_values,
    last_loaded_at,
    load_id
from opened
