-- One row per Whippy call: the latest version of its record, opened.
-- The shape of a call is not documented: alternatives of one field stand side by side.
-- A version without a time of change counts as late as the ones before it.
-- `unmapped_values` has what is not the list or object that it must be, with the JSON type
-- that came instead, a key that stands twice (the first counts), and all that may be a
-- price: no document promises one.
-- @key account, record_id
with versions as (
    select
        account,
        record_id,
        event_at,
        payload,
        json_keys(payload) as keys,
        fetched_at,
        load_no,
        _dlt_load_id,
        read_time(payload ->> '$.updated_at', 'UTC') as sent_update,
        if(sent_update < fetched_at + interval 1 day, sent_update, null) as updated_at,
        coalesce(updated_at, max(updated_at) over so_far) as updated_by,
        min(fetched_at) over (partition by account, record_id) as first_loaded_at
    from raw.whippy__calls
    window so_far as (partition by account, record_id order by load_no, fetched_at)
),

latest as (
    select
        account,
        record_id,
        event_at,
        updated_at,
        payload,
        keys,
        first_loaded_at,
        fetched_at as last_loaded_at,
        _dlt_load_id as load_id
    from versions
    qualify row_number() over (
        partition by account, record_id
        order by updated_by desc nulls last, load_no desc, fetched_at desc
    ) = 1
)

select
    account,
    record_id,
    event_at,
    updated_at,
    from_json(
        payload,
        '{
            "id": "VARCHAR", "created_at": "VARCHAR", "updated_at": "VARCHAR",
            "direction": "VARCHAR", "from": "VARCHAR", "to": "VARCHAR",
            "agent_id": "VARCHAR", "agent_version_id": "VARCHAR", "user_id": "VARCHAR",
            "conversation_id": "VARCHAR", "channel_id": "VARCHAR", "mode": "VARCHAR",
            "delivery_status": "VARCHAR", "voicemail": "VARCHAR",
            "duration": "VARCHAR", "duration_ms": "VARCHAR",
            "metadata": {"duration": "VARCHAR", "agent_id": "VARCHAR"},
            "language": "VARCHAR", "call_completion_rating": "VARCHAR",
            "attachments": [{"content_type": "VARCHAR"}]
        }'
    ) as record,
    -- In the shape of a message it stands in metadata alone.
    coalesce(nullif(record['agent_id'], ''), nullif(record['metadata']['agent_id'], ''))
        as bot_id,
    list_filter(
        list_concat(
            list_filter(
                list_concat(
                    list_transform(
                        list_zip(keys, json_extract_string(payload, '$.*')),
                        lambda x: struct_pack(field := x[1], value := x[2])
                    ),
                    list_transform(
                        list_zip(
                            json_keys(payload, '$.metadata'),
                            json_extract_string(payload, '$.metadata.*')
                        ),
                        lambda x: struct_pack(field := 'metadata.' || x[1], value := x[2])
                    )
                ),
                lambda x: regexp_matches(x['field'], '(?i)cost|price')
            ),
            [
                struct_pack(
                    field := 'metadata', value := nullif(json_type(payload, '$.metadata'), 'OBJECT')
                ),
                struct_pack(
                    field := 'attachments',
                    value := coalesce(
                        nullif(json_type(payload, '$.attachments'), 'ARRAY'),
                        list_filter(
                            json_type(payload, '$.attachments[*]'), lambda x: x != 'OBJECT'
                        )[1] || ' in it'
                    )
                ),
                struct_pack(
                    field := 'a key',
                    value := if(len(list_distinct(keys)) < len(keys), 'stands twice', null)
                )
            ]
        ),
        lambda x: x['value'] not in ('', 'NULL')
    ) as unmapped_values,
    first_loaded_at,
    last_loaded_at,
    load_id
from latest
