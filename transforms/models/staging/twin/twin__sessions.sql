-- One row per TWIN call: the latest version of its record, opened.
-- Billing may leave updatedAt as it was, so billedAt and the time of the read decide
-- between versions of the same updatedAt. What is once depersonalised stays so, whatever
-- times are left in it; a version without a time of change counts as late as the ones
-- before it. `unmapped_values` has a key that stands twice: the first counts.
-- @key account, record_id
with counted as (
    select
        account,
        record_id,
        count(*) as version_count,
        min(fetched_at) as first_loaded_at
    from raw.twin__calls
    group by all
),

versions as (
    select
        stored.*,
        counted.version_count,
        counted.first_loaded_at
    from raw.twin__calls as stored
    inner join counted
        on stored.account = counted.account and stored.record_id = counted.record_id
),

-- Only of calls that were read again is there a choice.
dated as (
    select
        *,
        list_transform(
            json_extract_string(payload, ['$.updatedAt', '$.billedAt']),
            lambda x: read_time(x, 'UTC')
        ) as moments,
        list_transform(
            moments,
            lambda x: if(
                x between timestamptz '2000-01-01 00:00:00Z' and fetched_at + interval 1 day,
                x,
                null
            )
        ) as times,
        list_contains(json_keys(payload), 'billedAt') as has_billed_at,
        try_cast(payload ->> '$.depersonalized' as boolean) is true as is_wiped
    from versions
    where version_count > 1
),

placed as (
    select
        *,
        coalesce(times[1], max(times[1]) over so_far) as updated_by,
        if(has_billed_at, times[2], max(times[2]) over so_far) as billed_by
    from dated
    window so_far as (partition by account, record_id order by load_no, fetched_at)
),

latest as (
    select
        account,
        record_id,
        event_at,
        fetched_at,
        payload,
        first_loaded_at,
        _dlt_load_id
    from versions
    where version_count = 1
    union all
    select
        account,
        record_id,
        event_at,
        fetched_at,
        payload,
        first_loaded_at,
        _dlt_load_id
    from placed
    qualify row_number() over (
        partition by account, record_id
        order by
            is_wiped desc,
            updated_by desc nulls last,
            billed_by desc nulls last,
            load_no desc,
            fetched_at desc
    ) = 1
),

opened as (
    select
        * exclude (payload),
        from_json(
            payload,
            '{
                "callId": "VARCHAR", "status": "VARCHAR",
                "number": "VARCHAR", "callingNumber": "VARCHAR", "hungUpBy": "VARCHAR",
                "startedAt": "VARCHAR", "finishedAt": "VARCHAR",
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
                "depersonalized": "VARCHAR", "companyId": "VARCHAR",
                "currentStatusName": "VARCHAR", "isAssistantRequest": "VARCHAR",
                "regionName": "VARCHAR", "timezone": "VARCHAR",
                "markers": "VARCHAR", "externalId": "VARCHAR"
            }'
        ) as record,
        json_keys(payload) as keys
    from latest
),

read as (
    select
        *,
        list_transform(
            [
                record['updatedAt'], record['billedAt'],
                record['startedAt'], record['finishedAt']
            ],
            lambda x: read_time(x, 'UTC')
        ) as moments,
        list_transform(
            moments,
            lambda x: if(
                x between timestamptz '2000-01-01 00:00:00Z' and fetched_at + interval 1 day,
                x,
                null
            )
        ) as times,
        try_cast(record['depersonalized'] as boolean) is true as is_erased
    from opened
)

select
    account,
    record_id,
    record,
    event_at as created_at,
    times[1] as updated_at,
    times[2] as billed_at,
    billed_at is not null or (list_contains(keys, 'billedAt') and not is_erased)
        as reports_billing,
    -- Where `fields` leaves billedAt out or it was wiped, only a price shows that it is billed.
    coalesce(
        billed_at is not null
        or (not reports_billing and try_cast(record['totalCost'] as decimal(15, 6)) != 0),
        false
    ) as is_billed,
    record['billedAt'] != '' and moments[2] is null as has_unread_billing,
    is_erased,
    times[3] as started_at,
    if(times[4] >= coalesce(times[3], event_at), times[4], null) as finished_at,
    if(
        list_unique(keys) < len(keys),
        [struct_pack(field := 'a key', value := 'stands twice')],
        []
    ) as unmapped_values,
    first_loaded_at,
    fetched_at as last_loaded_at,
    _dlt_load_id as load_id
from read
