-- One row per Whippy call: the latest version of its record, opened.
-- The shape of a call is not documented: alternatives of one field stand side by side.
-- @key account, record_id
-- @unused agent_version_id, contact_id, conversation_id, channel_id, mode, body, analysis
with versions as (
    select
        account,
        record_id,
        payload,
        fetched_at,
        _dlt_load_id,
        payload ->> '$.updated_at' as updated_at,
        min(fetched_at) over (partition by account, record_id) as first_loaded_at
    from raw.whippy__calls
),

latest as (
    select
        account,
        record_id,
        payload,
        first_loaded_at,
        fetched_at as last_loaded_at,
        _dlt_load_id as load_id
    from versions
    qualify row_number() over (
        partition by account, record_id
        order by
            coalesce(
                try_cast(updated_at || 'Z' as timestamptz),
                try_cast(updated_at as timestamptz)
            ) desc nulls last,
            fetched_at desc,
            _dlt_load_id desc
    ) = 1
)

select
    account,
    record_id,
    from_json(
        payload,
        '{
            "id": "VARCHAR", "created_at": "VARCHAR", "updated_at": "VARCHAR",
            "direction": "VARCHAR", "from": "VARCHAR", "to": "VARCHAR",
            "agent_id": "VARCHAR", "user_id": "VARCHAR",
            "delivery_status": "VARCHAR", "voicemail": "VARCHAR",
            "duration": "VARCHAR", "duration_ms": "VARCHAR",
            "metadata": {"duration": "VARCHAR"},
            "language": "VARCHAR", "call_completion_rating": "VARCHAR",
            "attachments": [{"content_type": "VARCHAR"}],
            "call_cost": "VARCHAR", "cost": "VARCHAR", "price": "VARCHAR"
        }'
    ) as record,
    nullif(json_type(payload, '$.metadata'), 'OBJECT') as metadata_shape,
    nullif(json_type(payload, '$.attachments'), 'ARRAY') as attachments_shape,
    first_loaded_at,
    last_loaded_at,
    load_id
from latest
