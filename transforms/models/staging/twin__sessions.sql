-- One row per TWIN call: the latest version of its record, opened.
-- Billing may leave updatedAt as it was, so billedAt and the time of the read decide
-- between versions of the same updatedAt.
-- @key account, record_id
-- @unused regionName, timezone, messagesAsString, resultsString, allResults, additional,
--     gender, isAssistantRequest, markers, externalId, companyId
with versions as (
    select
        account,
        record_id,
        payload,
        fetched_at,
        _dlt_load_id,
        payload ->> '$.updatedAt' as updated_at,
        payload ->> '$.billedAt' as billed_at,
        min(fetched_at) over (partition by account, record_id) as first_loaded_at
    from raw.twin__calls
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
            try_cast(updated_at as timestamptz) desc nulls last,
            try_cast(billed_at as timestamptz) desc nulls last,
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
            "callId": "VARCHAR", "status": "VARCHAR", "currentStatusName": "VARCHAR",
            "number": "VARCHAR", "callingNumber": "VARCHAR", "hungUpBy": "VARCHAR",
            "createdAt": "VARCHAR", "startedAt": "VARCHAR", "finishedAt": "VARCHAR",
            "updatedAt": "VARCHAR", "billedAt": "VARCHAR",
            "duration": "VARCHAR", "mainCallDuration": "VARCHAR",
            "autoCallDuration": "VARCHAR", "robotCallDuration": "VARCHAR",
            "transferCallDuration": "VARCHAR", "aiCallDuration": "VARCHAR",
            "totalCost": "VARCHAR",
            "mainCallCost": "VARCHAR", "mainCallDiscount": "VARCHAR",
            "mainCallTotalCost": "VARCHAR",
            "autoCallCost": "VARCHAR", "autoCallDiscount": "VARCHAR",
            "autoCallTotalCost": "VARCHAR",
            "robotCallCost": "VARCHAR", "robotCallDiscount": "VARCHAR",
            "robotCallTotalCost": "VARCHAR",
            "transferCallCost": "VARCHAR", "transferCallDiscount": "VARCHAR",
            "transferCallTotalCost": "VARCHAR",
            "aiCallCost": "VARCHAR", "aiCallTotalCost": "VARCHAR",
            "aiCallLlmTotalCost": "VARCHAR", "aiCallTtsTotalCost": "VARCHAR",
            "aiCallSttTotalCost": "VARCHAR",
            "recordPath": "VARCHAR", "emotion": "VARCHAR", "nps": "VARCHAR",
            "depersonalized": "VARCHAR"
        }'
    ) as record,
    first_loaded_at,
    last_loaded_at,
    load_id
from latest
