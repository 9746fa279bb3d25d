-- One row per Voximplant session: in its legs, the words without a mapping and the values
-- of another type. A leg's number is needed, so that its absence is such a value.
with sessions as (
    select
        account,
        record_id,
        record,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        last_loaded_at + interval 1 day as latest
    from staging.voximplant__call_sessions
)

select
    account,
    record_id,
    flatten(
        list_transform(
            record['calls'],
            lambda x: [
                ('calls.call_id', if(nullif(x['call_id'], '') is null, 'missing', null)),
                (
                    'calls.start_time',
                    if(
                        read_time(x['start_time'], 'UTC') between earliest and latest,
                        null,
                        x['start_time']
                    )
                ),
                (
                    'calls.duration',
                    if(try_cast(x['duration'] as decimal(10, 3)) >= 0, null, x['duration'])
                ),
                (
                    'calls.cost',
                    if(
                        try_cast(x['cost'] as decimal(15, 6)) != 0
                        or try_cast(x['cost'] as double) = 0,
                        null,
                        x['cost']
                    )
                ),
                (
                    'calls.incoming',
                    if(try_cast(x['incoming'] as boolean) is not null, null, x['incoming'])
                ),
                (
                    'calls.successful',
                    if(try_cast(x['successful'] as boolean) is not null, null, x['successful'])
                ),
                (
                    'calls.remote_number_type',
                    if(
                        lower(x['remote_number_type']) in ('pstn', 'mobile', 'user', 'sip'),
                        null,
                        x['remote_number_type']
                    )
                ),
                (
                    'calls.end_reason.code',
                    if(
                        regexp_full_match(x['end_reason']['code'], '\d{3}'),
                        null,
                        x['end_reason']['code']
                    )
                )
            ]
        )
    )::struct(field varchar, value varchar)[] as pairs
from sessions
