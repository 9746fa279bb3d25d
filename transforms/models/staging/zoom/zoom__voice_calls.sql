-- One row per Zoom engagement: the latest version of its record, opened.
-- `unmapped_values` has what is not the list or object that it must be, with the JSON type
-- that came instead, and a key that stands twice: the first counts.
-- @key account, record_id
with latest as (
    select
        account,
        record_id,
        event_at,
        payload,
        json_keys(payload) as keys,
        fetched_at as last_loaded_at,
        _dlt_load_id as load_id,
        min(fetched_at) over (partition by account, record_id) as first_loaded_at
    from raw.zoom__voice_calls
    qualify row_number() over (
        partition by account, record_id
        order by load_no desc, fetched_at desc
    ) = 1
),

opened as (
    select
        * exclude (payload, keys),
        from_json(
            payload,
            '{
                "engagement_id": "VARCHAR", "direction": "VARCHAR",
                "start_time": "VARCHAR", "end_time": "VARCHAR",
                "total_duration": "VARCHAR", "result": "VARCHAR", "charge": "VARCHAR",
                "caller_number": "VARCHAR", "callee_number": "VARCHAR",
                "consumer_number": "VARCHAR", "recorded": "VARCHAR", "inbox": "VARCHAR",
                "charge_type": "VARCHAR", "rates": ["VARCHAR"],
                "types": ["VARCHAR"], "sub_types": ["VARCHAR"],
                "call_legs": ["VARCHAR"], "distributions": ["VARCHAR"],
                "caller_number_type": "VARCHAR", "callee_number_type": "VARCHAR",
                "country_name": "VARCHAR", "monitored": "VARCHAR",
                "caller_id": "VARCHAR", "calling_party": "VARCHAR",
                "flows": [{"flow_id": "VARCHAR", "flow_name": "VARCHAR"}],
                "session_border_controller_list": [{
                    "session_border_controller_name": "VARCHAR",
                    "consumer_zoom_trunk_name": "VARCHAR"
                }],
                "sbcInfos": [{
                    "session_border_controller_name": "VARCHAR",
                    "consumer_zoom_trunk_name": "VARCHAR"
                }],
                "queues": [{
                    "queue_id": "VARCHAR", "cc_queue_id": "VARCHAR", "queue_name": "VARCHAR"
                }],
                "agents": [{
                    "user_id": "VARCHAR", "display_name": "VARCHAR",
                    "user_region": "VARCHAR", "team_names": "VARCHAR"
                }],
                "voice_call_details": [{
                    "call_leg": "VARCHAR", "type": "VARCHAR", "distribution": "VARCHAR",
                    "caller_number": "VARCHAR", "callee_number": "VARCHAR",
                    "start_time": "VARCHAR", "end_time": "VARCHAR",
                    "total_duration": "VARCHAR", "result": "VARCHAR",
                    "charge": "VARCHAR", "rate": "VARCHAR",
                    "queue": {"cc_queue_id": "VARCHAR", "queue_name": "VARCHAR"},
                    "flow": {"flow_id": "VARCHAR"},
                    "agents": [{"user_id": "VARCHAR", "display_name": "VARCHAR"}]
                }]
            }'
        ) as record,
        [
            'rates', 'types', 'sub_types', 'call_legs', 'distributions', 'queues', 'agents',
            'flows', 'session_border_controller_list', 'sbcInfos', 'voice_call_details'
        ] as lists,
        json_type(
            payload,
            [
                '$.rates', '$.types', '$.sub_types', '$.call_legs', '$.distributions',
                '$.queues', '$.agents', '$.flows', '$.session_border_controller_list',
                '$.sbcInfos', '$.voice_call_details'
            ]
        ) as types,
        -- Only what is not a list or object, or is not there, was opened to nothing.
        len(
            list_filter(
                record['voice_call_details'],
                lambda x: x['agents'] is null
                or x['flow']['flow_id'] is null
                or x['queue']['cc_queue_id'] is null
            )
        ) > 0 as is_odd,
        if(is_odd, json_type(payload, '$.voice_call_details[*].agents'), null) as agents_types,
        if(is_odd, json_type(payload, '$.voice_call_details[*].flow'), null) as flow_types,
        if(is_odd, json_type(payload, '$.voice_call_details[*].queue'), null) as queue_types,
        if(list_unique(keys) < len(keys), 'stands twice', null) as key_twice
    from latest
)

select
    account,
    record_id,
    event_at,
    record,
    list_filter(
        list_concat(
            list_transform(
                list_zip(lists, types),
                lambda x: struct_pack(field := x[1], value := nullif(x[2], 'ARRAY'))
            ),
            [
                struct_pack(
                    field := 'voice_call_details.agents',
                    value := list_filter(agents_types, lambda x: x not in ('ARRAY', 'NULL'))[1]
                ),
                struct_pack(
                    field := 'voice_call_details.flow',
                    value := list_filter(flow_types, lambda x: x not in ('OBJECT', 'NULL'))[1]
                ),
                struct_pack(
                    field := 'voice_call_details.queue',
                    value := list_filter(queue_types, lambda x: x not in ('OBJECT', 'NULL'))[1]
                ),
                struct_pack(field := 'a key', value := key_twice)
            ]
        ),
        lambda x: x['value'] != 'NULL'
    ) as unmapped_values,
    first_loaded_at,
    last_loaded_at,
    load_id
from opened
