-- One row per session, be it a call, a chat or a fax: its newest version, opened.
-- A version without a time of change counts as late as the ones before it.
-- The sessions of a month belong together, for they share an allowance.
-- `unmapped_values` has what is not the list or object that it must be, with the JSON type
-- that came instead, and a key that stands twice: the first counts.
-- @key account, record_id
-- @rebuild_group date_trunc('month', event_at at time zone 'UTC')
with dated as (
    select
        *,
        -- Every form of evovoice.md, section 6; no zone means UTC, and the
        -- zone of a /Date()/ means nothing.
        list_transform(
            json_extract_string(payload, ['$.dateLastModified', '$.dateCompleted']),
            lambda text: case
                when regexp_full_match(text, '/Date\(-?\d{1,14}([+-]\d{4})?\)/')
                    then make_timestamptz(regexp_extract(text, '-?\d+')::bigint * 1000)
                else read_time(text, 'UTC')
            end
        ) as moments,
        json_keys(payload) as keys,
        min(fetched_at) over (partition by account, record_id) as first_loaded_at
    from raw.evovoice__sessions
),

placed as (
    select
        *,
        if(moments[1] < fetched_at + interval 1 day, moments[1], null) as modified_at,
        coalesce(modified_at, max(modified_at) over so_far) as modified_by
    from dated
    window so_far as (partition by account, record_id order by load_no, fetched_at)
),

opened as (
    select
        *,
        from_json(
            payload,
            '{
                "accountId": "VARCHAR", "accountName": "VARCHAR",
                "customerId": "VARCHAR", "customerName": "VARCHAR",
                "customerBreadcrumb": [{"id": "VARCHAR", "name": "VARCHAR"}],
                "endpointId": "VARCHAR", "endpointName": "VARCHAR",
                "callSid": "VARCHAR", "conferenceSid": "VARCHAR",
                "holdReason": "VARCHAR", "ringQueueId": "VARCHAR",
                "channel": "VARCHAR", "direction": "VARCHAR",
                "fromAddress": "VARCHAR", "toAddress": "VARCHAR",
                "destination": "VARCHAR", "answeredById": "VARCHAR",
                "answeredByName": "VARCHAR", "holdQueueName": "VARCHAR",
                "outcome": "VARCHAR", "ended": "VARCHAR", "wasMissed": "VARCHAR",
                "dateCompleted": "VARCHAR",
                "log": [{"date": "VARCHAR", "message": "VARCHAR"}],
                "members": [{
                    "identity": "VARCHAR", "displayName": "VARCHAR",
                    "role": "VARCHAR", "callState": "VARCHAR"
                }]
            }'
        ) as session
    from placed
    qualify row_number() over (
        partition by account, record_id
        order by modified_by desc nulls last, load_no desc, fetched_at desc
    ) = 1
)

select
    account,
    record_id,
    session,
    list_filter(
        flatten(list_transform(
            [
                struct_pack(
                    name := 'members', kind := json_type(payload, '$.members'),
                    kinds := json_type(payload, '$.members[*]')
                ),
                struct_pack(
                    name := 'customerBreadcrumb',
                    kind := json_type(payload, '$.customerBreadcrumb'),
                    kinds := json_type(payload, '$.customerBreadcrumb[*]')
                ),
                struct_pack(
                    name := 'log', kind := json_type(payload, '$.log'),
                    kinds := json_type(payload, '$.log[*]')
                )
            ],
            lambda x: [
                struct_pack(field := x['name'], value := nullif(x['kind'], 'ARRAY')),
                struct_pack(
                    field := x['name'],
                    value := list_filter(x['kinds'], lambda kind: kind != 'OBJECT')[1] || ' in it'
                )
            ]
        ))
        || [
            struct_pack(
                field := 'a key',
                value := if(len(list_distinct(keys)) < len(keys), 'stands twice', null)
            )
        ],
        lambda x: x['value'] != 'NULL'
    ) as unmapped_values,
    -- An unknown channel may be a call: it is shown as one, and as an unmapped value.
    coalesce(session['channel'], '') not in ('Chat', '1', 'Fax', '2') as is_call,
    event_at as created_at,
    nullif(payload ->> '$.dateLastModified', '') as modified,
    modified_at,
    -- Before the creation or after the read stands a placeholder, not an end.
    case
        when moments[2] between event_at and fetched_at + interval 1 day
            then moments[2]
    end as completed_at,
    coalesce(try_cast(session['ended'] as boolean), completed_at is not null)
        as has_ended,
    coalesce(try_cast(session['wasMissed'] as boolean), false) as is_missed,
    first_loaded_at,
    fetched_at as last_loaded_at,
    _dlt_load_id as load_id
from opened
