-- One row per Voximplant session: the latest version of its record, opened.
-- `unmapped_values` has what is not the list or object that it must be, with the JSON type
-- that came instead, and a key that stands twice: the first counts.
-- @key account, record_id
with counted as (
    select
        account,
        record_id,
        count(*) as version_count,
        min(fetched_at) as first_loaded_at
    from raw.voximplant__call_sessions
    group by all
),

versions as (
    select
        stored.account,
        stored.record_id,
        stored.event_at,
        stored.payload,
        stored.fetched_at as last_loaded_at,
        stored.load_no,
        stored._dlt_load_id as load_id,
        counted.version_count,
        counted.first_loaded_at
    from raw.voximplant__call_sessions as stored
    inner join counted
        on stored.account = counted.account and stored.record_id = counted.record_id
),

-- Only what was read again is sorted: a payload is long.
latest as (
    select *
    from versions
    where version_count = 1
    union all
    select *
    from versions
    where version_count > 1
    qualify row_number() over (
        partition by account, record_id
        order by load_no desc, last_loaded_at desc
    ) = 1
),

opened as (
    select
        * exclude (payload),
        json_keys(payload) as keys,
        from_json(
            payload,
            '{
                "call_session_history_id": "VARCHAR", "start_date": "VARCHAR",
                "duration": "VARCHAR", "finish_reason": "VARCHAR",
                "account_id": "VARCHAR", "application_id": "VARCHAR",
                "application_name": "VARCHAR", "rule_name": "VARCHAR",
                "user_id": "VARCHAR", "custom_data": "VARCHAR",
                "audio_quality": "VARCHAR",
                "calls": [{
                    "call_id": "VARCHAR", "start_time": "VARCHAR", "duration": "VARCHAR",
                    "local_number": "VARCHAR", "remote_number": "VARCHAR",
                    "remote_number_type": "VARCHAR", "incoming": "VARCHAR",
                    "successful": "VARCHAR", "transaction_id": "VARCHAR",
                    "cost": "VARCHAR", "direction": "VARCHAR",
                    "diversion_number": "VARCHAR", "custom_data": "VARCHAR",
                    "end_reason": {"code": "VARCHAR", "details": "VARCHAR"}
                }],
                "records": [{
                    "record_id": "VARCHAR", "start_time": "VARCHAR", "duration": "VARCHAR",
                    "cost": "VARCHAR", "transaction_id": "VARCHAR",
                    "transcription_status": "VARCHAR", "file_size": "VARCHAR"
                }],
                "other_resource_usage": [{
                    "resource_usage_id": "VARCHAR", "resource_type": "VARCHAR",
                    "cost": "VARCHAR", "used_at": "VARCHAR", "transaction_id": "VARCHAR",
                    "resource_quantity": "VARCHAR", "unit": "VARCHAR",
                    "description": "VARCHAR", "ref_call_id": "VARCHAR"
                }]
            }'
        ) as record,
        json_type(payload, ['$.calls', '$.records', '$.other_resource_usage']) as types,
        -- Only what is not an object, or is not there, was opened to nothing.
        if(
            len(list_filter(record['calls'], lambda x: x['end_reason']['code'] is null)) > 0,
            json_type(payload, '$.calls[*].end_reason'),
            null
        ) as reason_types,
        if(list_unique(keys) < len(keys), 'stands twice', null) as key_twice
    from latest
)

select
    account,
    record_id,
    event_at,
    record,
    list_filter(
        [
            struct_pack(field := 'calls', value := nullif(types[1], 'ARRAY')),
            struct_pack(
                field := 'calls.end_reason',
                value := list_filter(reason_types, lambda x: x not in ('OBJECT', 'NULL'))[1]
            ),
            struct_pack(field := 'records', value := nullif(types[2], 'ARRAY')),
            struct_pack(field := 'other_resource_usage', value := nullif(types[3], 'ARRAY')),
            struct_pack(field := 'a key', value := key_twice)
        ],
        lambda x: x['value'] != 'NULL'
    ) as unmapped_values,
    first_loaded_at,
    last_loaded_at,
    load_id
from opened
