-- One row per Zoom engagement of any channel, where the account may read them: how long
-- its parts took, in seconds. The latest version of its record, opened.
-- @key account, record_id
-- @not_null unmapped_values
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
                "duration": "VARCHAR",
                "flow_duration": "VARCHAR", "waiting_duration": "VARCHAR",
                "handling_duration": "VARCHAR", "talk_duration": "VARCHAR",
                "wrap_up_duration": "VARCHAR", "transferCount": "VARCHAR",
                "voice_mail": "VARCHAR", "queue_wait_type": "VARCHAR",
                "survey_id": "VARCHAR",
                "channels": [{"channel": "VARCHAR", "channel_source": "VARCHAR"}]
            }'
        ) as record,
        json_type(payload, '$.channels') as channels_type
    from latest
),

typed as (
    select
        *,
        list_transform(
            [
                ('duration', record['duration']),
                ('flow_duration', record['flow_duration']),
                ('waiting_duration', record['waiting_duration']),
                ('handling_duration', record['handling_duration']),
                ('talk_duration', record['talk_duration']),
                ('wrap_up_duration', record['wrap_up_duration']),
                ('transferCount', record['transferCount'])
            ],
            lambda x: struct_pack(
                field := x[1], value := x[2], number := try_cast(x[2] as decimal(12, 3))
            )
        ) as sent,
        list_transform(
            sent, lambda x: if(x['number'] >= 0, x['number'], null)
        ) as numbers,
        -- A number of messages, or whether there is one: the document does not say.
        try_cast(record['voice_mail'] as decimal(12, 3)) as voice_mails,
        case
            when voice_mails is null then try_cast(record['voice_mail'] as boolean)
            when voice_mails >= 0 then voice_mails > 0
        end as has_voice_mail
    from opened
)

select
    account,
    record_id,
    record,
    numbers[1] as total_seconds,
    numbers[2] as flow_seconds,
    numbers[3] as waiting_seconds,
    numbers[4] as handling_seconds,
    numbers[5] as talk_seconds,
    numbers[6] as wrap_up_seconds,
    numbers[7] as transfers,
    if(
        handling_seconds >= talk_seconds + wrap_up_seconds,
        handling_seconds - talk_seconds - wrap_up_seconds,
        null
    ) as hold_seconds,
    to_milliseconds(((flow_seconds + waiting_seconds) * 1000)::bigint) as waited,
    has_voice_mail,
    list_filter(
        list_concat(
            list_transform(
                list_filter(sent, lambda x: coalesce(x['number'] < 0, true)),
                lambda x: struct_pack(field := x['field'], value := x['value'])
            ),
            [
                struct_pack(
                    field := 'voice_mail',
                    value := if(has_voice_mail is null, record['voice_mail'], null)
                ),
                struct_pack(
                    field := 'channels',
                    value := nullif(nullif(channels_type, 'ARRAY'), 'NULL')
                )
            ],
            list_filter(
                list_concat(
                    [
                        struct_pack(
                            field := 'queue_wait_type', value := record['queue_wait_type']
                        ),
                        struct_pack(field := 'survey_id', value := record['survey_id'])
                    ],
                    flatten(list_transform(
                        record['channels'],
                        lambda x: [
                            struct_pack(
                                field := 'channels',
                                value := if(
                                    coalesce(x['channel'], x['channel_source']) is null,
                                    '{}',
                                    null
                                )
                            ),
                            struct_pack(field := 'channels.channel', value := x['channel']),
                            struct_pack(
                                field := 'channels.channel_source',
                                value := x['channel_source']
                            )
                        ]
                    ))
                ),
                lambda x: left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
            )
        ),
        lambda x: x['value'] != ''
    ) as unmapped_values,
    last_loaded_at,
    load_id
from typed
