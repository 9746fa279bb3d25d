-- One row per Voximplant session: the values in it and in its legs that are of another
-- type than is due, and its words without a mapping. What a list holds that is no object
-- is `null`, or has nothing but NULL in it.
-- @key account, record_id
-- @not_null misfits
with words as (
    select list(vendor_outcome) as known
    from seeds.outcomes
    where vendor = 'voximplant'
),

opened as (
    select
        sessions.account,
        sessions.record_id,
        sessions.record,
        sessions.record['calls'] as calls,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        sessions.last_loaded_at + interval 1 day as latest,
        words.known
    from staging.voximplant__call_sessions as sessions
    cross join words
),

-- What fits is NULL here.
sent as (
    select
        account,
        record_id,
        [
            { 'field': 'duration', 'value': if(
                try_cast(record['duration'] as decimal(10, 3)) >= 0, null, record['duration']
            ) },
            { 'field': 'finish_reason', 'value': if(
                list_contains(known, record['finish_reason']), null, record['finish_reason']
            ) }
        ] as own,
        flatten(list_transform(calls, lambda x: [
            { 'field': 'calls.null', 'value': if(x is null, 'missing', null) },
            { 'field': 'calls.call_id', 'value': if(
                x is null or x['call_id'] != '', null, 'missing'
            ) },
            { 'field': 'calls.start_time', 'value': if(
                try_cast(x['start_time'] as timestamp) at time zone 'UTC'
                between earliest and latest,
                null, x['start_time']
            ) },
            { 'field': 'calls.duration', 'value': if(
                try_cast(x['duration'] as decimal(10, 3)) >= 0, null, x['duration']
            ) },
            { 'field': 'calls.cost', 'value': if(
                not (
                    try_cast(x['cost'] as decimal(15, 6)) = 0
                    and try_cast(x['cost'] as double) != 0
                ),
                null, x['cost']
            ) },
            { 'field': 'calls.incoming', 'value': if(
                try_cast(x['incoming'] as boolean) is null, x['incoming'], null
            ) },
            { 'field': 'calls.successful', 'value': if(
                try_cast(x['successful'] as boolean) is null, x['successful'], null
            ) },
            { 'field': 'calls.remote_number_type', 'value': if(
                lower(x['remote_number_type']) in ('pstn', 'mobile', 'user', 'sip'),
                null, x['remote_number_type']
            ) },
            { 'field': 'calls.end_reason.code', 'value': if(
                regexp_full_match(x['end_reason']['code'], '\d{3}'),
                null, x['end_reason']['code']
            ) }
        ])) as of_calls,
        flatten(list_transform(calls, lambda x: list_filter(
            [
                { 'field': 'calls.call_id', 'value': x['call_id'] },
                { 'field': 'calls.local_number', 'value': x['local_number'] },
                { 'field': 'calls.remote_number', 'value': x['remote_number'] },
                { 'field': 'calls.transaction_id', 'value': x['transaction_id'] }
            ],
            lambda y: if(left(y['value'], 1) in ('{', '['), json_valid(y['value']), false)
        ))) as texts
    from opened
)

select
    account,
    record_id,
    list_filter(list_concat(own, of_calls, texts), lambda x: x['value'] != '') as misfits
from sent
